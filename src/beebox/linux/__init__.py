"""The real kernel, through bpf(2)."""
