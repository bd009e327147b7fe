"""What clang says, read: the first error's place, the warnings; nothing is reworded."""

from __future__ import annotations

import re
from typing import Final

from beebox.errors import CompileError

_PLACE: Final = re.compile(
    r"^(?P<file>[^\n:]+):(?P<line>\d+):(?P<column>\d+): (?P<kind>fatal error|error|warning): "
    r"(?P<text>.*)$",
    re.MULTILINE,
)
_IN_BACKEND: Final = re.compile(
    r"^(?:fatal )?error:? (?P<file>[^\n:]+):(?P<line>\d+):(?P<column>\d+): (?P<text>.*)$",
    re.MULTILINE,
)
_NO_PLACE: Final = re.compile(r"^(?:[^\n:]+: )?(?:fatal )?error: (?P<text>.*)$", re.MULTILINE)
_SUMMARY: Final = re.compile(
    r"^\d+ (?:error|warning)s?(?: and \d+ errors?)? generated\.$\n?", re.MULTILINE
)
_CRASH: Final = re.compile(
    r"^(?:PLEASE submit a bug report|Stack dump:).*", re.MULTILINE | re.DOTALL
)
_MOST_CHARACTERS: Final = 32_768
_MISSING: Final = re.compile(r"'(?P<name>[^'\n]+)' file not found")
_NO_TARGET: Final = re.compile(
    r"unable to create target|unknown target triple|No available targets are compatible",
    re.IGNORECASE,
)


def text_of(words: bytes) -> str:
    """What was said, without the closing count and a crash's stack, cut where nobody reads on."""
    text = _CRASH.sub("", _SUMMARY.sub("", words.decode("utf-8", "replace"))).strip("\n")
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "\n..."


def error(words: bytes, file: str) -> CompileError:
    """The first error as an exception; line and column are 0 where clang names no place."""
    text = text_of(words)
    found = next(
        (match for match in _PLACE.finditer(text) if match["kind"] != "warning"), None
    ) or _IN_BACKEND.search(text)
    if found is None:
        told = _NO_PLACE.search(text)
        problem = told["text"] if told else "the compiler failed"
        return CompileError(problem, file=file, line=0, column=0, report=text)
    return CompileError(
        found["text"],
        file=found["file"],
        line=int(found["line"]),
        column=int(found["column"]),
        report=text,
    )


def missing_header(words: bytes) -> str | None:
    """The name of the header that was not found, if that is what went wrong."""
    found = _MISSING.search(words.decode("utf-8", "replace"))
    return found["name"] if found else None


def lacks_target(words: bytes) -> bool:
    """Whether this clang was built without the BPF target."""
    return _NO_TARGET.search(words.decode("utf-8", "replace")) is not None
