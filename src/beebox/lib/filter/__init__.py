"""Packet filter expressions, as tcpdump's users write them, compiled to BPF programs."""

from beebox.lib.filter.code import compile_filter as compile_filter
