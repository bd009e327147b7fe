"""The maps' door to memory and native calls: storage that never moves, operations on it."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from beebox.errors import MapError
from beebox.llvm.native import NativeCode


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
        """A writable view of ``count`` records of ``stride`` bytes: (count, stride)."""
        return self.data[offset : offset + count * stride].reshape(count, stride)


class Operations:
    """The native operations of one map, as Python calls; the GIL is released in each.

    Keys and values are bytes of exactly the map's sizes: nothing is checked here. Results are a
    value's address (0: none) or a negative errno.
    """

    def __init__(self, code: NativeCode, symbol: str, storage: Storage) -> None:
        self._storage = storage  # the code holds its address
        address, data, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64
        result = ctypes.c_int64

        def bind(name: str, kind: Any, *arguments: Any) -> Callable[..., Any]:
            return code.function(f"{symbol}_{name}", kind, arguments)

        self._lookup = bind("lookup", address, address, data)
        self._delete = bind("delete", result, address, data)
        self._update_all = bind("update_all", result, address, data, data, number, number)
        self._hold = bind("hold", None)
        self._release = bind("release", None)
        self._lookup_at = bind("lookup", address, address, address)
        self._update_at = bind("update", result, address, address, address, number)
        self._delete_at = bind("delete", result, address, address)
        self._runtime = ctypes.create_string_buffer(64)  # CPU 0
        self._rt = ctypes.addressof(self._runtime)

    EXPORTS: Final = ("lookup", "update", "delete", "update_all", "hold", "release")

    def lookup(self, key: bytes) -> int:
        """The address of the key's value (of CPU 0's), or 0."""
        return self._lookup(self._rt, key) or 0

    def update_all(self, keys: bytes, values: bytes, count: int, flags: int) -> int:
        """Update ``count`` elements, every CPU's value."""
        return int(self._update_all(self._rt, keys, values, count, flags))

    def delete(self, key: bytes) -> int:
        """Delete the element."""
        return int(self._delete(self._rt, key))

    def lookup_at(self, rt: int, key: int) -> int:
        """As a program's call: addresses of its runtime block and key."""
        return self._lookup_at(rt, key) or 0

    def update_at(self, rt: int, key: int, value: int, flags: int) -> int:
        """As a program's call."""
        return int(self._update_at(rt, key, value, flags))

    def delete_at(self, rt: int, key: int) -> int:
        """As a program's call."""
        return int(self._delete_at(rt, key))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep writers out for a moment."""
        self._hold()
        try:
            yield
        finally:
            self._release()
