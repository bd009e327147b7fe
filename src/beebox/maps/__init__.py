"""Map families: layout, operations in the dialect, Python views."""
