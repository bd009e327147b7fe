"""Source to object: the language, its checks, its typed IR and two lowerings."""
