"""Assembly text to tokens, statement by statement, each with its place for error messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from beebox.errors import AssemblyError

_TOKEN: Final = re.compile(
    r"""
    (?P<space>[ \t\r\f\v]+)
  | (?P<comment>;.*|//.*|(?:(?<=\s)|(?<![\s\S]))\#.*)
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<number>0[xX][0-9a-fA-F]+|[0-9]+(?![\w.$]))
  | (?P<punct>s(?:>>=|/=|%=|>=|<=|>|<)|>>=|<<=|[-+*/|&%^=!<>]=|[-+*/~&|<>=()\[\]{},:\#@])
  | (?P<name>[A-Za-z_.$][\w.$]*|[0-9][0-9a-fA-F]+)
    """,
    re.VERBOSE | re.ASCII,
)
_ESCAPE: Final = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|(.))")
_CONTROL: Final = {"t": "\t", "n": "\n"}
_END: Final = "end of line"


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is "name", "number", "string", "punct" or "end of line"."""

    kind: str
    text: str
    column: int


@dataclass(slots=True)
class Statement:
    """One line's tokens, read from left to right. Never empty when :func:`statements` made it."""

    file: str
    line: int
    source: str
    tokens: tuple[Token, ...]
    at: int = 0

    def fail(
        self, problem: str, *, hint: str | None = None, token: Token | None = None
    ) -> NoReturn:
        """Raise :exc:`AssemblyError` at ``token``, else at the next one."""
        column = (token or self.peek()).column
        raise AssemblyError(problem, file=self.file, line=self.line, column=column, hint=hint)

    def peek(self, ahead: int = 0) -> Token:
        """A token without taking it; past the last one, an "end of line"."""
        where = self.at + ahead
        if where < len(self.tokens):
            return self.tokens[where]
        return Token(_END, _END, len(self.source) + 1)

    def take(self) -> Token:
        """The next token."""
        token = self.peek()
        self.at += 1
        return token

    def accept(self, text: str) -> bool:
        """Take the next token if it is this punctuation or word."""
        token = self.peek()
        found = token.text == text and token.kind in ("punct", "name")
        self.at += found
        return found

    def expect(self, text: str) -> None:
        """Take the next token, which must be this punctuation or word."""
        if not self.accept(text):
            self.fail(f"expected `{text}`, found `{self.peek().text}`")

    def end(self) -> None:
        """Nothing may follow."""
        if self.peek().kind != _END:
            self.fail(f"`{self.peek().text}` after the end of the statement")

    def number(self) -> int:
        """An integer, decimal or hexadecimal, with or without a sign."""
        negative = self.accept("-")
        if not negative:
            self.accept("+")
        token = self.take()
        if token.kind != "number":
            self.fail(f"expected a number, found `{token.text}`", token=token)
        if len(token.text) > 24:
            self.fail("a number of more than 64 bits", token=token)
        value = int(token.text, 16 if token.text[:2] in ("0x", "0X") else 10)
        return -value if negative else value

    def name(self) -> str:
        """An identifier or a quoted string."""
        token = self.take()
        if token.kind == "name":
            return token.text
        if token.kind == "string":
            return self._unquoted(token)
        return self.fail(f"expected a name, found `{token.text}`", token=token)

    def _unquoted(self, token: Token) -> str:
        def plain(found: re.Match[str]) -> str:
            if found[1] is None:
                return _CONTROL.get(found[2], found[2])
            code = int(found[1], 16)
            if code > 0x10FFFF:
                self.fail(f"no character \\u{{{found[1]}}}", token=token)
            return chr(code)

        return _ESCAPE.sub(plain, token.text[1:-1])


def statements(text: str, *, file: str) -> Iterator[Statement]:
    """Every line of ``text`` that holds more than a comment."""
    for number, source in enumerate(text.split("\n"), 1):
        tokens = tuple(_tokens(source, file, number))
        if tokens:
            yield Statement(file, number, source.rstrip(), tokens)


def _tokens(source: str, file: str, line: int) -> Iterator[Token]:
    at = 0
    while at < len(source):
        found = _TOKEN.match(source, at)
        if found is None:
            unclosed = source[at] == '"'
            problem = "a string without its end" if unclosed else f"`{source[at]}` makes no sense"
            raise AssemblyError(problem, file=file, line=line, column=at + 1)
        kind = str(found.lastgroup)
        if kind not in ("space", "comment"):
            yield Token(kind, found[0], at + 1)
        at = found.end()
