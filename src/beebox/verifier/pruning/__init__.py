"""Where paths may end: states that include others, loops, what is not read any more."""
