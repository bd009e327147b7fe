"""BTF: the type graph, its wire format, values decoded by it."""
