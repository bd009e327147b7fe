"""What was computed once, on disk: generated objects and indices are read back in any process.

The folder is the platform's cache folder (or ``BEEBOX_CACHE_DIR``; empty means none), created with
mode 0700. A folder of another owner, or one that others may write, is not used: no cache is
always correct, only slower. Each file starts with the SHA-256 of what follows; a file that does
not match is a miss. Verdicts are never cached.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 256 << 20
MAX_OBJECT_BYTES: Final = 64 << 20
_KEEP: Final = 0.75  # of MAX_BYTES after an eviction
_DIGEST_BYTES: Final = 32
_SUFFIX: Final = ".obj"


def get(name: str) -> bytes | None:
    """What was put under that name, if it is there whole. A name tells all that it depends on."""
    with _folder() as folder:
        if folder is None:
            return None
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            file = os.open(name + _SUFFIX, flags, dir_fd=folder)
        except OSError:
            return None
        try:
            data = _whole(file)
            os.utime(file)  # used now: evicted last
        except OSError:
            return None
        finally:
            os.close(file)
    digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    return body if body and hashlib.sha256(body).digest() == digest else None


def _whole(file: int) -> bytes:
    """A regular file's contents, at most ``MAX_OBJECT_BYTES``; empty for anything else."""
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_OBJECT_BYTES:
        return b""
    with os.fdopen(file, "rb", closefd=False) as stream:
        return stream.read(MAX_OBJECT_BYTES)


def usable() -> bool:
    """Whether there is a folder to keep something in."""
    with _folder() as folder:
        return folder is not None


def put(name: str, body: bytes) -> None:
    """Keep ``body``, atomically; a cache that cannot take it stays as it is."""
    if len(body) + _DIGEST_BYTES > MAX_OBJECT_BYTES:
        return
    with _folder() as folder, contextlib.suppress(OSError):
        if folder is None:
            return
        temporary = f".{os.getpid()}-{os.urandom(6).hex()}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(temporary, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(file, "wb") as stream:
                stream.write(hashlib.sha256(body).digest() + body)
            os.replace(temporary, name + _SUFFIX, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.unlink(temporary, dir_fd=folder)
            raise
        if len(body) > MAX_BYTES >> 8 or name.startswith("0"):  # looking costs a call per file
            _evict(folder)


def _evict(folder: int) -> None:
    """Remove what was used longest ago until the folder is well under its bound again."""
    files = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                files.append((status.st_mtime_ns, status.st_size, entry.name))
    total = sum(size for _, size, _ in files)
    if total <= MAX_BYTES:
        return
    for _, size, name in sorted(files):
        if total <= MAX_BYTES * _KEEP:
            return
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder)
        total -= size


@contextlib.contextmanager
def _folder() -> Iterator[int | None]:
    """An open descriptor of the cache folder; None where there is none to trust."""
    folder = None
    path = _path()
    if path is not None:
        with contextlib.suppress(OSError):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield folder if folder is not None and _trusted(folder) else None
    finally:
        if folder is not None:
            os.close(folder)


def _trusted(folder: int) -> bool:
    status = os.fstat(folder)
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _path() -> Path | None:
    chosen = os.environ.get("BEEBOX_CACHE_DIR")
    if chosen is not None:
        return Path(chosen).absolute() if chosen else None
    if not (os.environ.get("HOME") or os.environ.get("XDG_CACHE_HOME")):
        return None
    from platformdirs import user_cache_path  # noqa: PLC0415 -- 5 ms that a chosen folder saves

    path = user_cache_path("beebox", appauthor=False) / "objects"
    return path if path.is_absolute() else None


@functools.cache
def package_fingerprint() -> str:
    """The state of beebox's own sources, as a digest of their names, sizes and times.

    Part of the key of whatever the compiler or the lowerings made: a newer beebox, or an edited
    checkout, never reads what an older one wrote.
    """
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            if name.endswith(".py"):
                status = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118 -- 200 files
                digest.update(f"{folder}/{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
