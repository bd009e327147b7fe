"""Applications written against the Backend protocol."""
