"""eBPF as one Python package."""
