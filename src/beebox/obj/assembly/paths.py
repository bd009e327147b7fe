"""A CO-RE access path by names, for the comment behind ``@core(...)``: "sk_buff.dev.ifindex"."""

from __future__ import annotations

from beebox.btf.types import Array, Btf, Enum, Struct
from beebox.errors import BtfError
from beebox.obj.model import CoreRelocation
from beebox.tables.core_relocations import CoreKind

_ENUMERATORS = (CoreKind.ENUMVAL_EXISTS, CoreKind.ENUMVAL_VALUE)
_MOST_STEPS = 64


def path_text(btf: Btf, row: CoreRelocation) -> str:
    """The names that ``row.access`` counts to; "" where it makes no sense."""
    try:
        steps = [int(step) for step in row.access.split(":")]
        return _path(btf, row, steps)
    except (BtfError, ValueError, IndexError):
        return ""


def _path(btf: Btf, row: CoreRelocation, steps: list[int]) -> str:
    type_id, held = btf.resolve(row.type_id)
    if row.kind in _ENUMERATORS:
        return held.values[steps[0]][0] if isinstance(held, Enum) else ""
    if len(steps) < 2 or len(steps) > _MOST_STEPS:
        return ""
    shown = getattr(held, "name", "") + (f"[{steps[0]}]" if steps[0] else "")
    for step in steps[1:]:
        _, held = btf.resolve(type_id)
        match held:
            case Struct():
                member = held.members[step]
                shown += f".{member.name}" if member.name else ""
                type_id = member.type
            case Array():
                shown += f"[{step}]"
                type_id = held.type
            case _:
                return ""
    return shown
