"""Live maps as Python values, decoded by the object's BTF, for JSON and tables."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from beebox.backend import Map
from beebox.btf import values
from beebox.btf.types import Btf, Datasec
from beebox.errors import BtfError
from beebox.obj.maps import section_variables
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapType

if TYPE_CHECKING:
    from beebox.userspace.kernel import UserspaceCollection

_OF_OBJECTS: Final = frozenset({MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS, MapType.PROG_ARRAY})


def entries(
    live: Map, btf: Btf | None, *, names: Mapping[int, str] | None = None, readable: bool = False
) -> list[dict[str, Any]]:
    """Every element as ``{"key", "value"}``; a per-CPU value is the sum over the CPUs.

    Without BTF an integer-sized key or value is a little-endian number, any other hex text. A
    queue's or stack's keys count from what is next; a bloom filter has no elements to show.
    ``names`` are of the maps and programs that a map of such holds, by id. ``readable`` makes
    prefixes of an LPM trie's keys.
    """
    spec = live.spec
    if spec.type is MapType.BLOOM_FILTER:
        return []
    if spec.type in {MapType.QUEUE, MapType.STACK}:
        values_left = [value for _, value in live.lookup_batch()]
        return [
            {"key": place, "value": _decode(btf, spec.value_type_id, value)}
            for place, value in enumerate(values_left)
        ]
    if spec.type in _OF_OBJECTS:
        return [
            {"key": _decode(btf, spec.key_type_id, key), "value": _name(names or {}, value)}
            for key, value in sorted(live.lookup_batch())
        ]
    if spec.is_global_data:
        return [
            {"key": _decode(btf, 0, key), "value": _variables(btf, spec.name, value)}
            for key, value in live.lookup_batch()
        ]
    size = spec.value_size
    stride = (size + 7) // 8 * 8 if spec.type.value.per_cpu else size
    found = []
    for key, value in sorted(live.lookup_batch()):
        parts = [
            _decode(btf, spec.value_type_id, value[at : at + size])
            for at in range(0, len(value), stride)
        ]
        total = parts[0]
        for part in parts[1:]:
            total = _add(total, part)
        if readable and spec.type is MapType.LPM_TRIE:
            found.append({"key": prefix_text(key), "value": total})
        else:
            found.append({"key": _decode(btf, spec.key_type_id, key), "value": total})
    return found


def names_by_id(live: UserspaceCollection, holder: MapSpec) -> dict[int, str]:
    """The names of what a map of maps or programs may hold, by the ids that it gives."""
    held = live.programs if holder.type is MapType.PROG_ARRAY else live.maps
    return {each.id: name for name, each in held.items()}


def prefix_text(key: bytes) -> str:
    """An LPM trie's key as people write prefixes: 192.0.2.0/24, 2001:db8::/32, else hex."""
    length, address = int.from_bytes(key[:4], "little"), key[4:]
    if len(address) in {4, 16}:
        return f"{ipaddress.ip_address(address)}/{length}"
    return f"{address.hex()}/{length}"


def _name(names: Mapping[int, str], value: bytes) -> int | str:
    id_ = int.from_bytes(value[:4], "little")
    return names.get(id_, id_)


def is_zero(value: object) -> bool:
    """Whether a decoded value says nothing: an array's element that nobody wrote."""
    match value:
        case dict():
            return all(is_zero(part) for part in value.values())
        case list():
            return all(is_zero(part) for part in value)
        case str() if value.startswith("0x"):
            return not value.removeprefix("0x").strip("0")
        case _:
            return not value


def shown(value: object) -> str:
    """A decoded value in a table's cell."""
    match value:
        case dict():
            return " ".join(f"{name}={shown(part)}" for name, part in value.items())
        case list():
            return "[" + " ".join(shown(part) for part in value) + "]"
        case bytes():
            return value.hex()
        case _:
            return str(value)


def _decode(btf: Btf | None, type_id: int, data: bytes) -> Any:
    if btf is not None and type_id:
        try:
            return values.decode(btf, type_id, data)
        except BtfError:
            pass  # a type without values (void, a function): fall back to its bytes
    if len(data) in {1, 2, 4, 8}:
        return int.from_bytes(data, "little")
    return "0x" + data.hex()


def _variables(btf: Btf | None, section: str, data: bytes) -> Any:
    if btf is None or not any(isinstance(btf.type(i), Datasec) for i in btf.named(section)):
        return "0x" + data.hex()
    return {
        name: _decode(btf, place.type, data[place.offset : place.offset + place.size])
        for name, place in section_variables(btf, section).items()
    }


def _add(left: Any, right: Any) -> Any:
    """The sum of two decoded values, part by part; what is no number stays as the first CPU's."""
    match left, right:
        case (bool(), _) | (_, bool()):
            return left or right
        case (int() | float(), int() | float()):
            return left + right
        case (dict(), dict()):
            return {name: _add(part, right[name]) for name, part in left.items()}
        case (list(), list()):
            return [_add(a, b) for a, b in zip(left, right, strict=True)]
        case _:
            return left
