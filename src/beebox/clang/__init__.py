"""C sources: find a clang, run it over a source with our headers, say what it said."""
