"""What clang says, read: the first error's place, the warnings; nothing is reworded."""

from __future__ import annotations

import re
from typing import Final

from beebox.errors import CompileError

# As texts, since most sources compile and compiling these would take as long as reading them.
_PLACE: Final = (
    r"(?m)^(?P<file>[^\n:]+):(?P<line>\d+):(?P<column>\d+): (?P<kind>fatal error|error|warning): "
    r"(?P<text>.*)$"
)
_IN_BACKEND: Final = (
    r"(?m)^(?:fatal )?error:? (?P<file>[^\n:]+):(?P<line>\d+):(?P<column>\d+): (?P<text>.*)$"
)
_NO_PLACE: Final = r"(?m)^(?:[^\n:]+: )?(?:fatal )?error: (?P<text>.*)$"
_SUMMARY: Final = r"(?m)^\d+ (?:error|warning)s?(?: and \d+ errors?)? generated\.$\n?"
_CRASH: Final = r"(?ms)^(?:PLEASE submit a bug report|Stack dump:).*"
_MISSING: Final = r"'(?P<name>[^'\n]+)' file not found"
_TWICE: Final = r"error: (?:redefinition of|typedef redefinition)"
_NO_TARGET: Final = (
    r"(?i)unable to create target|unknown target triple|No available targets are compatible"
)
_MOST_CHARACTERS: Final = 32_768


def text_of(words: bytes) -> str:
    """What was said, without the closing count and a crash's stack, cut where nobody reads on."""
    if not words:
        return ""
    text = words.decode("utf-8", "replace")
    text = re.sub(_CRASH, "", re.sub(_SUMMARY, "", text)).strip("\n")
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "\n..."


def error(words: bytes, file: str, compiler: str) -> CompileError:
    """The first error as an exception; line and column are 0 where clang names no place."""
    text = text_of(words)
    dumped = re.search(_CRASH, words.decode("utf-8", "replace")) is not None
    crashed = dumped or "error in backend" in text
    hint = f"that was {compiler}; a newer one may know what to do" if crashed else _hint(text)
    found = next(
        (match for match in re.finditer(_PLACE, text) if match["kind"] != "warning"), None
    ) or re.search(_IN_BACKEND, text)
    if found is None:
        told = re.search(_NO_PLACE, text)
        unsaid = "the compiler crashed" if dumped else "the compiler failed"
        problem = told["text"] if told else unsaid
        report = text or f"{file}: {problem}"
        return CompileError(problem, file=file, line=0, column=0, hint=hint, report=report)
    return CompileError(
        found["text"],
        file=found["file"],
        line=int(found["line"]),
        column=int(found["column"]),
        hint=hint,
        report=text,
    )


def _hint(text: str) -> str | None:
    """What to do about the mistakes that sources moved here often have."""
    if re.search(_MISSING, text):
        return "headers beside the source are found, those of a folder by: beebox compile -I FOLDER"
    if re.search(_TWICE, text) and "vmlinux.h:" in text:
        return "vmlinux.h and headers such as linux/bpf.h define the same: include one or the other"
    return None


def missing_header(words: bytes) -> str | None:
    """The name of the header that was not found, if that is what went wrong."""
    found = re.search(_MISSING, words.decode("utf-8", "replace"))
    return found["name"] if found else None


def lacks_target(words: bytes) -> bool:
    """Whether this clang was built without the BPF target."""
    return re.search(_NO_TARGET, words.decode("utf-8", "replace")) is not None
