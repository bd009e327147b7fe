"""libbpf through ctypes: the same object, the same target, what its instructions become."""

from __future__ import annotations

import ctypes
import ctypes.util
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

_Print = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_WARN = 0


class _OpenOptions(ctypes.Structure):
    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("object_name", ctypes.c_char_p),
        ("relaxed_maps", ctypes.c_bool),
        ("pin_root_path", ctypes.c_char_p),
        ("removed", ctypes.c_uint32),
        ("kconfig", ctypes.c_char_p),
        ("btf_custom_path", ctypes.c_char_p),
        ("kernel_log_buf", ctypes.c_char_p),
        ("kernel_log_size", ctypes.c_size_t),
        ("kernel_log_level", ctypes.c_uint32),
    )


@dataclass
class Loaded:
    """What libbpf made of an object: instructions by program, whether the kernel took them all.

    ``data`` has the first contents of global data by section.
    """

    code: dict[str, bytes]
    accepted: bool
    warnings: list[str] = field(default_factory=list)
    data: dict[str, bytes] = field(default_factory=dict)

    @property
    def relocated(self) -> bool:
        """Whether libbpf got past relocation (the kernel may still have said no)."""
        stops = ("failed to perform CO-RE relocations", "(strong): not resolved", "is ambiguous")
        return not any(stop in line for line in self.warnings for stop in stops)


@cache
def _library() -> ctypes.CDLL:
    name = ctypes.util.find_library("bpf")
    if name is None:
        pytest.skip("libbpf not found")
    library = ctypes.CDLL(name, use_errno=True)
    for function in ("bpf_object__open_mem", "bpf_object__next_program", "bpf_program__name",
                     "bpf_program__insns", "bpf_object__next_map", "bpf_map__name",
                     "bpf_map__initial_value"):  # fmt: skip
        getattr(library, function).restype = ctypes.c_void_p
    library.bpf_program__insn_cnt.restype = ctypes.c_size_t
    library.bpf_object__open_mem.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
    for function in ("bpf_object__next_program", "bpf_object__next_map", "bpf_map__initial_value"):
        getattr(library, function).argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.bpf_map__name.argtypes = [ctypes.c_void_p]
    for function in ("bpf_object__load", "bpf_object__close", "bpf_program__name",
                     "bpf_program__insns", "bpf_program__insn_cnt"):  # fmt: skip
        getattr(library, function).argtypes = [ctypes.c_void_p]
    return library


def load(data: bytes, *, btf: Path | None = None, kconfig: str | None = None) -> Loaded:
    """Open and load ``data`` against the types in ``btf`` (the running kernel's by default)."""
    library = _library()
    libc = ctypes.CDLL(None)
    warnings: list[str] = []

    def heard(level: int, text: int, arguments: int) -> int:
        if level == _WARN:
            buffer = ctypes.create_string_buffer(4096)
            libc.vsnprintf(buffer, len(buffer), ctypes.c_void_p(text), ctypes.c_void_p(arguments))
            warnings.append(buffer.value.decode(errors="replace").rstrip())
        return 0

    heard_c = _Print(heard)
    library.libbpf_set_print(heard_c)
    options = _OpenOptions(
        sz=ctypes.sizeof(_OpenOptions),
        object_name=b"tested",
        btf_custom_path=str(btf).encode() if btf is not None else None,
        kconfig=kconfig.encode() if kconfig is not None else None,
    )
    opened = library.bpf_object__open_mem(data, len(data), ctypes.byref(options))
    try:
        assert opened, warnings
        accepted = library.bpf_object__load(opened) == 0
        code: dict[str, bytes] = {}
        program = library.bpf_object__next_program(opened, None)
        while program:
            name = ctypes.string_at(library.bpf_program__name(program)).decode()
            size = 8 * library.bpf_program__insn_cnt(program)
            code[name] = ctypes.string_at(library.bpf_program__insns(program), size)
            program = library.bpf_object__next_program(opened, program)
        return Loaded(code, accepted, warnings, _data(library, opened))
    finally:
        if opened:
            library.bpf_object__close(opened)
        library.libbpf_set_print(None)


def find_attach_point(name: str, attach_type: int) -> int:
    """The running kernel's BTF id of a program's attach point; negative: there is none."""
    found: int = _library().libbpf_find_vmlinux_btf_id(name.encode(), attach_type)
    return found


def _data(library: ctypes.CDLL, opened: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    row = library.bpf_object__next_map(opened, None)
    while row:
        name = ctypes.string_at(library.bpf_map__name(row)).decode()
        size = ctypes.c_size_t()
        start = library.bpf_map__initial_value(row, ctypes.byref(size))
        if start:
            found["." + name.partition(".")[2]] = ctypes.string_at(start, size.value)
        row = library.bpf_object__next_map(opened, row)
    return found
