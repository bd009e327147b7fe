"""Values of the kernel's build that an object declares (``extern int CONFIG_HZ __kconfig``).

They become a read-only map ``.kconfig``, laid out as libbpf lays it out, and their uses plain
references into it, so that verifiers know them as constants. Source: libbpf's rules for
``__kconfig`` externs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum as Choice
from typing import Final

from beebox.btf.types import Array, Btf, Enum, Int, Ptr
from beebox.btf.wire import ByteOrder
from beebox.errors import BtfError, ObjectError, TargetError
from beebox.obj.maps import section_id
from beebox.obj.model import ExternKind, ExternSpec, KconfigPlace, MapSpec, ObjectSpec
from beebox.obj.targets.target import Target
from beebox.tables.map_types import MapFlags, MapType

SECTION: Final = ".kconfig"
_TRISTATE: Final = "libbpf_tristate"
_LETTERS: Final = {"n": 0, "y": 1, "m": 2}  # enum libbpf_tristate
_WRAPPED: Final = ("__x64_sys_bpf", "__arm64_sys_bpf", "__s390x_sys_bpf", "__riscv_sys_bpf")
_NUMBER: Final = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|[0-9]+)")
_MOST_BYTES: Final = 1 << 20  # of all values; the longest texts of a configuration have hundreds
_GET_COOKIE: Final = "BPF_FUNC_get_attach_cookie"
_HELPERS: Final = "bpf_func_id"


class _Form(Choice):
    """What a declared type can hold of a ``.config``."""

    BOOL = "bool"
    TRISTATE = "tristate"
    CHAR = "char"
    INT = "int"
    TEXT = "string"


@dataclass(frozen=True, slots=True)
class _Variable:
    spec: ExternSpec
    form: _Form
    size: int
    alignment: int
    signed: bool
    order: ByteOrder


def resolve_kconfig(
    spec: ObjectSpec, target: Target, symbols: Target, wanted: frozenset[str]
) -> tuple[dict[str, ExternSpec], MapSpec]:
    """The externs with their places, and the map ``.kconfig``.

    Values and version are the target's; what the kernel can do is asked of ``symbols``.

    All declared values have their place; those in ``wanted`` must be there unless they are weak,
    which makes them 0. Raises :exc:`TargetError` for one that is not, or does not fit its type;
    :exc:`ObjectError` for a type that no value has.
    """
    placed: dict[str, ExternSpec] = {}
    contents = bytearray()
    rows = [row for row in spec.externs.values() if row.kind is ExternKind.KCONFIG]
    for variable in sorted(
        (_variable(spec, row) for row in rows),
        key=lambda row: (-row.alignment, row.size, row.spec.name),
    ):
        contents += bytes(-len(contents) % variable.alignment)
        name = variable.spec.name
        if len(contents) + variable.size > _MOST_BYTES:
            problem = f"{name}: values of more than {_MOST_BYTES} bytes"
            raise ObjectError(problem, file=spec.file, section=SECTION)
        place = KconfigPlace(len(contents), variable.size)
        placed[name] = replace(variable.spec, resolved=place)
        value = bytes(variable.size)
        if name in wanted:
            value = _value(variable, spec, target, symbols)
        contents += value
    map_spec = MapSpec(
        SECTION,
        MapType.ARRAY,
        key_size=4,
        value_size=len(contents),
        max_entries=1,
        flags=MapFlags.RDONLY_PROG,
        value_type_id=section_id(spec.btf, SECTION) if spec.btf else 0,
        contents=bytes(contents),
        frozen=True,
    )
    return placed, map_spec


def _variable(spec: ObjectSpec, row: ExternSpec) -> _Variable:
    btf = spec.btf
    if btf is None:
        raise ObjectError(f"{row.name} has no type", file=spec.file, section=SECTION)
    try:
        form, signed = _form(btf, row.type_id)
        return _Variable(
            row,
            form,
            btf.size_of(row.type_id),
            _alignment(btf, row.type_id),
            signed,
            spec.byte_order,
        )
    except BtfError as error:
        problem = f"{row.name}: {error}"
        raise ObjectError(problem, file=spec.file, section=SECTION) from None


def _form(btf: Btf, type_id: int) -> tuple[_Form, bool]:
    type_id, row = btf.resolve(type_id)
    match row:
        case Int(size=1, boolean=True):
            return _Form.BOOL, False
        case Int(size=1):
            return _Form.CHAR, row.signed
        case Int(size=2 | 4 | 8, boolean=False):
            return _Form.INT, row.signed
        case Enum(name=name, size=4) if name == _TRISTATE:
            return _Form.TRISTATE, False
        case Array(count=count) if count and _is_char(btf, row.type):
            return _Form.TEXT, False
        case _:
            raise BtfError("no value of the kernel's build has this type", type_id=type_id)


def _is_char(btf: Btf, type_id: int) -> bool:
    row = btf.resolve(type_id)[1]
    return isinstance(row, Int) and row.size == 1 and not row.boolean


def _alignment(btf: Btf, type_id: int) -> int:
    _, row = btf.resolve(type_id)
    if isinstance(row, Array):
        return _alignment(btf, row.type)
    return min(8, row.size) if isinstance(row, Int | Enum) else 8 if isinstance(row, Ptr) else 1


def _value(variable: _Variable, spec: ObjectSpec, target: Target, symbols: Target) -> bytes:
    name = variable.spec.name
    try:
        if name.startswith("CONFIG_"):
            text = target.config.get(name)
            if text is not None:
                return _read(variable, text)
        else:
            number = _virtual(name, target, symbols)
            if number is not None:
                return _number(variable, number)
    except ValueError as error:
        problem = f"{name}: {error}"
        raise TargetError(problem, target=target.name, file=spec.file) from None
    if variable.spec.is_weak and name.startswith(("CONFIG_", "LINUX_")):
        return bytes(variable.size)
    if name.startswith(("CONFIG_", "LINUX_")):
        unread = name.startswith("CONFIG_") and not target.config
        why = "the configuration cannot be read" if unread else "it has no value"
        problem = f"{name}: {why}; declare it __weak to have 0"
        raise TargetError(problem, target=target.name, file=spec.file)
    problem = f"{name} is no value of a kernel's build: those begin with CONFIG_ or LINUX_"
    raise ObjectError(problem, file=spec.file, section=SECTION)


def _virtual(name: str, target: Target, symbols: Target) -> int | None:
    """What libbpf knows beside the configuration; None: nothing of this name."""
    match name:
        case "LINUX_KERNEL_VERSION":
            return target.version or None
        case "LINUX_HAS_BPF_COOKIE":
            return _has_helper(symbols.btf, _GET_COOKIE)
        case "LINUX_HAS_SYSCALL_WRAPPER":
            btf = symbols.btf
            typed = btf is not None and any(btf.named(wrapped) for wrapped in _WRAPPED)
            return int(typed or any(wrapped in symbols.kallsyms for wrapped in _WRAPPED))
        case _:
            return None


def _has_helper(btf: Btf | None, name: str) -> int:
    if btf is None:
        return 0
    rows = [btf.type(type_id) for type_id in btf.named(_HELPERS)]
    return int(
        any(isinstance(row, Enum) and name in (value for value, _ in row.values) for row in rows)
    )


def _read(variable: _Variable, text: str) -> bytes:
    """The value as ``.config`` writes it; :exc:`ValueError` where the type cannot hold it."""
    if text in _LETTERS:
        return _letter(variable, text)
    if text.startswith('"'):
        if variable.form is not _Form.TEXT:
            raise ValueError(f"{text} is a string, the declared type is not")
        if len(text) < 2 or not text.endswith('"'):
            raise ValueError(f"{text} is cut short")
        data = text[1:-1].encode(errors="replace")[: variable.size - 1]
        return data.ljust(variable.size, b"\0")
    return _number(variable, _parsed(text))


def _letter(variable: _Variable, text: str) -> bytes:
    match variable.form:
        case _Form.BOOL:
            if text == "m":
                raise ValueError("m is neither y nor n")
            return bytes([text == "y"])
        case _Form.TRISTATE:
            return _LETTERS[text].to_bytes(variable.size, variable.order)
        case _Form.CHAR:
            return text.encode()
        case _:
            raise ValueError(f"{text} is no {variable.form.value}")


def _parsed(text: str) -> int:
    """As C reads it, octal behind a 0; what Python alone takes for a number is none."""
    octal = text.lstrip("-").startswith("0") and text.lstrip("-0")[:1].isdigit()
    try:
        if _NUMBER.fullmatch(text):
            return int(text, 8 if octal else 0)
    except ValueError:
        pass
    raise ValueError(f"{text[:64]!r} is no number")


def _number(variable: _Variable, number: int) -> bytes:
    if variable.form not in {_Form.INT, _Form.CHAR, _Form.BOOL}:
        raise ValueError(f"{number} is no {variable.form.value}")
    bits = 8 * variable.size
    low, high = (-1 << bits - 1, 1 << bits - 1) if variable.signed else (0, 1 << bits)
    if variable.form is _Form.BOOL:
        high = 2
    if not low <= number < high:
        raise ValueError(f"{number} does not fit the declared type")
    return (number % (1 << bits)).to_bytes(variable.size, variable.order)
