"""Files that commands write."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from beebox.cli.output import Output
from beebox.errors import InputError


def write_result(target: Path, data: bytes, sources: Sequence[Path], output: Output) -> None:
    """``data`` to the file ``target``, or to standard output for ``-``.

    Raises :exc:`InputError` when that is one of ``sources``, or cannot be written.
    """
    check_target(target, sources, output, option="-o")
    write_file(target, data)


def check_target(target: Path, sources: Sequence[Path], output: Output, *, option: str) -> None:
    """Whether ``option`` may name ``target``: not a source, nor what ``-j`` needs, too.

    Raises :exc:`InputError`.
    """
    if str(target) == "-" and output.json:
        raise InputError(f"-j and {option} - both want standard output")
    if str(target) != "-" and _is_one_of(target, sources):
        raise InputError(f"{target} is a source; write to another file")


def write_file(target: Path, data: bytes) -> None:
    """``data`` to the file, or to standard output for ``-``. Raises :exc:`InputError`."""
    try:
        if str(target) == "-":
            sys.stdout.buffer.write(data)
        else:
            target.write_bytes(data)
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else str(cause)
        raise InputError(f"{target}: {reason}") from cause


def _is_one_of(target: Path, sources: Sequence[Path]) -> bool:
    try:
        return target.exists() and any(target.samefile(source) for source in sources)
    except (OSError, ValueError):
        return False  # writing it will say what is wrong
