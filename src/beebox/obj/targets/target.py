"""A target: the kernel that an object is relocated against. Read lazily, a part at a time."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Final

from beebox.btf import kernel
from beebox.btf.types import Btf
from beebox.errors import BtfError, InputError, ObjectError

_ELF_MAGIC: Final = b"\x7fELF"
_HEADER: Final = struct.Struct("<40xQ10xHHH")  # e_shoff, e_shentsize, e_shnum, e_shstrndx
_ROW: Final = struct.Struct("<I20xQQ24x")  # sh_name, sh_offset, sh_size
_CLASS_64: Final = 2
_ORDERS: Final = {1: "<", 2: ">"}
_SECTION: Final = b".BTF\0"
_MOST_BYTES: Final = 1 << 26
_MOST_FILE_BYTES: Final = 1 << 48


def _nothing() -> None:
    return None


def _empty() -> dict[str, str]:
    return {}


def _zero() -> int:
    return 0


@dataclass(frozen=True)
class Modules(Mapping[str, Btf]):
    """The split BTF of each module by name; one is read when it is asked for."""

    names: tuple[str, ...] = ()
    read: Callable[[str], Btf] = field(default=lambda name: {}[name])
    _read: dict[str, Btf] = field(default_factory=dict, repr=False)

    def __getitem__(self, name: str) -> Btf:
        if name not in self.names:
            raise KeyError(name)
        if name not in self._read:
            self._read[name] = self.read(name)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Target:
    """What a kernel is made of, as far as an object may ask for it.

    ``name`` is for messages. Each ``read_*`` is called once at most, when its part is needed:
    ``btf`` (None: there is none to read), ``modules``, ``config`` ("CONFIG_HZ" to "250", values as
    a ``.config`` writes them), ``version`` (as LINUX_VERSION_CODE; 0: unknown) and ``kallsyms``
    (addresses by name; several of one name are all there).
    """

    name: str
    read_btf: Callable[[], Btf | None] = _nothing
    read_modules: Callable[[], Mapping[str, Btf]] = Modules
    read_config: Callable[[], Mapping[str, str]] = _empty
    read_version: Callable[[], int] = _zero
    read_kallsyms: Callable[[], Mapping[str, tuple[int, ...]]] = dict

    @cached_property
    def btf(self) -> Btf | None:
        """The types of the kernel itself."""
        return self.read_btf()

    @cached_property
    def modules(self) -> Mapping[str, Btf]:
        """The types of its modules, behind its own."""
        return self.read_modules()

    @cached_property
    def config(self) -> Mapping[str, str]:
        """What it was built with."""
        return self.read_config()

    @cached_property
    def version(self) -> int:
        """``major << 16 | minor << 8 | patch``, the patch 255 at most; 0 when unknown."""
        return self.read_version()

    @cached_property
    def kallsyms(self) -> Mapping[str, tuple[int, ...]]:
        """Addresses of its symbols."""
        return self.read_kallsyms()


def target_of_btf(btf: Btf | None, name: str = "<btf>") -> Target:
    """A target of which only the types are known."""
    return Target(name, read_btf=lambda: btf)


def target_of_file(path: Path) -> Target:
    """The target that a raw BTF file, or an ELF file with a .BTF section, describes.

    Raises :exc:`InputError` or a class below it.
    """
    btf = read_btf_file(path)
    return target_of_btf(btf, str(path))


def read_btf_file(path: Path) -> Btf:
    """The types in a raw BTF file (as /sys/kernel/btf/vmlinux) or in an ELF file's .BTF.

    Raises :exc:`InputError` when it cannot be read, :exc:`BtfError` or :exc:`ObjectError` when it
    is malformed.
    """
    data = read_btf_bytes(path)
    try:
        return kernel.open_bytes(data)
    except BtfError as cause:
        raise cause.within(str(path)) from cause


def read_btf_bytes(path: Path) -> bytes:
    """The BTF in such a file, not looked into. Raises :exc:`InputError`, :exc:`ObjectError`.

    Of an ELF file only that section is read: a ``vmlinux`` with debug information may be large.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_HEADER.size)
            if data.startswith(_ELF_MAGIC):
                data = _section(stream, data, str(path))
            else:
                data += stream.read(_MOST_BYTES)
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        raise InputError(f"{path}: {reason}") from cause
    if len(data) > _MOST_BYTES:
        raise InputError(f"{path}: more than {_MOST_BYTES >> 20} MiB of types")
    return data


def _section(stream: IO[bytes], header: bytes, file: str) -> bytes:
    """The contents of the section .BTF of an ELF file, found without reading the rest."""
    if len(header) < _HEADER.size or header[4] != _CLASS_64 or header[5] not in _ORDERS:
        raise ObjectError("not a 64-bit ELF file", file=file)
    order = _ORDERS[header[5]]
    shoff, shentsize, shnum, shstrndx = struct.unpack(f"{order}{_HEADER.format[1:]}", header)
    if shentsize != _ROW.size or shstrndx >= shnum:
        raise ObjectError("no section table", file=file)
    table = _part(stream, shoff, shentsize * shnum, file)
    rows = list(struct.iter_unpack(f"{order}{_ROW.format[1:]}", table))
    _, at, size = rows[shstrndx]
    names = _part(stream, at, size, file)
    for name, at, size in rows:
        if names[name : name + len(_SECTION)] == _SECTION and size:
            return _part(stream, at, size, file)
    raise ObjectError("holds no BTF", file=file)


def _part(stream: IO[bytes], at: int, size: int, file: str) -> bytes:
    if size > _MOST_BYTES or at >= _MOST_FILE_BYTES:
        raise ObjectError("a section of an impossible size or place", file=file, offset=at)
    stream.seek(at)
    data = stream.read(size)
    if len(data) != size:
        raise ObjectError("cut short", file=file, offset=at)
    return data
