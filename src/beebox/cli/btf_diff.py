"""``beebox btf diff``: which types of two kernels or objects differ, and in what."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any, Final, assert_never

import click

from beebox.btf.diff import (
    Added,
    Change,
    Changed,
    Difference,
    Field,
    FieldAdded,
    FieldMoved,
    FieldRemoved,
    FieldRenamed,
    FieldRetyped,
    Removed,
    Resized,
    Retyped,
    ValueAdded,
    ValueChanged,
    ValueRemoved,
    diff,
)
from beebox.cli.btf import open_types
from beebox.cli.output import current, example, global_options
from beebox.errors import InputError

_CAPITAL: Final = re.compile(r"(?<=.)(?=[A-Z])")


@click.command(
    "diff",
    short_help="What differs between the types of two files.",
    epilog=example(
        "beebox btf diff vmlinux-5.15.btf kernel",
        "beebox btf diff old.o new.o",
        "beebox btf diff -j vmlinux-5.15.btf vmlinux-6.1.btf task_struct sk_buff",
    ),
)
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.argument("names", metavar="[NAME...]", nargs=-1)
@global_options
def diff_command(before: str, after: str, names: tuple[str, ...]) -> int:
    """Compare the types of A and B by name, or only those called NAME.

    A and B are sources, objects, bare BTF files, or kernel for the running one. Ids, order and
    duplicates do not count. Exit status 1 when anything differs.
    """
    output = current()
    old, new = open_types(before), open_types(after)
    for name in names:
        if not (old.named(name) or new.named(name)):
            raise InputError(f"neither {before} nor {after} has a type called {name!r}")
    found = diff(old, new)
    if names:
        found = tuple(each for each in found if each.name in names)
    if output.json:
        output.data(
            {
                "before": before,
                "after": after,
                "added": [_named(each) for each in found if isinstance(each, Added)],
                "removed": [_named(each) for each in found if isinstance(each, Removed)],
                "changed": [
                    {**_named(each), "changes": [_data(change) for change in each.changes]}
                    for each in found
                    if isinstance(each, Changed)
                ],
            }
        )
    else:
        for each in found:
            for line in _lines(each):
                output.text(_printable(line))
        output.status(_summary(found))
    return 1 if found else 0


def _named(each: Difference) -> dict[str, str]:
    return {"kind": each.kind, "name": each.name}


def _data(change: Change) -> dict[str, Any]:
    """``{"change": "field_moved", ...}`` with the fields of the change, a member's among them."""
    word = _CAPITAL.sub("_", type(change).__name__).lower()
    match change:
        case FieldAdded(field) | FieldRemoved(field):
            return {"change": word, **asdict(field)}
        case _:
            return {"change": word, **asdict(change)}


def _summary(found: tuple[Difference, ...]) -> str:
    if not found:
        return "no differences"
    counts = [
        (sum(isinstance(each, kind) for each in found), word)
        for kind, word in ((Added, "added"), (Removed, "removed"), (Changed, "changed"))
    ]
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def _lines(each: Difference) -> list[str]:
    match each:
        case Added(kind, name):
            return [f"+ {kind} {name}"]
        case Removed(kind, name):
            return [f"- {kind} {name}"]
        case Changed(kind, name, changes):
            return [f"~ {kind} {name}", *(f"    {_line(change)}" for change in changes)]
        case _ as unreachable:
            assert_never(unreachable)


def _line(change: Change) -> str:
    match change:
        case Resized(before, after):
            return f"~ size {before} -> {after} bytes"
        case Retyped(before, after):
            return f"~ {before} -> {after}"
        case FieldAdded(field):
            return f"+ {_member(field)}"
        case FieldRemoved(field):
            return f"- {_member(field)}"
        case FieldRenamed(before, after):
            return f"~ {before} is called {after}"
        case FieldMoved(path, before, after):
            return f"~ {path} moves from {_place(before)} to {_place(after)}"
        case FieldRetyped(path, before, after):
            return f"~ {path}: {before} -> {after}"
        case ValueAdded(name, value):
            return f"+ {name} = {value}"
        case ValueRemoved(name, value):
            return f"- {name} = {value}"
        case ValueChanged(name, before, after):
            return f"~ {name} = {before} -> {after}"
        case _ as unreachable:
            assert_never(unreachable)


def _member(field: Field) -> str:
    return f"{field.path}: {field.type} at {_place(field.bit_offset)}"


def _place(bits: int) -> str:
    return f"byte {bits // 8}" + (f", bit {bits % 8}" if bits % 8 else "")


def _printable(line: str) -> str:
    return line if line.isprintable() else line.encode("unicode_escape").decode()
