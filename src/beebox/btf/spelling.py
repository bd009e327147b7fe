"""A type in one line, as C would name it: ``const struct file *``, ``int (*)(struct sock *)[4]``.

For people and for comparing by name: a named struct is its name, whatever is in it. Types without
a name are ``struct {...}``. Texts are bounded: what nests too deeply becomes ``...``.
"""

from __future__ import annotations

from typing import Final, assert_never

from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
    DeclTag,
    Enum,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Modifier,
    Ptr,
    Struct,
    Typedef,
    Var,
)

_DEPTH: Final = 24
_TYPES: Final = 200
_LONGEST: Final = 2048
"""Bounds of one text: how deep, of how many types, how many characters."""


class Speller:
    """The texts of one table's types; each is made once."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._known: dict[int, str] = {}
        self._left = 0

    def text(self, type_id: int) -> str:
        """The type in C's words. Raises :exc:`BtfError` for ids out of range."""
        known = self._known.get(type_id)
        if known is None:
            self._left = _TYPES
            known = self._known[type_id] = _cut("".join(self._around(type_id, _DEPTH)).strip())
        return known

    def prototype(self, name: str, type_id: int) -> str:
        """A function's declaration: ``int f(struct sock *sk)``."""
        row = self._btf.type(type_id)
        if not isinstance(row, FuncProto):
            return f"{name}: {self.text(type_id)}"
        self._left = _TYPES
        before, after = self._around(row.type, _DEPTH)
        return _cut(_named(before, name) + self._params(row, _DEPTH, named=True) + after)

    def _params(self, row: FuncProto, depth: int, *, named: bool) -> str:
        texts = []
        for at, param in enumerate(row.params):
            if self._left == 0 or (at == len(row.params) - 1 and not param.type):
                texts.append("...")
                break
            before, after = self._around(param.type, depth)
            name = param.name if named else ""
            texts.append((_named(before, name) if name else before) + after)
        return f"({', '.join(texts) or 'void'})"

    def _around(self, type_id: int, depth: int) -> tuple[str, str]:
        """What stands before and behind a declared name."""
        if depth == 0 or self._left == 0:
            return "...", ""
        self._left -= 1
        before, after = self._spell(type_id, depth - 1)
        return _cut(before), _cut(after)

    def _spell(self, type_id: int, depth: int) -> tuple[str, str]:
        row = self._btf.type(type_id)
        match row:
            case None:
                return "void", ""
            case Int() | Float() | Typedef():
                return row.name, ""
            case Struct() | Fwd():
                return f"{'union' if row.union else 'struct'} {row.name or '{...}'}", ""
            case Enum():
                return f"enum {row.name or '{...}'}", ""
            case Ptr():
                before, after = self._around(row.type, depth)
                star = "*" if before.endswith(("*", "(")) else " *"
                if after:
                    return f"{before} (*", f"){after}"
                return before + star, after
            case Modifier():
                return self._modified(row, depth)
            case Array():
                before, after = self._around(row.type, depth)
                return before, f"[{row.count}]{after}"
            case FuncProto():
                before, after = self._around(row.type, depth)
                return before, self._params(row, depth, named=False) + after
            case Func() | Var() | Datasec() | DeclTag():
                return row.name, ""
            case _ as unreachable:
                assert_never(unreachable)

    def _modified(self, row: Modifier, depth: int) -> tuple[str, str]:
        word = row.kind if row.kind != "type_tag" else f"__tag({row.name})"
        before, after = self._around(row.type, depth)
        if before.endswith("*"):
            return f"{before}{word}", after
        return f"{word} {before}", after


def _named(before: str, name: str) -> str:
    return before + name if before.endswith("*") else f"{before} {name}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
