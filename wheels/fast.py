"""Build the optional wheel: the same package, with the verifier compiled by mypyc.

The sources are those of the pure wheel, and stay in it beside the native modules. Needs a C
compiler (``CC``, a ``cc`` on PATH, or ziglang's) and Python's headers. ``make wheel-fast`` puts the
wheel into ``dist/``; ``--tree DIR`` leaves the compiled sources in DIR, ready for PYTHONPATH.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import io
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
COMPILED: Final = (
    "isa/instruction.py",
    "isa/semantics.py",
    *(
        f"verifier/{name}.py"
        for name in (
            "accesses/arena",
            "helpers/arguments",
            "arithmetic",
            "numbers/branch",
            "helpers/callbacks",
            "helpers/calls",
            "shape/cfg",
            "pruning/compaction",
            "comparison",
            "accesses/context",
            "pruning/covers",
            "shape/depth",
            "shape/early",
            "entry",
            "exits",
            "explore",
            "findings",
            "states/guards",
            "immediates",
            "states/join",
            "pruning/liveness",
            "pruning/loops",
            "accesses/memory",
            "options",
            "accesses/packet",
            "path",
            "pruning/prune",
            "states/references",
            "result",
            "shape/rights",
            "numbers/scalar",
            "accesses/special",
            "accesses/stack",
            "states/state",
            "numbers/tnum",
            "numbers/transfer",
            "states/value",
            "kfuncs/call",
            "fields/exception_callback",
            "fields/exceptions",
            "fields/lookup",
            "fields/record",
            "subprograms/calls",
            "profiles/leaks",
            "profiles/written",
            "dynptrs/slots",
        )
    ),
)
"""What mypyc compiles, below ``src/beebox``: what every program and most instructions run."""

_SETUP: Final = """
import sys
from mypyc.build import mypycify
from setuptools import setup

level, *files = sys.argv[1:]
sys.argv[1:] = ["build_ext", "--inplace"]
setup(
    name="beebox-fast",
    package_dir={"": "src"},
    packages=[],
    ext_modules=mypycify(["--config-file=mypy.ini", *files], opt_level=level),
)
"""
_MYPY: Final = """[mypy]
mypy_path = src
explicit_package_bases = True
namespace_packages = True
follow_imports = silent
"""


class CannotBuildError(Exception):
    """The build failed, or the machine lacks what it needs (``missing``)."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


def compiler() -> str:
    """The C compiler's command."""
    if os.environ.get("CC"):
        return os.environ["CC"]
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return name
    try:
        import ziglang  # noqa: F401, PLC0415 -- found, not used here
    except ImportError:
        text = "no C compiler: set CC, or install one or ziglang"
        raise CannotBuildError(text, missing=True) from None
    return shlex.join([sys.executable, "-m", "ziglang", "cc"])


def sources() -> list[str]:
    """The files to compile, relative to the tree."""
    return [f"src/beebox/{name}" for name in COMPILED]


def build_tree(tree: Path, *, level: str = "3") -> None:
    """Copy ``src`` into ``tree`` and compile it there, in place."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if not header.exists():
        raise CannotBuildError(f"Python's headers are missing: {header}", missing=True)
    tree.mkdir(parents=True, exist_ok=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(ROOT / "src", tree / "src", ignore=ignored)
    (tree / "mypy.ini").write_text(_MYPY)
    (tree / "setup.py").write_text(_SETUP)
    done = subprocess.run(
        [sys.executable, "setup.py", level, *sources()],
        cwd=tree,
        env={**os.environ, "CC": compiler()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotBuildError("\n".join((done.stdout + done.stderr).splitlines()[-20:]))


def wheel(tree: Path, into: Path) -> Path:
    """The platform's wheel: the pure one, with the native modules of ``tree`` added."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        command += ["--no-build-isolation", "--wheel-dir", folder, str(ROOT)]
        subprocess.run(command, check=True)
        (pure,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(pure) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    for path in sorted((tree / "src").rglob("*.so")):
        files[str(path.relative_to(tree / "src"))] = path.read_bytes()
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    (info,) = {name.partition("/")[0] for name in files if ".dist-info/" in name}
    tagged = files[f"{info}/WHEEL"].decode()
    tagged = tagged.replace("Root-Is-Purelib: true", "Root-Is-Purelib: false")
    files[f"{info}/WHEEL"] = tagged.replace(
        "py3-none-any", f"{python}-{python}-{platform}"
    ).encode()
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    into.mkdir(parents=True, exist_ok=True)
    made = into / pure.name.replace("py3-none-any", f"{python}-{python}-{platform}")
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made


def _record(files: dict[str, bytes], own: str) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for name, data in files.items():
        if name != own:
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.writerow([name, f"sha256={digest}", len(data)])
    rows.writerow([own, "", ""])
    return text.getvalue().encode()


def main() -> int:
    """Build, and say where the wheel is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tree", type=Path, help="leave the compiled sources there, make no wheel")
    parser.add_argument("--level", default="3", help="the C compiler's optimisation level")
    parser.add_argument("--into", type=Path, default=ROOT / "dist")
    options = parser.parse_args()
    try:
        if options.tree:
            build_tree(options.tree, level=options.level)
            print(options.tree / "src")
            return 0
        with tempfile.TemporaryDirectory() as folder:
            build_tree(Path(folder) / "build", level=options.level)
            print(wheel(Path(folder) / "build", options.into))
    except CannotBuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
