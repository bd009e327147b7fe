"""What a thread may do: its effective capabilities, taken away for a while.

bpf(2) asks for the effective ones alone; the permitted ones stay, so they can be taken up again.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

CAP_NET_ADMIN: Final = 12
CAP_SYS_ADMIN: Final = 21
CAP_PERFMON: Final = 38
CAP_BPF: Final = 39

_VERSION: Final = 0x20080522  # _LINUX_CAPABILITY_VERSION_3: two words of 32 bits
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_SETS = ctypes.c_uint32 * 6  # effective, permitted, inheritable; low and high words


def _call(name: str, sets: ctypes.Array[ctypes.c_uint32]) -> None:
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    if getattr(_LIBC, name)(header, sets):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


@contextmanager
def only(*capabilities: int) -> Iterator[None]:
    """This thread is left with these effective capabilities, as far as it has them."""
    before, after = _SETS(), _SETS()
    _call("capget", before)
    _call("capget", after)
    mask = sum(1 << number for number in capabilities)
    for word in (0, 1):
        after[3 * word] &= mask >> 32 * word & 0xFFFFFFFF
    _call("capset", after)
    try:
        yield
    finally:
        _call("capset", before)


def unprivileged() -> AbstractContextManager[None]:
    """A thread that may load programs, but not see kernel memory: without CAP_PERFMON."""
    return only(CAP_BPF, CAP_NET_ADMIN)
