"""Helpers that a program may call only where it attaches to one of certain functions.

Names are those of the kernel's BTF; rows of the helpers say the same in words. Source: the
``allowed`` functions and the ``get_func_proto`` of the program types.
"""

from __future__ import annotations

from typing import Final

from beebox.tables.lsm import SLEEPABLE

_HOOKS_THAT_SLEEP: Final = frozenset(f"bpf_lsm_{name}" for name in SLEEPABLE)

D_PATH: Final = _HOOKS_THAT_SLEEP | {
    "dentry_open",
    "filp_close",
    "security_file_open",
    "security_file_permission",
    "security_inode_getattr",
    "security_path_truncate",
    "vfs_fallocate",
    "vfs_getattr",
    "vfs_truncate",
}
"""``bpf_d_path``; iterators may call it, too."""

IMA: Final = _HOOKS_THAT_SLEEP
"""``bpf_ima_inode_hash`` and ``bpf_ima_file_hash``."""

SOCKOPT: Final = frozenset(
    {
        "bpf_iter_tcp",
        "bpf_iter_unix",
        "bpf_lsm_inet_conn_established",
        "bpf_lsm_inet_csk_clone",
        "bpf_lsm_sock_graft",
        "bpf_lsm_socket_post_create",
        "bpf_lsm_socket_socketpair",
    }
)
"""``bpf_setsockopt`` and ``bpf_getsockopt``, of iterators and security hooks."""
