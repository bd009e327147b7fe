"""The explorer: an exploration, recorded and laid out as one page for a browser."""
