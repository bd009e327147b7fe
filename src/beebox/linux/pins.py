"""Maps that outlive their process: a name in a BPF file system, made or found again by name."""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from beebox.errors import MapError, NotSupportedError, SyscallError
from beebox.linux import attrs
from beebox.linux.syscall import Bpf, Command, Fd, bpf
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapFlags, MapType

DEFAULT_ROOT: Final = Path("/sys/fs/bpf")
_INFO: Final = struct.Struct("=6I16sIIQQ4IQ")  # struct bpf_map_info
_NOT_THERE: Final = frozenset({errno.ENOENT, errno.EPERM, errno.EACCES})
"""What BPF_OBJ_PIN says of a folder that is missing or of another file system."""

_SET_BY_LINUX: Final = {
    MapType.DEVMAP: MapFlags.RDONLY_PROG,
    MapType.DEVMAP_HASH: MapFlags.RDONLY_PROG,
}
"""Flags that the kernel adds to a map of its own accord."""


@dataclass(frozen=True, slots=True)
class MapInfo:
    """What the kernel says of a map (``struct bpf_map_info``)."""

    type_id: int
    id: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    name: str
    kernel_value_type_id: int
    btf_id: int
    key_type_id: int
    value_type_id: int
    extra: int


def map_info(fd: int, door: Bpf = bpf) -> MapInfo:
    """The kernel's description of the map ``fd``."""
    attr = attrs.obj_get_info(fd, _INFO.size)
    door(Command.OBJ_GET_INFO_BY_FD, attr)
    row = _INFO.unpack(attr.buffers[8])
    name = row[6].partition(b"\0")[0].decode("ascii", "replace")
    kernel_value, btf, key, value, extra = (row[index] for index in (8, 11, 12, 13, 15))
    type_id, number, key_size, value_size, max_entries, flags = row[:6]
    return MapInfo(
        type_id,
        number,
        key_size,
        value_size,
        max_entries,
        flags,
        name,
        kernel_value,
        btf,
        key,
        value,
        extra,
    )


def path_of(root: Path, name: str) -> Path:
    """Where a map of that name is pinned: bpffs keeps names with dots for itself.

    Raises :exc:`MapError` for a name that would be a path out of, or below, ``root``.
    """
    if not name or "/" in name or "\0" in name:
        raise MapError("no map of this name can be pinned", map_name=name, errno=errno.EINVAL)
    return root / name.replace(".", "_")


def find_pinned(path: Path, spec: MapSpec, door: Bpf = bpf) -> Fd | None:
    """The map pinned at ``path``, None when there is none.

    Raises :exc:`MapError` when what is there is not such a map as ``spec`` wants.
    """
    try:
        found = Fd(door(Command.OBJ_GET, attrs.obj_get(str(path))), spec.name)
    except SyscallError as error:
        if error.errno == errno.ENOENT:
            return None
        raise SyscallError(f"{error.call} {path}", error.errno or 0) from None
    problem = _difference(spec, map_info(found.number, door))
    if problem:
        found.close()
        problem = f"{path} holds another map: {problem}"
        raise MapError(problem, map_name=spec.name, errno=errno.EINVAL)
    return found


def pin(path: Path, fd: int, door: Bpf = bpf) -> None:
    """Pin a map at ``path``, whose folder is made where only that is missing.

    Raises :exc:`NotSupportedError` where that is no BPF file system, or forbidden.
    """
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        door(Command.OBJ_PIN, attrs.obj_pin(str(path), fd))
    except OSError as error:
        if error.errno in _NOT_THERE:
            hint = f"is a BPF file system mounted there? mount -t bpf bpf {path.parent}"
            raise NotSupportedError(f"pinning {path} ({error.strerror})", hint=hint) from error
        raise SyscallError(f"bpf(OBJ_PIN) {path}", error.errno or 0) from None


def _difference(spec: MapSpec, info: MapInfo) -> str:
    ignored = int(_SET_BY_LINUX.get(spec.type, MapFlags.NONE))
    wanted = {
        "type": (spec.type.value.id, info.type_id),
        "key_size": (spec.key_size, info.key_size),
        "value_size": (spec.value_size, info.value_size),
        "max_entries": (spec.max_entries, info.max_entries),
        "flags": (int(spec.flags) | ignored, info.flags | ignored),
        "map_extra": (spec.extra, info.extra),
    }
    return ", ".join(
        f"{what} is {there}, not {asked}"
        for what, (asked, there) in wanted.items()
        if asked != there
    )
