"""Memory that outlives a call and never moves: the door through which maps get their storage."""

from __future__ import annotations

import ctypes
import mmap

import numpy as np
import numpy.typing as npt

from beebox.errors import MapError


class Storage:
    """An anonymous private mapping of zeros, at one address until the last user is gone.

    Programs hold :attr:`address`; Python reads and writes the same bytes through :attr:`data`.
    Native code keeps no reference, so whoever linked the address must keep this object alive.
    """

    __slots__ = ("address", "data", "size")

    def __init__(self, size: int, *, map_name: str) -> None:
        try:
            memory = mmap.mmap(-1, size)
        except (OSError, ValueError) as error:
            errno = error.errno if isinstance(error, OSError) else None
            problem = f"no {size} bytes of memory"
            raise MapError(problem, map_name=map_name, errno=errno or 12) from None
        self.size = size
        # The array keeps the mapping; it goes when the last view of it goes.
        self.data: npt.NDArray[np.uint8] = np.frombuffer(memory, dtype=np.uint8)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(memory))

    def words(self, offset: int, count: int) -> npt.NDArray[np.uint32]:
        """``count`` 32-bit words from byte ``offset`` on, as a writable view."""
        return self.data[offset : offset + 4 * count].view(np.uint32)

    def rows(self, offset: int, count: int, stride: int) -> npt.NDArray[np.uint8]:
        """``count`` records of ``stride`` bytes from ``offset`` on: a writable view, (count, stride)."""
        return self.data[offset : offset + count * stride].reshape(count, stride)

