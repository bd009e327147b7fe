"""Loads and stores: the safety assertions, one module per kind of memory."""
