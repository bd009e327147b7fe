"""The language's standard library: header types and functions for BPF programs."""
