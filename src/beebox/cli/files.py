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
    if str(target) == "-" and output.json:
        raise InputError("-j and -o - both want standard output")
    try:
        if str(target) == "-":
            sys.stdout.buffer.write(data)
        elif target.exists() and any(target.samefile(source) for source in sources):
            raise InputError(f"{target} is a source; write to another file")
        else:
            target.write_bytes(data)
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else str(cause)
        raise InputError(f"{target}: {reason}") from cause
