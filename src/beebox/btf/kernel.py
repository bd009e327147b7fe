"""BTF files opened lazily, the running kernel's above all, with their indices kept in the cache.

Opening a kernel's table costs one walk over its types (20 ms); with the index in the cache it
costs reading. The index is kept under the digest of the contents; for the running kernel, whose
table cannot change while its build id stays, under that id.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Final

from beebox import cache
from beebox.btf import codec, lazy
from beebox.btf.types import Btf
from beebox.errors import BtfError, InputError, NotSupportedError

FOLDER: Final = Path("/sys/kernel/btf")
"""The running kernel's ``vmlinux`` and one split table per module."""

_NOTES: Final = Path("/sys/kernel/notes")
_BUILD_ID: Final = b"GNU\0"
_WORTH_KEEPING: Final = 1 << 20
"""Smaller tables are walked faster than their index is found."""


def open_running(module: str | None = None) -> Btf:
    """The running kernel's types, or those of one of its modules on top of them.

    Raises :exc:`NotSupportedError` where the kernel does not show them.
    """
    path = FOLDER / ("vmlinux" if module is None else module)
    if module is not None and (not module or "/" in module or module in {".", ".."}):
        raise InputError(f"{module!r} is not the name of a module")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotSupportedError(f"BTF of the running kernel ({path}: {error.strerror})") from error
    if module is None:
        return _opened(data, None, _running_key(data))
    return _opened(data, open_running(), None)


def running_modules() -> tuple[str, ...]:
    """The modules of the running kernel whose types :func:`open_running` can give, sorted."""
    try:
        names = [path.name for path in FOLDER.iterdir()]
    except OSError:
        return ()
    return tuple(sorted(name for name in names if name != "vmlinux"))


def open_btf(path: str | Path, base: Btf | None = None) -> Btf:
    """The types of a file that holds a bare .BTF section. Raises :exc:`InputError`."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    return open_bytes(data, base)


def open_bytes(data: bytes, base: Btf | None = None) -> Btf:
    """The types of a .BTF section, decoded when asked for; raises as :func:`codec.view`."""
    return _opened(data, base, None)


def _opened(data: bytes, base: Btf | None, key: str | None) -> Btf:
    if len(data) < _WORTH_KEEPING:
        return codec.view(data, base)
    key = key if key is not None else hashlib.blake2b(data, digest_size=32).hexdigest()
    name = f"btf-2-{sys.byteorder}-{key}"
    kept = cache.get(name)
    if kept is not None:
        try:
            return codec.view(data, base, kept)
        except BtfError:  # not of these bytes: as good as absent
            pass
    btf = codec.view(data, base)
    if isinstance(btf.types, lazy.LazyTypes) and cache.usable():
        cache.put(name, btf.types.kept())
    return btf


def _running_key(data: bytes) -> str | None:
    """A name for the running kernel's table: its build id and the header, which tells sizes."""
    try:
        notes = _NOTES.read_bytes()
    except OSError:
        return None
    at = notes.find(_BUILD_ID)
    length = int.from_bytes(notes[at - 8 : at - 4], sys.byteorder) if at >= 12 else 0
    if not 8 <= length <= 64 or at + 4 + length > len(notes):
        return None
    return f"{notes[at + 4 : at + 4 + length].hex()}-{data[:24].hex()}"
