"""Sources and complaints: every place in a source text, and the errors that point at one."""

from __future__ import annotations

import ast
from typing import TypeAlias

from beebox.compiler.ir import Span
from beebox.errors import CompileError

Located: TypeAlias = ast.stmt | ast.expr | ast.arg
"""What points at a place, with a 1-based line and UTF-8 byte columns."""


class Source:
    """One file's name and text, split into lines."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self._lines = text.split("\n")

    def line(self, number: int) -> str:
        """A line by number from 1, without its end; empty where there is none."""
        if 1 <= number <= len(self._lines):
            return self._lines[number - 1].rstrip("\r")
        return ""

    def span(self, node: Located) -> Span:
        """The part of ``node`` on its first line, in characters (``ast`` counts UTF-8 bytes)."""
        line = self.line(node.lineno)
        column = _characters(line, node.col_offset) + 1
        end_line = getattr(node, "end_lineno", None)
        end_offset = getattr(node, "end_col_offset", None)
        if end_line == node.lineno and end_offset is not None:
            end = _characters(line, end_offset) + 1
        else:
            end = len(line.rstrip()) + 1
        return Span(self.file, node.lineno, column, max(end, column + 1))

    def error(self, place: Located | Span, problem: str, hint: str | None = None) -> CompileError:
        """The error to raise for ``place``, with its source line and caret."""
        span = place if isinstance(place, Span) else self.span(place)
        return CompileError(
            problem,
            file=span.file,
            line=span.line,
            column=span.column,
            source_line=self.line(span.line),
            width=span.end_column - span.column,
            hint=hint,
        )


def _characters(line: str, utf8_offset: int) -> int:
    if line.isascii():
        return utf8_offset
    return len(line.encode(errors="surrogatepass")[:utf8_offset].decode(errors="ignore"))


def words(node: ast.expr) -> str:
    """A short piece of source for a message; never the whole of something long."""
    try:
        text = ast.unparse(node)
    except (RecursionError, ValueError):
        return "this"
    return text if len(text) <= 40 else text[:37] + "..."
