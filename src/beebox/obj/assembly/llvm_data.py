"""Data in clang's assembly text: numbers computed of symbols, strings with C's escapes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, NoReturn, TypeAlias

from beebox.isa.tokens import Statement, Token, statements

_ESCAPE: Final = re.compile(r"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)
_CONTROL: Final = {"n": 10, "t": 9, "r": 13, "b": 8, "f": 12}
_MOST_TERMS: Final = 16
_MOST_NESTING: Final = 16
_MOST_STATEMENTS: Final = 64
_STRENGTH: Final = {
    "|": 0,
    "^": 0,
    "&": 1,
    "<<": 2,
    ">>": 2,
    "+": 3,
    "-": 3,
    "*": 4,
    "/": 4,
    "%": 4,
}


@dataclass(frozen=True, slots=True)
class Sum:
    """A number, plus the addresses of ``added``, minus those of ``taken``."""

    number: int
    added: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """Two sums and what is done with them."""

    symbol: str
    left: Term
    right: Term


Term: TypeAlias = Sum | Operation
Place: TypeAlias = tuple[int, int]  # which section, and where in it


@dataclass(frozen=True, slots=True)
class Expression:
    """What stands for a number; its symbols get their places last."""

    term: Term
    line: Statement
    token: Token

    def fail(self, problem: str) -> NoReturn:
        """Raise :exc:`AssemblyError` where it stands."""
        self.line.fail(problem, token=self.token)

    def value(self, place: Callable[[str], Place | None]) -> tuple[int, str | None]:
        """The number, and the symbol whose address is to be added to it."""
        found = self._folded(self._reduced(self.term, place), place)
        if found.taken or len(found.added) > 1:
            self.fail("a sum of addresses that are in different sections, or not there")
        return found.number, found.added[0] if found.added else None

    def _reduced(self, term: Term, place: Callable[[str], Place | None]) -> Sum:
        if isinstance(term, Sum):
            return term
        left, right = self._reduced(term.left, place), self._reduced(term.right, place)
        if len(left.added + left.taken + right.added + right.taken) > _MOST_TERMS:
            self.fail("a sum of too many terms")
        if term.symbol == "+":
            return Sum(
                left.number + right.number, left.added + right.added, left.taken + right.taken
            )
        if term.symbol == "-":
            return Sum(
                left.number - right.number, left.added + right.taken, left.taken + right.added
            )
        left, right = self._folded(left, place), self._folded(right, place)
        if left.added or left.taken or right.added or right.taken:
            self.fail(f"`{term.symbol}` of an address")
        return Sum(self._computed(term.symbol, left.number, right.number))

    def _folded(self, found: Sum, place: Callable[[str], Place | None]) -> Sum:
        """The difference of two places in one section is a number."""
        added, taken, number = list(found.added), list(found.taken), found.number
        for name in found.taken:
            other = place(name)
            for candidate in added:
                here = place(candidate)
                if other is not None and here is not None and here[0] == other[0]:
                    number += here[1] - other[1]
                    added.remove(candidate)
                    taken.remove(name)
                    break
        return Sum(number, tuple(added), tuple(taken))

    def _computed(self, symbol: str, left: int, right: int) -> int:
        if max(abs(left), abs(right)) >> 64 or (symbol in ("<<", ">>") and not 0 <= right < 64):
            self.fail("a number of more than 64 bits")
        if symbol in ("/", "%") and not right:
            self.fail("a division by zero")
        match symbol:
            case "*":
                return left * right
            case "/":
                return int(abs(left) // abs(right)) * (-1 if (left < 0) != (right < 0) else 1)
            case "&":
                return left & right
            case "|":
                return left | right
            case "^":
                return left ^ right
            case "<<":
                return left << right
            case ">>":
                return left >> right
            case _:
                return self.fail(f"no operation `{symbol}`")


def take_expression(line: Statement, known: Callable[[str], str]) -> Expression:
    """``.Lfunc_end0-main``, ``counters+8``, ``((LBB0_4-.Ltmp12-8)/8)&65535``.

    ``known`` gives a symbol's name for what is written: of ``1b``, which label ``1`` is meant.
    """
    token = line.peek()
    return Expression(_take(line, 0, 0, known), line, token)


def continued(line: Statement) -> Iterator[Statement]:
    """``line`` and the statements behind its ``;``, which in inline assembly is no comment."""
    yield line
    for _ in range(_MOST_STATEMENTS):
        last = line.tokens[-1]
        end = last.column - 1 + len(last.text)
        rest = line.source[end:].lstrip()
        if not rest.startswith(";"):
            return
        start = len(line.source) - len(rest) + 1
        found = list(statements(" " * start + line.source[start:], file=line.file))
        if not found:
            return
        line = replace(found[0], line=line.line, source=line.source)
        yield line
    line.fail("too many statements on one line")


def _take(line: Statement, least: int, depth: int, known: Callable[[str], str]) -> Term:
    """A term and the operations behind it that bind as strongly as ``least``."""
    if depth > _MOST_NESTING:
        line.fail("an expression that nests too deeply")
    left = _operand(line, depth, known)
    for _ in range(_MOST_TERMS):
        symbol = line.peek().text
        if symbol in ("<", ">") and line.peek(1).text == symbol:
            symbol *= 2
        if line.peek().kind != "punct" or _STRENGTH.get(symbol, -1) < least:
            return left
        line.at += len(symbol)
        left = Operation(symbol, left, _take(line, _STRENGTH[symbol] + 1, depth + 1, known))
    return line.fail("a sum of too many terms")


def _operand(line: Statement, depth: int, known: Callable[[str], str]) -> Term:
    token = line.peek()
    if depth > _MOST_NESTING:
        line.fail("an expression that nests too deeply")
    if line.accept("-"):
        return Operation("-", Sum(0), _operand(line, depth + 1, known))
    if line.accept("("):
        inner = _take(line, 0, depth + 1, known)
        line.expect(")")
        return inner
    if token.kind == "number":
        return Sum(line.number())
    if token.kind in ("name", "string"):
        return Sum(0, (known(line.name()),))
    return line.fail(f"expected a number or a symbol, found `{token.text}`", token=token)


def take_string(line: Statement) -> bytes:
    """A string's bytes."""
    token = line.take()
    if token.kind != "string":
        line.fail(f"expected a string, found `{token.text}`", token=token)
    out = bytearray()
    at = 1
    text = token.text
    for found in _ESCAPE.finditer(text, 1, len(text) - 1):
        out += text[at : found.start()].encode()
        out.append(_byte(found[1]))
        at = found.end()
    return bytes(out + text[at:-1].encode())


def _byte(escape: str) -> int:
    if escape[0] in "01234567":
        return int(escape, 8) & 0xFF
    if escape[0] == "x" and len(escape) > 1:
        return int(escape[1:], 16)
    return _CONTROL.get(escape, ord(escape) & 0xFF)
