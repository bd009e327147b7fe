"""Live maps as Python values, decoded by the object's BTF, for JSON and tables."""

from __future__ import annotations

from typing import Any

from beebox.backend import Map
from beebox.btf import values
from beebox.btf.types import Btf, Datasec
from beebox.errors import BtfError
from beebox.obj.maps import section_variables


def entries(live: Map, btf: Btf | None) -> list[dict[str, Any]]:
    """Every element as ``{"key", "value"}``; a per-CPU value is the sum over the CPUs.

    Without BTF an integer-sized key or value is a little-endian number, any other hex text.
    """
    spec = live.spec
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
        found.append({"key": _decode(btf, spec.key_type_id, key), "value": total})
    return found


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
