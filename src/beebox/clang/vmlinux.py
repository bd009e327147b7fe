"""``vmlinux.h``: every type of a kernel, as C, made on demand and kept.

Writing it takes a second or two, so the text stays in the cache, under the digest of the BTF and of
what writes it. For the compiler it lies in a folder that is gone when the compiler is.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from beebox import cache
from beebox.btf import c as c_room
from beebox.btf import kernel
from beebox.errors import BtfError, NotSupportedError
from beebox.obj.targets.target import read_btf_bytes

NAME: Final = "vmlinux.h"
_RUNNING: Final = kernel.FOLDER / "vmlinux"


@contextlib.contextmanager
def folder(source: Path | None = None) -> Iterator[Path]:
    """A folder that holds ``vmlinux.h`` of a file with BTF, by default the running kernel's.

    Raises :exc:`NotSupportedError` where the running kernel shows no types, :exc:`InputError` for a
    file that cannot be read.
    """
    data = text(source)
    with tempfile.TemporaryDirectory(prefix="beebox-") as name:
        Path(name, NAME).write_bytes(data)
        yield Path(name)


def text(source: Path | None = None) -> bytes:
    """The header itself; of the cache, where it is there. Raises as :func:`folder`."""
    if source is None and not _RUNNING.exists():
        raise NotSupportedError(
            "vmlinux.h of the running kernel, which shows no types,",
            hint="name a kernel's BTF with --btf FILE, or put a vmlinux.h beside the source",
        )
    data = read_btf_bytes(source or _RUNNING)
    name = f"vmlinux-{_digest(data)}"
    kept = cache.get(name)
    if kept is None:
        from beebox.btf.c.output import header  # noqa: PLC0415 -- only for the first time

        try:
            kept = header(kernel.open_bytes(data)).encode()
        except BtfError as cause:
            raise cause.within(str(source or _RUNNING)) from cause
        cache.put(name, kept)
    return kept


def _digest(data: bytes) -> str:
    digest = hashlib.blake2b(data, digest_size=24)
    for path in _writers():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _writers() -> list[Path]:
    """The sources of what writes the text, which are read rather than imported: a hit is faster."""
    (room,) = c_room.__path__
    return sorted(Path(room).glob("*.py"))
