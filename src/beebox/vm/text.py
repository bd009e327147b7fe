"""Where lowerings write: LLVM text, one instruction at a time."""

from __future__ import annotations

from typing import Protocol


class Text(Protocol):
    """A function's text while it is written."""

    def line(self, text: str) -> None:
        """One instruction without a result."""
        ...

    def value(self, text: str) -> str:
        """One instruction; the name of its result."""
        ...
