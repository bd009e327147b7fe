"""Whether two objects are the same but for how their types are numbered."""

from __future__ import annotations

from dataclasses import fields, replace

from beebox.btf.decode import references
from beebox.btf.types import Array, Btf, Datasec, DeclTag, Type
from beebox.obj.model import CoreRelocation, FunctionSpec, MapSpec, ObjectSpec, VarRange

_ID_FIELDS = {"type", "index_type"}


class SameTypes:
    """Compares type graphs from pairs of ids on; a pair under way counts as equal."""

    def __init__(self, left: Btf | None, right: Btf | None) -> None:
        self.left, self.right = left or Btf(), right or Btf()
        self.tags = _tags(self.left), _tags(self.right)

    def check(self, left: int, right: int, where: str) -> None:
        """Assert that both ids mean the same."""
        seen: set[tuple[int, int]] = set()
        queue = [(left, right)]
        while queue:
            pair = queue.pop()
            if pair in seen:
                continue
            seen.add(pair)
            rows = self.left.type(pair[0]), self.right.type(pair[1])
            assert _shape(rows[0]) == _shape(rows[1]), where
            assert self.tags[0].get(pair[0]) == self.tags[1].get(pair[1]), where
            if rows[0] is not None and rows[1] is not None:
                queue += zip(_targets(rows[0]), _targets(rows[1]), strict=True)


def _tags(btf: Btf) -> dict[int, list[tuple[str, int, bool]]]:
    found: dict[int, list[tuple[str, int, bool]]] = {}
    for row in btf.types:
        if isinstance(row, DeclTag):
            found.setdefault(row.type, []).append((row.name, row.component, row.attribute))
    return {type_id: sorted(rows) for type_id, rows in found.items()}


def _targets(row: Type) -> tuple[int, ...]:
    return (row.type,) if isinstance(row, Array) else references(row)


def _shape(row: Type | None) -> object:
    """``row`` without ids."""
    if row is None:
        return None
    out: list[object] = [type(row)]
    for field in fields(row):
        value = getattr(row, field.name)
        if isinstance(value, tuple):
            value = [
                item if isinstance(item, tuple) else replace(item, type=0)  # type: ignore[type-var]
                for item in value
            ]
        if field.name not in _ID_FIELDS:
            out.append(value)
    return out


def assert_same_object(left: ObjectSpec, right: ObjectSpec, *, lines: bool = True) -> None:
    """Assert that ``right`` is ``left`` with its types renumbered."""
    types = SameTypes(left.btf, right.btf)
    assert (left.license, left.version) == (right.license, right.version)
    assert list(left.functions) == list(right.functions)
    assert left.externs.keys() == right.externs.keys()
    for name, mine in left.functions.items():
        other = right.functions[name]
        assert _plain_function(mine, lines) == _plain_function(other, lines), name
        types.check(mine.type_id, other.type_id, name)
        for a, b in zip(mine.core, other.core, strict=True):
            types.check(a.type_id, b.type_id, f"{name}: {a}")
    for name, extern in left.externs.items():
        assert replace(extern, type_id=0) == replace(right.externs[name], type_id=0)
        types.check(extern.type_id, right.externs[name].type_id, name)
    assert left.maps.keys() == right.maps.keys()
    for name, row in left.maps.items():
        _same_map(row, right.maps[name], types)


def _plain_function(row: FunctionSpec, lines: bool) -> FunctionSpec:
    core = tuple(CoreRelocation(item.pc, item.kind, 0, item.access) for item in row.core)
    variables = tuple(sorted(_living(row), key=str))
    shown = row.lines if lines else ()
    return replace(row, type_id=0, core=core, variables=variables, lines=shown)


def _living(row: FunctionSpec) -> list[VarRange]:
    """Which variable lives where at each pc, as ranges of one pc."""
    return [
        replace(var, start=pc, end=pc + 1)
        for var in set(row.variables)
        for pc in range(var.start, var.end)
    ]


def _same_map(left: MapSpec, right: MapSpec, types: SameTypes) -> None:
    plain = [
        replace(row, key_type_id=0, value_type_id=0, inner=None, slots=()) for row in (left, right)
    ]
    assert plain[0] == plain[1]
    assert sorted(left.slots) == sorted(right.slots)
    types.check(left.key_type_id, right.key_type_id, left.name)
    if not isinstance(types.left.type(left.value_type_id), Datasec) or (
        left.contents is not None and right.value_type_id
    ):
        types.check(left.value_type_id, right.value_type_id, left.name)
    assert (left.inner is None) == (right.inner is None)
    if left.inner is not None and right.inner is not None:
        _same_map(left.inner, right.inner, types)
