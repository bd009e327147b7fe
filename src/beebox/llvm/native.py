"""Native objects linked into this process, and ways to call them.

One of the four doors to native code. An address is valid while anything that came from its
:class:`NativeCode` is alive: typed callers and methods keep the code they call, raw addresses do
not. Nothing here checks what the code does: only objects made from verified programs and from our
own runtime may come here.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import llvmlite.binding as llvm

from beebox.errors import InternalError
from beebox.llvm import host

METH_O: Final = 0x0008
_LOCK: Final = threading.Lock()
_NAMES: Final = itertools.count()  # ORC never forgets a library's name


class NativeCode:
    """One linked object; a context manager."""

    def __init__(self, tracker: Any, exports: Sequence[str]) -> None:
        self._tracker: Any = tracker  # ORC frees the code when the last reference goes
        self._addresses = {name: int(tracker[name]) for name in exports}

    def address(self, name: str) -> int:
        """The address of an exported symbol, valid until :meth:`close`."""
        if self._tracker is None:
            raise InternalError(f"{name} asked of native code after close")
        return self._addresses[name]

    def function(self, name: str, restype: Any, argtypes: Sequence[Any]) -> Callable[..., Any]:
        """A caller of an exported function, by ctypes types (None: no result).

        The GIL is released during the call. The caller keeps the code alive.
        """
        function = ctypes.CFUNCTYPE(restype, *argtypes)(self.address(name))
        function.keepalive = self._tracker  # type: ignore[attr-defined]  # ctypes instances take attributes
        return function

    def close(self) -> None:
        """Give the code up; its memory goes with the last caller."""
        self._tracker = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def link(obj: bytes, *, imports: Mapping[str, int], exports: Sequence[str]) -> NativeCode:
    """Load a relocatable object of :func:`beebox.llvm.worker.compile_native`.

    ``imports`` gives the address of each symbol that the object leaves open, apart from those of
    this process (libc, Python); ``exports`` names the symbols to be called. Raises
    :exc:`InternalError` when a symbol is missing or the object is not one.
    """
    library = llvm.JITLibraryBuilder().add_object_img(obj).add_current_process()
    for name, address in imports.items():
        library.import_symbol(name, address)
    for name in exports:
        library.export_symbol(name)
    with _LOCK:
        try:
            tracker = library.link(host.jit(), f"beebox-{next(_NAMES)}")
        except RuntimeError as error:
            raise InternalError(f"native code does not link: {error}") from error
    return NativeCode(tracker, exports)


class _MethodDef(ctypes.Structure):
    """``PyMethodDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("method", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_new_function = ctypes.pythonapi.PyCFunction_NewEx
_new_function.restype = ctypes.py_object
_new_function.argtypes = (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)


class _Self:
    """What a method gets as ``self``: everything that must live as long as the method."""

    def __init__(self, *alive: object) -> None:
        self.alive = alive


def method_o(address: int, name: str, keepalive: object) -> Callable[[Any], Any]:
    """A Python function of one argument over native code ``ptr f(ptr self, ptr arg)``.

    The code has the contract of a C method with METH_O: it holds the GIL, returns a new reference,
    or null with an exception set. ``keepalive`` (the :class:`NativeCode`) lives as long as the
    function.
    """
    tracker = keepalive._tracker if isinstance(keepalive, NativeCode) else None  # noqa: SLF001 -- this module's own
    definition = _MethodDef(name.encode(), address, METH_O, None)
    function: Callable[[Any], Any] = _new_function(
        ctypes.addressof(definition), _Self(definition, tracker, keepalive), None
    )
    return function
