"""What eBPF is, as rows: no behaviour, no I/O."""
