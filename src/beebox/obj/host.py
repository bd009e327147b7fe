"""The running kernel as a target: its BTF, build configuration, version and symbols.

Each is read when it is first needed and once per process. What a process may not read (or what
the kernel was built without) is absent, never an error here: who needs it says so.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from beebox.btf import kernel
from beebox.btf.types import Btf
from beebox.errors import BtfError, NotSupportedError
from beebox.obj.target import Modules, Target

_BOOT: Final = Path("/boot")
_PROC_CONFIG: Final = Path("/proc/config.gz")
_KALLSYMS: Final = Path("/proc/kallsyms")
_UBUNTU: Final = Path("/proc/version_signature")
_MOST_CONFIG_BYTES: Final = 1 << 24
_NUMBERS: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_MOST_PATCH: Final = 255  # LINUX_VERSION_CODE has 8 bits for it


def host() -> Target:
    """The kernel this process runs on; nothing is read yet."""
    return Target(
        f"the running kernel ({os.uname().release})",
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
    data = b""
    try:
        data = (_BOOT / f"config-{os.uname().release}").read_bytes()
    except OSError:
        try:
            with gzip.open(_PROC_CONFIG) as stream:
                data = stream.read(_MOST_CONFIG_BYTES)
        except (OSError, EOFError, zlib.error):
            data = b""
    return read_config(data.decode(errors="replace"))


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
    uname = os.uname()
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
def _kallsyms() -> Mapping[str, tuple[int, ...]]:
    try:
        text = _KALLSYMS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found: dict[str, tuple[int, ...]] = {}
    for line in text.splitlines():
        words = line.split(None, 3)
        if len(words) < 3:
            continue
        address = int(words[0], 16)
        name, _, _ = words[2].partition(".llvm.")  # what LTO adds to names of statics
        known = found.get(name, ())
        if address not in known:
            found[name] = (*known, address)
    return found
