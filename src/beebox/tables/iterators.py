"""Iterators over what the kernel has (``iter/...``): which of their arguments are pointers to use.

The arguments are those of the function ``bpf_iter_NAME`` in the kernel's BTF, whose first is
always the iterator's ``struct bpf_iter_meta``. Those not listed are trusted pointers to structs, or
numbers. The tests hold the rows against a running kernel. Source: ``struct bpf_iter_reg`` of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final


class IterArg(Enum):
    """What the context of an iterator's program holds; NULL at the end, or for no element."""

    BTF_ID_OR_NULL = auto()
    TRUSTED_OR_NULL = auto()
    RDONLY_BUF_OR_NULL = auto()  # a key: the kernel checks its size
    RDWR_BUF_OR_NULL = auto()  # a value, which may be changed


ITERATORS: Final[Mapping[str, Mapping[int, IterArg]]] = {
    "bpf_link": {1: IterArg.BTF_ID_OR_NULL},
    "bpf_map": {1: IterArg.TRUSTED_OR_NULL},
    "bpf_map_elem": {
        2: IterArg.RDONLY_BUF_OR_NULL,
        3: IterArg.RDWR_BUF_OR_NULL,
    },
    "bpf_prog": {1: IterArg.BTF_ID_OR_NULL},
    "bpf_sk_storage_map": {2: IterArg.BTF_ID_OR_NULL, 3: IterArg.RDWR_BUF_OR_NULL},
    "cgroup": {1: IterArg.TRUSTED_OR_NULL},
    "dmabuf": {1: IterArg.BTF_ID_OR_NULL},
    "ipv6_route": {1: IterArg.BTF_ID_OR_NULL},
    "kmem_cache": {1: IterArg.TRUSTED_OR_NULL},
    "ksym": {1: IterArg.BTF_ID_OR_NULL},
    "netlink": {1: IterArg.BTF_ID_OR_NULL},
    "sockmap": {2: IterArg.RDONLY_BUF_OR_NULL, 3: IterArg.BTF_ID_OR_NULL},
    "task": {1: IterArg.TRUSTED_OR_NULL},
    "task_file": {1: IterArg.BTF_ID_OR_NULL, 3: IterArg.BTF_ID_OR_NULL},
    "task_vma": {1: IterArg.BTF_ID_OR_NULL, 2: IterArg.BTF_ID_OR_NULL},
    "tcp": {1: IterArg.TRUSTED_OR_NULL},
    "udp": {1: IterArg.TRUSTED_OR_NULL},
    "unix": {1: IterArg.BTF_ID_OR_NULL},
}
