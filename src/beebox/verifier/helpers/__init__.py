"""Calls of BPF helpers: who may call, arguments, results, functions that they call back."""
