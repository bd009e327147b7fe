"""What the machine's libbpf makes of an object when it opens it, for comparison with our reader."""

from __future__ import annotations

import ctypes
import ctypes.util
from dataclasses import dataclass

_SIZE = ctypes.c_size_t
_POINTER = ctypes.c_void_p


@dataclass(frozen=True)
class OpenedMap:
    """The getters' answers for one map; ``contents`` of data sections alone."""

    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    extra: int
    numa_node: int
    pinned: bool
    contents: bytes | None


@dataclass(frozen=True)
class OpenedProgram:
    """The getters' answers for one program."""

    section: str
    type: int
    attach_type: int
    autoload: bool
    insns: int


@dataclass(frozen=True)
class Opened:
    """An object that libbpf took."""

    maps: dict[str, OpenedMap]
    programs: dict[str, OpenedProgram]


class Libbpf:
    """The library by ctypes; None from :meth:`open` is a refusal, with its errno in ``errno``."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("bpf")
        if name is None:
            raise FileNotFoundError("libbpf")
        self._library = library = ctypes.CDLL(name, use_errno=True)
        library.libbpf_set_print.argtypes = [_POINTER]
        library.libbpf_set_print(None)
        library.bpf_object__open_mem.restype = _POINTER
        library.bpf_object__open_mem.argtypes = [ctypes.c_char_p, _SIZE, _POINTER]
        library.bpf_object__close.argtypes = [_POINTER]
        for kind in ("map", "program"):
            following = getattr(library, f"bpf_object__next_{kind}")
            following.restype = _POINTER
            following.argtypes = [_POINTER, _POINTER]
        self.errno = 0

    def _get(self, getter: str, of: int, result: type = ctypes.c_uint32):
        function = getattr(self._library, getter)
        function.restype = result
        function.argtypes = [_POINTER]
        return function(of)

    def _text(self, getter: str, of: int) -> str:
        return (self._get(getter, of, ctypes.c_char_p) or b"").decode()

    def open(self, data: bytes) -> Opened | None:
        """Open, look and close."""
        spec = self._library.bpf_object__open_mem(data, len(data), None)
        if not spec:
            self.errno = ctypes.get_errno()
            return None
        try:
            maps = {self._text("bpf_map__name", at): self._map(at) for at in self._all(spec, "map")}
            programs = {
                self._text("bpf_program__name", at): self._program(at)
                for at in self._all(spec, "program")
            }
            return Opened(maps, programs)
        finally:
            self._library.bpf_object__close(spec)

    def _all(self, spec: int, kind: str):
        at = None
        while at := getattr(self._library, f"bpf_object__next_{kind}")(spec, at):
            yield at

    def _map(self, at: int) -> OpenedMap:
        size = _SIZE()
        value = self._library.bpf_map__initial_value
        value.restype = _POINTER
        value.argtypes = [_POINTER, ctypes.POINTER(_SIZE)]
        start = value(at, ctypes.byref(size))
        return OpenedMap(
            type=self._get("bpf_map__type", at),
            key_size=self._get("bpf_map__key_size", at),
            value_size=self._get("bpf_map__value_size", at),
            max_entries=self._get("bpf_map__max_entries", at),
            flags=self._get("bpf_map__map_flags", at),
            extra=self._get("bpf_map__map_extra", at, ctypes.c_uint64),
            numa_node=self._get("bpf_map__numa_node", at),
            pinned=bool(self._text("bpf_map__pin_path", at)),
            contents=ctypes.string_at(start, size.value) if start else None,
        )

    def _program(self, at: int) -> OpenedProgram:
        return OpenedProgram(
            section=self._text("bpf_program__section_name", at),
            type=self._get("bpf_program__type", at),
            attach_type=self._get("bpf_program__expected_attach_type", at),
            autoload=bool(self._get("bpf_program__autoload", at)),
            insns=self._get("bpf_program__insn_cnt", at, _SIZE),
        )
