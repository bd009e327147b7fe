"""Abstract numbers: what is known of one, and what arithmetic and comparisons make of it."""
