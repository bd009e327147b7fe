"""Instructions: their shapes, bytes, text and meaning."""
