"""Which function of a program decides what it returns after an exception."""

from __future__ import annotations

from typing import Final

from beebox.btf.types import DeclTag, Func
from beebox.obj.model import ProgramSpec

_TAG: Final = "exception_callback:"


def callback(spec: ProgramSpec) -> int | None:
    """Where the program's exception callback begins; None where it has none."""
    for name in names(spec):
        for info in spec.functions:
            row = spec.btf.type(info.type_id) if spec.btf is not None and info.type_id else None
            if info.pc and isinstance(row, Func) and row.name == name:
                return info.pc
    return None


def names(spec: ProgramSpec) -> tuple[str, ...]:
    """What the tags of the program's first function call its exception callback: one, mostly."""
    btf = spec.btf
    main = next((info.type_id for info in spec.functions if info.pc == 0), 0)
    if btf is None or not main:
        return ()
    return tuple(
        tag.name.removeprefix(_TAG)
        for tag in map(btf.type, btf.prefixed(_TAG))
        if isinstance(tag, DeclTag) and (tag.type, tag.component) == (main, -1)
    )
