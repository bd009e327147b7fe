"""Packets as Python gives them, checked once so that native code can trust them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from beebox.errors import InputError
from beebox.hooks.packet import PacketHook
from beebox.userspace.engines import Packets


def check_packets(
    buffer: Any,
    offsets: npt.ArrayLike,
    lengths: npt.ArrayLike,
    times_ns: npt.ArrayLike | None,
    hook: PacketHook,
) -> Packets:
    """The packets, every one inside ``buffer`` and of a length that ``hook`` takes.

    Raises :exc:`InputError` naming the first that is not, TypeError for what is no buffer.
    """
    view = memoryview(buffer)
    if not view.c_contiguous:
        raise InputError("the buffer of packets is not contiguous")
    data = np.frombuffer(view.cast("B") if view.nbytes else b"", dtype=np.uint8)
    starts = _column("offsets", offsets, np.uint64)
    sizes = _column("lengths", lengths, np.uint32)
    times = None if times_ns is None else _column("times_ns", times_ns, np.uint64)
    for name, column in (("lengths", sizes), ("times_ns", times)):
        if column is not None and len(column) != len(starts):
            raise InputError(f"{len(starts)} offsets and {len(column)} {name}")
    if not _all_fit(starts, sizes, data.size, hook):
        raise InputError(_first_problem(starts, sizes, data.size, hook))
    return Packets(data, starts, sizes, times)


def _all_fit(
    starts: npt.NDArray[np.uint64], sizes: npt.NDArray[np.uint32], space: int, hook: PacketHook
) -> bool:
    """Whether every packet is one. Extremes decide where they can: that is quick."""
    if not len(starts):
        return True
    least, most = int(sizes.min()), int(sizes.max())
    if least < hook.min_bytes or most > hook.max_bytes:
        return False
    if most <= space and int(starts.max()) <= space - most:
        return True
    return not bool(_outside(starts, sizes, space).any())


def _outside(
    starts: npt.NDArray[np.uint64], sizes: npt.NDArray[np.uint32], space: int
) -> npt.NDArray[np.bool_]:
    return (starts > space) | (sizes > space - np.minimum(starts, space))


def _first_problem(
    starts: npt.NDArray[np.uint64], sizes: npt.NDArray[np.uint32], space: int, hook: PacketHook
) -> str:
    wrong = (sizes < hook.min_bytes) | (sizes > hook.max_bytes)
    if bool(wrong.any()):
        at = int(wrong.argmax())
        least, most = hook.min_bytes, hook.max_bytes
        return f"packet {at}: a frame of {sizes[at]} bytes; {hook.name} takes {least} to {most}"
    at = int(_outside(starts, sizes, space).argmax())
    return f"packet {at}: {sizes[at]} bytes at {starts[at]} of a buffer of {space}"


def _column(name: str, values: npt.ArrayLike, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """One number per packet, contiguous and of ``dtype``; a copy only where that needs one."""
    given = np.asarray(values)
    if given.ndim != 1:
        raise InputError(f"{name}: an array of {given.ndim} dimensions; one is needed")
    if given.size == 0:
        return np.zeros(0, dtype=dtype)
    if given.dtype == dtype:
        return np.ascontiguousarray(given)
    if given.dtype.kind not in "iu":
        raise InputError(f"{name}: of type {given.dtype}; integers are needed")
    most = np.iinfo(dtype).max  # type: ignore[type-var]  # one of two unsigned types
    low, high = int(given.min()), int(given.max())
    if low < 0 or high > most:
        raise InputError(f"{name}: {low if low < 0 else high} is out of range (0 to {most})")
    return np.ascontiguousarray(given, dtype=dtype)
