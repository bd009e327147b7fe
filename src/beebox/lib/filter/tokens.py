"""A filter's text as tokens, each with its column."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Final, Literal, TypeAlias

from beebox.errors import FilterError

MAX_TEXT: Final = 16_384

Kind: TypeAlias = Literal["number", "address", "address6", "mac", "name", "symbol", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """``text`` as it is written, but without a name's backslash; ``column`` counts from 1."""

    kind: Kind
    text: str
    column: int


_PATTERN: Final = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<mac>[0-9a-fA-F]{1,2}(?:(?P<sep>[:.-])[0-9a-fA-F]{1,2})(?:(?P=sep)[0-9a-fA-F]{1,2}){4}
            (?![0-9a-zA-Z:.-]))
  | (?P<address6>(?=[0-9a-fA-F]*:[0-9a-fA-F.]*:)[0-9a-fA-F:.]+)
  | (?P<address>\d+(?:\.\d+){1,3}(?![\w.]))
  | (?P<number>0[xX][0-9a-fA-F]+|\d+(?![\w.]))
  | (?P<name>\\?[A-Za-z](?:[-\w.]*\w)?)
  | (?P<symbol>&&|\|\||==|!=|<=|>=|<<|>>|[-!()\[\]:=<>+*/%&|^])
    """,
    re.VERBOSE | re.ASCII,
)
_WORDS: Final = {"&&": "and", "||": "or", "!": "not", "==": "="}


def tokens(text: str) -> list[Token]:
    """The tokens and an end. Raises :exc:`FilterError` at what is none."""
    if len(text) > MAX_TEXT:
        raise FilterError(f"longer than {MAX_TEXT} characters", text=text[:80], column=1)
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _PATTERN.match(text, at)
        if match is None:
            raise FilterError(f"{text[at]!r} means nothing here", text=text, column=at + 1)
        kind, word = match.lastgroup, match.group()
        assert kind is not None
        if kind == "address6":
            _check_address6(text, word, at + 1)
        if kind != "space":
            found.append(_token(kind, word, at + 1))
        at = match.end()
    found.append(Token("end", "", len(text) + 1))
    return found


def _token(kind: str, word: str, column: int) -> Token:
    match kind:
        case "symbol" if word in {"&&", "||", "!"}:
            return Token("name", _WORDS[word], column)
        case "symbol":
            return Token("symbol", _WORDS.get(word, word), column)
        case "number":
            return Token("number", word, column)
        case "address":
            return Token("address", word, column)
        case "address6":
            return Token("address6", word, column)
        case "mac":
            return Token("mac", word, column)
        case _:
            return Token("name", word, column)


def _check_address6(text: str, word: str, column: int) -> None:
    try:
        IPv6Address(word)
    except AddressValueError:
        raise FilterError(f"{word} is no IPv6 address", text=text, column=column) from None


def closing(found: list[Token]) -> dict[int, int]:
    """Where each parenthesis closes."""
    pairs, open_ = {}, []
    for at, token in enumerate(found):
        if token.kind == "symbol" and token.text == "(":
            open_.append(at)
        elif token.kind == "symbol" and token.text == ")" and open_:
            pairs[open_.pop()] = at
    return pairs
