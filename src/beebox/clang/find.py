"""Which clang compiles C sources: the user's, the newest on PATH, or the package ziglang's.

Nothing is started to find out, except a ``clang`` whose file does not tell its version. Whether a
clang has the BPF target shows when it is used: ``clang.run`` tries the next one.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from beebox.errors import NotSupportedError

VARIABLE: Final = "BEEBOX_CLANG"
OLDEST: Final = 15
"""The first clang that knows all of CO-RE (``bpf_core_type_matches``) and 64-bit enums in BTF."""
_NEWEST: Final = 40  # names looked for: clang-40, clang-39, ...
_PROBE_SECONDS: Final = 10
_VERSION: Final = r"clang version (\d+)\."
_IN_A_PATH: Final = r"(?:llvm|clang)-?(\d+)(?:[./]|$)"


@dataclass(frozen=True, slots=True)
class Compiler:
    """A clang: the words that start it, and where its own headers lie if it does not know."""

    command: tuple[str, ...]
    resources: Path | None = None

    @property
    def name(self) -> str:
        """For people: the path of the executable."""
        return self.command[0]


def compilers() -> Iterator[Compiler]:
    """Every clang that may do, best first; none for a machine without one.

    ``BEEBOX_CLANG`` (a path or a name on PATH) is used alone. Raises :exc:`NotSupportedError` where
    it names nothing that can be run.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        path = _which(chosen)
        if path is None:
            raise NotSupportedError(
                f"compiling C with {VARIABLE}={chosen}", hint="it names no executable file"
            )
        yield Compiler((path,))
        return
    for path in _on_path():
        yield Compiler((path,))
    packaged = _packaged()
    if packaged is not None:
        yield packaged


def _on_path() -> list[str]:
    """``clang`` and ``clang-NN`` of PATH, newest first, without those that are too old."""
    found: dict[str, tuple[str, int]] = {}
    for name in ("clang", *(f"clang-{major}" for major in range(_NEWEST, OLDEST - 1, -1))):
        path = _which(name)
        if path is not None:
            real = os.path.realpath(path)
            found.setdefault(real, (path, _version(path, real)))  # wrappers run by their own name
    ranked = sorted(found.values(), key=lambda item: -item[1])
    return [path for path, version in ranked if version >= OLDEST]


def _version(path: str, real: str) -> int:
    """The major version, read from the name where it is there; 0 where it cannot be told."""
    named = re.search(r"-(\d+)$", path) or re.search(_IN_A_PATH, real)
    return int(named[1]) if named else _asked_version(path)


@functools.cache
def _asked_version(path: str) -> int:
    try:
        done = subprocess.run(  # noqa: S603 -- a clang of the user's PATH, no shell
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    told = re.search(_VERSION, done.stdout[:4096].decode("utf-8", "replace"))
    return int(told[1]) if told else 0


def _packaged() -> Compiler | None:
    """The clang inside the package ziglang, found without importing the package."""
    from importlib.util import find_spec  # noqa: PLC0415 -- 3 ms, where no other is found

    package = find_spec("ziglang")
    for place in (package.submodule_search_locations or ()) if package else ():
        folder = Path(place)
        for name in ("zig", "zig.exe"):
            if os.access(folder / name, os.X_OK):
                return Compiler((str(folder / name), "clang"), folder / "lib")
    return None


def _which(name: str) -> str | None:
    """The first executable of that name on PATH; a name with a slash is a path."""
    if os.sep in name:
        places = [name]
    else:
        folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
        places = [os.path.join(folder, name) for folder in folders if folder]  # noqa: PTH118 -- 200 paths
    for place in places:
        if os.access(place, os.X_OK) and os.path.isfile(place):  # noqa: PTH113 -- as above
            return os.path.abspath(place)  # noqa: PTH100 -- as above
    return None
