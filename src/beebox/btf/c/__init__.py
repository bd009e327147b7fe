"""Type tables as C: what ``bpftool btf dump ... format c`` writes."""
