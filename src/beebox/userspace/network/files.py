"""Network files: the text of ip(8)'s words, or what ``ip -j`` prints; told apart by a ``{``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from beebox.errors import InputError
from beebox.userspace.network import iproute, text
from beebox.userspace.network.model import Network

MAX_FILE_BYTES: Final = 1 << 28


def read_network(path: str | Path) -> Network:
    """The network that a file describes.

    Raises :exc:`InputError`, or :exc:`NotSupportedError` for what is not modelled.
    """
    file = str(path)
    try:
        if Path(path).stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{file}: larger than {MAX_FILE_BYTES >> 20} MiB")
        with Path(path).open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)  # devices and pipes have no size
        if len(data) > MAX_FILE_BYTES:
            raise InputError(f"{file}: larger than {MAX_FILE_BYTES >> 20} MiB")
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise InputError(f"{file}: offset {cause.start:#x}: not UTF-8 text") from cause
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        raise InputError(f"{file}: {reason}") from cause
    return parse_network(content, file=file)


def parse_network(content: str, *, file: str = "<network>") -> Network:
    """The network that a text describes; raises as :func:`read_network`."""
    if content.lstrip().startswith("{"):
        return iproute.parse(content, file=file)
    return iproute.network(text.rows(content, file=file), file=file, connected=True)
