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
from beebox.maps import abi

_ADDRESS: Final = ctypes.c_void_p
_NUMBER: Final = ctypes.c_uint64
_RESULT: Final = ctypes.c_int64
_SIGNATURES: Final[dict[str, tuple[Any, ...]]] = {
    "lookup": (_ADDRESS, _ADDRESS, _ADDRESS),
    "update": (_RESULT, _ADDRESS, _ADDRESS, _ADDRESS, _NUMBER),
    "delete": (_RESULT, _ADDRESS, _ADDRESS),
    "lookup_percpu": (_ADDRESS, _ADDRESS, _ADDRESS, _NUMBER),
    "push": (_RESULT, _ADDRESS, _ADDRESS, _NUMBER),
    "pop": (_RESULT, _ADDRESS, _ADDRESS),
    "peek": (_RESULT, _ADDRESS, _ADDRESS),
    "redirect": (_RESULT, _ADDRESS, _NUMBER, _NUMBER),
    "tail_call": (_ADDRESS, _ADDRESS, _NUMBER),
    "lookup_unmarked": (_ADDRESS, _ADDRESS, _ADDRESS),
    "update_all": (_RESULT, _ADDRESS, _ADDRESS, _ADDRESS, _NUMBER, _NUMBER),
    "take": (_RESULT, _ADDRESS, _ADDRESS, _ADDRESS),
    "assign": (_NUMBER, _NUMBER, _NUMBER, _ADDRESS),
    "hold": (None,),
    "release": (None,),
}
"""Result and arguments of each operation; addresses may be given as bytes, too."""


class Storage:
    """An anonymous mapping of zeros, at one address until the last user is gone.

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

    Keys and values are bytes of exactly the map's sizes, or addresses: nothing is checked here.
    Results are an address (0: none) or a negative errno. Linked code and storage live as long as
    this object.
    """

    def __init__(
        self, code: NativeCode, symbol: str, storage: Storage, exports: tuple[str, ...]
    ) -> None:
        self.storage = storage  # the code holds its address
        self._functions: dict[str, Callable[..., Any]] = {}
        for name in exports:
            kind, *arguments = _SIGNATURES[name]
            self._functions[name] = code.function(f"{symbol}_{name}", kind, arguments)
        self._runtime = ctypes.create_string_buffer(abi.RUNTIME_BYTES)  # CPU 0
        self._rt = ctypes.addressof(self._runtime)
        addresses = [code.address(f"{symbol}_{op}") if op in exports else 0 for op in abi.TABLE]
        self._table = (ctypes.c_uint64 * len(abi.TABLE))(*addresses)

    @property
    def handle(self) -> int:
        """The address of the table of operations (``maps.abi``)."""
        return ctypes.addressof(self._table)

    def at(self, name: str, *arguments: int | bytes) -> int:
        """An operation as a program calls it, its runtime block's address first."""
        return self._functions[name](*arguments) or 0

    def call(self, name: str, *arguments: int | bytes) -> int:
        """An operation of user space, on CPU 0."""
        return self._functions[name](self._rt, *arguments) or 0

    def get(self, name: str, size: int, *arguments: bytes) -> tuple[int, bytes]:
        """:meth:`call` with room for a value behind the arguments: the result and the value."""
        value = ctypes.create_string_buffer(size)
        result = self._functions[name](self._rt, *arguments, ctypes.addressof(value))
        return int(result), bytes(value.raw)

    def assign(self, index: int, word: int, value: bytes) -> int:
        """Fill or empty a slot; the word that was there."""
        return int(self._functions["assign"](index, word, value))

    def lookup_at(self, rt: int, key: int) -> int:
        """As a program's call: addresses of its runtime block and key."""
        return self.at("lookup", rt, key)

    def update_at(self, rt: int, key: int, value: int, flags: int) -> int:
        """As a program's call."""
        return self.at("update", rt, key, value, flags)

    def delete_at(self, rt: int, key: int) -> int:
        """As a program's call."""
        return self.at("delete", rt, key)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep writers out for a moment."""
        self._functions["hold"]()
        try:
            yield
        finally:
            self._functions["release"]()
