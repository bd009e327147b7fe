"""Rules for values that are more than bytes: inner maps, programs, targets of redirections."""

from __future__ import annotations

from typing import Final

from beebox.maps.objects import Callee, Inner, Objects
from beebox.obj.map_rules import fits_template
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapType, UpdateFlags

E2BIG: Final = 7
EEXIST: Final = 17
ENODEV: Final = 19
EINVAL: Final = 22
EOVERFLOW: Final = 75

MAX_QUEUE_FRAMES: Final = 16384  # qsize of a cpumap's value

_OBJECTS: Final = frozenset({MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS, MapType.PROG_ARRAY})
_TARGETS: Final = frozenset({MapType.DEVMAP, MapType.DEVMAP_HASH, MapType.CPUMAP, MapType.XSKMAP})


def holds_objects(kind: MapType) -> bool:
    """Whether values are maps or programs."""
    return kind in _OBJECTS


def is_target(kind: MapType) -> bool:
    """Whether values say where packets go."""
    return kind in _TARGETS


def accepts(spec: MapSpec, held: Inner | Callee, objects: Objects) -> bool:
    """Whether a map or program may be put in: like the template, like the programs before it."""
    if isinstance(held, Inner):
        return spec.inner is not None and fits_template(spec.inner, held.spec)
    if spec.type is not MapType.PROG_ARRAY:
        return False
    return owns(objects, held.compatibility)


def owns(objects: Objects, compatibility: tuple[str, ...]) -> bool:
    """Whether such programs may be in a prog array or use it; the first one decides."""
    if objects.owner is None:
        objects.owner = compatibility
    return objects.owner == compatibility


def is_present(kind: MapType, value: bytes) -> bool:
    """Whether a slot with this value has a target: no device and no queue empty it."""
    return kind is MapType.XSKMAP or any(value[:4])


def target_refusal(spec: MapSpec, key: int, value: bytes, flags: int, cpus: int) -> int:
    """Why an update cannot be, as a positive errno in Linux's order of checks; 0 when it can.

    Devices and sockets are numbers here: any is there. A program in a value is refused.
    """
    program = int.from_bytes(value[4:8], "little", signed=True) > 0
    first = int.from_bytes(value[:4], "little")
    if flags > UpdateFlags.EXIST:
        return EINVAL
    if spec.type is MapType.DEVMAP_HASH:
        return EINVAL if first == 0 or program else 0
    if key >= spec.max_entries:
        return E2BIG
    if flags == UpdateFlags.NOEXIST and spec.type is not MapType.XSKMAP:
        return EEXIST
    if spec.type is MapType.CPUMAP:
        if first > MAX_QUEUE_FRAMES:
            return EOVERFLOW
        if key >= cpus:
            return ENODEV
    return EINVAL if program else 0
