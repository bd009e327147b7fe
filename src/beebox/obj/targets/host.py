"""The running kernel as a target: its BTF, build configuration, version and symbols.

Each is read when it is first needed and once per process. What a process may not read (or what
the kernel was built without) is absent, never an error here: who needs it says so.
"""

from __future__ import annotations

import gzip
import platform
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

from beebox.btf import kernel
from beebox.btf.types import Btf
from beebox.errors import BtfError, InputError, NotSupportedError
from beebox.obj.targets.target import Modules, Target

_BOOT: Final = Path("/boot")
_PROC_CONFIG: Final = Path("/proc/config.gz")
_KALLSYMS: Final = Path("/proc/kallsyms")
_UBUNTU: Final = Path("/proc/version_signature")
_GZIP_MAGIC: Final = b"\x1f\x8b"
_TITLE: Final = re.compile(r"^# Linux/\S+ (\S+) Kernel Configuration$", re.MULTILINE)
_MOST_CONFIG_BYTES: Final = 1 << 24
_MOST_LINE: Final = 1024
_NUMBERS: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_MOST_PATCH: Final = 255  # LINUX_VERSION_CODE has 8 bits for it


def host() -> Target:
    """The kernel this process runs on; nothing is read yet."""
    return Target(
        f"the running kernel ({platform.uname().release})",
        read_btf=_btf,
        read_modules=_modules,
        read_config=_config,
        read_version=_version,
        read_kallsyms=_kallsyms,
    )


@cache
def _btf() -> Btf | None:
    try:
        return kernel.open_running()
    except (NotSupportedError, BtfError):
        return None


@cache
def _modules() -> Mapping[str, Btf]:
    return Modules(kernel.running_modules(), _module)


def _module(name: str) -> Btf:
    """A module's types; none of its own for one that was unloaded meanwhile."""
    try:
        return kernel.open_running(name)
    except (NotSupportedError, BtfError):
        return Btf((), _btf())


@cache
def _config() -> Mapping[str, str]:
    for path in (_BOOT / f"config-{platform.uname().release}", _PROC_CONFIG):
        with suppress(InputError):
            return read_config(config_text(path))
    return {}


def config_text(path: Path) -> str:
    """The text of a ``.config``, plain or compressed by gzip. Raises :exc:`InputError`."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_CONFIG_BYTES)
        if data.startswith(_GZIP_MAGIC):
            with gzip.open(BytesIO(data)) as unpacked:
                data = unpacked.read(_MOST_CONFIG_BYTES)
    except (OSError, EOFError, ValueError, zlib.error) as cause:
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        raise InputError(f"{path}: {reason}") from cause
    return data.decode(errors="replace")


def config_version(text: str) -> int:
    """The version that the head of a ``.config`` names, as LINUX_VERSION_CODE; 0: none."""
    found = _TITLE.search(text)
    return kernel_version(found[1]) if found is not None else 0


def read_config(text: str) -> dict[str, str]:
    """The assignments of a ``.config``: name to value as written (``y``, ``100``, ``"x"``).

    The first of several assignments of one name holds.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("CONFIG_"):
            name, equals, value = line.partition("=")
            if equals:
                found.setdefault(name, value)
    return found


@cache
def _version() -> int:
    """The upstream version: Ubuntu and Debian keep it elsewhere than in the release's name."""
    try:
        signature = _UBUNTU.read_text(encoding="utf-8", errors="replace")
    except OSError:
        signature = ""
    uname = platform.uname()
    return kernel_version(uname.release, uname.version, signature)


def kernel_version(release: str, version: str = "", signature: str = "") -> int:
    """LINUX_VERSION_CODE from ``uname -r``, ``uname -v`` and Ubuntu's /proc/version_signature.

    0 when none of them has three numbers where they are expected.
    """
    words = signature.split()
    candidates = [words[2] if len(words) > 2 else ""]
    _, debian, after = version.partition("Debian ")
    candidates += [after if debian else "", release]
    for text in candidates:
        found = _NUMBERS.match(text)
        if found is not None:
            major, minor, patch = (int(number) for number in found.groups())
            return (major << 16) + (minor << 8) + min(patch, _MOST_PATCH)
    return 0


@cache
def _kallsyms() -> Kallsyms:
    try:
        return Kallsyms(_KALLSYMS.read_bytes())
    except OSError:
        return Kallsyms(b"")


class Kallsyms(Mapping[str, tuple[int, ...]]):
    """The addresses in a text like /proc/kallsyms by name, each searched when it is asked for.

    What link-time optimisation adds to the names of statics (".llvm.123") is no part of them.
    """

    def __init__(self, text: bytes) -> None:
        self._text = b"\n" + text
        self._found: dict[str, tuple[int, ...]] = {}

    def __getitem__(self, name: str) -> tuple[int, ...]:
        if name not in self._found:
            self._found[name] = tuple(dict.fromkeys(self._search(name.encode())))
        if not self._found[name]:
            raise KeyError(name)
        return self._found[name]

    def _search(self, name: bytes) -> Iterator[int]:
        wanted = b" " + name
        at = self._text.find(wanted)
        while name and at >= 0:
            start = self._text.rfind(b"\n", 0, at) + 1
            words = self._text[start : start + _MOST_LINE].partition(b"\n")[0].split(None, 3)
            if len(words) > 2 and words[2].partition(b".llvm.")[0] == name:
                with suppress(ValueError):
                    yield int(words[0], 16)
            at = self._text.find(wanted, at + 1)

    def __iter__(self) -> Iterator[str]:
        for line in self._text.splitlines():
            words = line.split(None, 3)
            if len(words) > 2:
                yield words[2].partition(b".llvm.")[0].decode(errors="replace")

    def __len__(self) -> int:
        return sum(1 for _ in self)
