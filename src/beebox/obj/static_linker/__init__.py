"""One object of several, before any target is known: libbpf's static linker."""
