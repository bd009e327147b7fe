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


class _Slot(ctypes.Structure):
    """``PyType_Slot``."""

    _fields_ = (("slot", ctypes.c_int), ("pfunc", ctypes.c_void_p))


class _TypeSpec(ctypes.Structure):
    """``PyType_Spec``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("basicsize", ctypes.c_int),
        ("itemsize", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("slots", ctypes.c_void_p),
    )


class _MemberDef(ctypes.Structure):
    """``PyMemberDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("offset", ctypes.c_ssize_t),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_POINTER_BYTES: Final = ctypes.sizeof(ctypes.c_void_p)
_TPFLAGS: Final = 1 << 18 | 1 << 11  # Py_TPFLAGS_DEFAULT, Py_TPFLAGS_HAVE_VECTORCALL
_TP_MEMBERS: Final = 72  # Py_tp_members
_T_PYSSIZET: Final = 19
_READONLY: Final = 1

_type_from_spec = ctypes.pythonapi.PyType_FromSpecWithBases
_type_from_spec.restype = ctypes.py_object
_type_from_spec.argtypes = (ctypes.c_void_p, ctypes.py_object)


class Callables:
    """A subclass of ``base`` whose instances may be called through native code (PEP 590).

    ``base`` has ``__slots__`` and ``__call__``, which is what calls reach while an instance has no
    code. The code is ``ptr f(ptr self, ptr args, size nargsf, ptr kwnames)``: it holds the GIL and
    returns a new reference, or null with an exception set.
    """

    def __init__(self, base: type) -> None:
        self._offset = base.__basicsize__
        name = f"{base.__module__}.{base.__qualname__}".encode()
        place = _MemberDef(b"__vectorcalloffset__", _T_PYSSIZET, self._offset, _READONLY, None)
        self._members = (_MemberDef * 2)(place)
        self._slots = (_Slot * 2)(_Slot(_TP_MEMBERS, ctypes.addressof(self._members)))
        size = self._offset + _POINTER_BYTES
        spec = _TypeSpec(name, size, 0, _TPFLAGS, ctypes.addressof(self._slots))
        self.type: Any = _type_from_spec(ctypes.addressof(spec), (base,))

    def set(self, instance: object, address: int | None) -> None:
        """From now on calls of ``instance`` go to native code (None: to ``__call__``).

        The caller keeps the code alive for as long.
        """
        if type(instance) is not self.type:
            raise InternalError(f"{type(instance)} is not callable through native code")
        ctypes.c_void_p.from_address(id(instance) + self._offset).value = address
