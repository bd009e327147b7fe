"""stub."""

from __future__ import annotations

from collections.abc import Sequence

from beebox.obj.elf import Elf
from beebox.obj.model import VarRange
from beebox.obj.relocations import Function


def read_variables(elf: Elf, functions: Sequence[Function]) -> dict[str, tuple[VarRange, ...]]:
    """Stub."""
    return {}
