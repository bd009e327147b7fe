"""What the kernel says of loaded programs and maps, without what differs from load to load.

Two loaders that gave the kernel the same give equal :class:`Facts`: ids, addresses of the objects
themselves and descriptors are replaced by names.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from beebox.linux import attrs
from beebox.linux.pins import map_info
from beebox.linux.syscall import Attr, Command, Fd, bpf

_PROGRAM_INFO_BYTES = 232  # struct bpf_prog_info up to attach_btf_id
_LOAD_IMM64 = 0x18
_PSEUDO_MAP_FD, _PSEUDO_MAP_VALUE = 1, 2
_KERNEL_HEAP = range(0xFFFF_8000_0000_0000, 0xFFFF_FFFF_8000_0000)


@dataclass(frozen=True)
class MapFacts:
    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    extra: int
    has_types: bool
    key_type_id: int
    value_type_id: int
    kernel_value_type_id: int
    frozen: bool


@dataclass(frozen=True)
class ProgramFacts:
    name: str
    type: int
    tag: str
    attach_btf_id: int
    has_types: bool
    functions: int  # func_info records
    lines: int  # line_info records
    insns: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    programs: Mapping[str, ProgramFacts]
    maps: tuple[MapFacts, ...]  # sorted


def facts_of(programs: Mapping[str, int], maps: Sequence[int]) -> Facts:
    """Of descriptors of programs, by name, and of maps."""
    known = {info.id: info.name for info in map(map_info, maps)}
    rows = sorted(map(map_facts, maps), key=repr)
    found = {name: program_facts(fd, known) for name, fd in programs.items()}
    return Facts(dict(sorted(found.items())), tuple(rows))


def map_facts(fd: int) -> MapFacts:
    info = map_info(fd)
    shown = Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="ascii")
    fields = dict(line.split(":", 1) for line in shown.splitlines() if ":" in line)
    return MapFacts(
        info.name,
        info.type_id,
        info.key_size,
        info.value_size,
        info.max_entries,
        info.flags,
        info.extra,
        info.btf_id != 0,
        info.key_type_id,
        info.value_type_id,
        info.kernel_value_type_id,
        fields["frozen"].strip() == "1",
    )


def program_facts(fd: int, maps: Mapping[int, str]) -> ProgramFacts:
    """``maps`` are the names by which its maps are known, by id."""
    first = attrs.obj_get_info(fd, _PROGRAM_INFO_BYTES)
    bpf(Command.OBJ_GET_INFO_BY_FD, first)
    size = struct.unpack_from("=I", first.buffers[8], 20)[0]
    info = bytearray(_PROGRAM_INFO_BYTES)
    struct.pack_into("=I", info, 20, size)
    code = bytearray(size)
    attr = Attr(bytearray(16), {8: info}, {(8, 32): code})
    struct.pack_into("=II", attr.data, 0, fd, len(info))
    bpf(Command.OBJ_GET_INFO_BY_FD, attr)
    number = {name: struct.unpack_from("=I", info, at)[0] for name, at in _NUMBERS.items()}
    return ProgramFacts(
        bytes(info[64:80]).partition(b"\0")[0].decode(),
        number["type"],
        info[8:16].hex(),
        number["attach_btf_id"],
        number["btf_id"] != 0,
        number["functions"],
        number["lines"],
        tuple(_insns(bytes(code), maps)),
    )


_NUMBERS = {"type": 0, "btf_id": 128, "functions": 144, "lines": 148, "attach_btf_id": 224}


def _insns(code: bytes, maps: Mapping[int, str]) -> Iterator[str]:
    """One text per instruction: its bytes, with names where this load's own numbers stand."""
    at = 0
    while at < len(code):
        insn = code[at : at + 8]
        at += 8
        if insn[0] != _LOAD_IMM64:
            yield insn.hex()
            continue
        second = code[at : at + 8]
        at += 8
        source = insn[1] >> 4
        low, high = int.from_bytes(insn[4:], "little"), int.from_bytes(second[4:], "little")
        head = insn[:2].hex()
        if source in {_PSEUDO_MAP_FD, _PSEUDO_MAP_VALUE}:
            yield f"{head} map {maps[low]}+{high}"
        elif low | high << 32 in _KERNEL_HEAP:
            yield f"{head} heap"
        else:
            yield f"{head} {low | high << 32:#x}"


@contextmanager
def pinned(folder: Path) -> Iterator[dict[str, int]]:
    """Descriptors of everything that is pinned in ``folder``, by name; none where it is missing."""
    files = sorted(folder.iterdir()) if folder.exists() else []
    fds = {
        file.name: Fd(bpf(Command.OBJ_GET, attrs.obj_get(str(file))), file.name) for file in files
    }
    try:
        yield {name: fd.number for name, fd in fds.items()}
    finally:
        for fd in fds.values():
            fd.close()


def unpin(folder: Path) -> None:
    """Take away a folder of pins, if there is one."""
    if not folder.exists():
        return
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
