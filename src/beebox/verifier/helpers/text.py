"""Constant strings: what helpers are told when a program is loaded, not when it runs."""

from __future__ import annotations

import re
from typing import Final

from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapType
from beebox.verifier.accesses import memory
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.states.value import Reg

_END: Final = rb"(?=\Z|[\t-\r !-/:-@\[-`{-~])"  # the kernel's isspace() and ispunct(), or NUL
_SPECIFIER: Final = re.compile(
    rb"%[0+\- ]*(?:[1-9][0-9]*)?(?:p(?:[KxsSB]|[iI][46]|[ku]s" + _END + rb"|" + _END + rb")"
    rb"|s" + _END + rb"|c|l?l?[iduxX])"
)
_PRINTABLE: Final = re.compile(rb"[\t-\r -~]*")


def check_constant(path: Path, number: int, value: Reg) -> None:
    """A pointer to a NUL-terminated string that nothing can change after load."""
    spec = path.map_spec(value.map)
    if not memory.is_read_only(spec) or not spec.frozen or spec.contents is None:
        text, kernel = "is not in read-only data", f"R{number} does not point to a readonly map'"
    elif not value.scalar.is_const:
        text, kernel = "has no constant address", f"R{number} is not a constant address'"
    elif spec.type is not MapType.ARRAY:
        text = f"is in a {spec.type.value.name} map"
        kernel = "no direct value access support for this map type"
    elif memory.constants(path, value) is None:
        text, kernel = "is in an inner map", f"R{number} does not point to a readonly map'"
    else:
        size = spec.value_size - value.off
        memory.check_region(path, value, number, 0, size, write=False)
        if b"\0" in _bytes(spec, value):
            return
        text, kernel = "has no NUL at its end", "string is not zero-terminated"
    raise Refusal(
        "constant-string", path.pc, f"the string in argument {number} {text}",
        kernel=kernel, values=(value,), reg=number,
    )  # fmt: skip


def check_snprintf(path: Path, format_: Reg, size: Reg) -> None:
    """The format of ``bpf_snprintf``, and that its data are as many numbers as it asks for."""
    data = _bytes(path.map_spec(format_.map), format_).partition(b"\0")[0]
    if size.scalar.value % 8:
        raise Refusal(
            "argument-size", path.pc, "the data of bpf_snprintf must be an array of u64",
            values=(size,), reg=5,
        )  # fmt: skip
    asked = _specifiers(data)
    if asked is None or asked > size.scalar.value // 8:
        text = "asks for more values than there are" if asked else "is not a valid format"
        raise Refusal(
            "constant-string", path.pc, f"the string {data!r} {text}",
            kernel="Invalid format string", values=(format_, size), reg=3,
        )  # fmt: skip


def _bytes(spec: MapSpec, value: Reg) -> bytes:
    return (spec.contents or b"")[value.off + value.scalar.smin :]


def _specifiers(data: bytes) -> int | None:
    """How many values a format prints; None when it is not valid."""
    if not _PRINTABLE.fullmatch(data):
        return None
    count = at = 0
    while (at := data.find(b"%", at)) >= 0:
        if data[at + 1 : at + 2] == b"%":
            at += 2
            continue
        match = _SPECIFIER.match(data, at)
        if match is None:
            return None
        count += 1
        at = match.end()
    return count
