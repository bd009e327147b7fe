"""An older kernel to ask: Debian's, in qemu's software emulation, with Python as first process.

``qemu-system-x86`` and ``busybox-static`` are Debian packages; the kernel is the one of
``linux-image-cloud-amd64``, unpacked (``apt-get download``, ``dpkg-deb -x``) into a folder of
``$XDG_CACHE_HOME/beebox-vm``. Where one of them is missing, :func:`why_not` says so.
"""

from __future__ import annotations

import gzip
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from beebox.obj.model import MapSpec, ProgramSpec

QEMU: Final = "qemu-system-x86_64"
BUSYBOX: Final = Path("/usr/bin/busybox")
_CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "beebox-vm"
_SOURCES: Final = Path(__file__).parents[2] / "src"
_GUEST: Final = Path(__file__).with_name("old_kernel_guest.py")
_INIT: Final = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
export PYTHONHOME={home} PYTHONPATH=/src LD_LIBRARY_PATH={libraries} PYTHONDONTWRITEBYTECODE=1
exec {python} /guest.py
"""
_LISTS_MODULES: Final = """
import runpy, sys
runpy.run_path({guest!r}, run_name="guest")
print("\\n".join(str(m.__file__) for m in list(sys.modules.values()) if getattr(m, "__file__", "")))
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the kernel said: ``errno`` 0 for yes."""

    errno: int
    log: str
    insns_processed: int

    @property
    def accepted(self) -> bool:
        """Whether it was loaded, or made."""
        return self.errno == 0


def kernel(release: str) -> Path | None:
    """The image of a kernel of that release, where it was put."""
    found = sorted(_CACHE.glob(f"*/boot/vmlinuz-{release}.*"))
    return found[-1] if found else None


def why_not(release: str) -> str | None:
    """Why that kernel cannot be asked here; None: it can."""
    if shutil.which(QEMU) is None:
        return f"{QEMU} is not installed"
    if not BUSYBOX.exists():
        return f"{BUSYBOX} is not installed"
    if shutil.which("cpio") is None:
        return "cpio is not installed"
    if kernel(release) is None:
        return f"no kernel {release} in {_CACHE}"
    return None


def ask(
    release: str, questions: Sequence[ProgramSpec | MapSpec], *, seconds: float = 300
) -> list[Answer]:
    """Boot the kernel, have it load every program and make every map, and switch it off."""
    image = kernel(release)
    assert image is not None, why_not(release)
    with tempfile.TemporaryDirectory() as folder:
        root, initrd = Path(folder) / "root", Path(folder) / "initrd.gz"
        _make_root(root, questions)
        _pack(root, initrd)
        done = subprocess.run(
            [
                *(QEMU, "-accel", "tcg", "-cpu", "max", "-m", "2048", "-smp", "1"),
                *("-nographic", "-no-reboot", "-kernel", image, "-initrd", initrd),
                *("-append", "console=ttyS0 quiet panic=-1 lsm=lockdown,capability,landlock,bpf"),
            ],
            capture_output=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    printed = done.stdout.decode(errors="replace")
    found = re.search(r"=== answers (.*) === end of answers", printed)
    assert found is not None, printed[-3000:]
    data = json.loads(found[1])
    assert data["release"].startswith(f"{release}."), data["release"]
    return [Answer(*row) for row in data["answers"]]


def _make_root(root: Path, questions: Sequence[ProgramSpec | MapSpec]) -> None:
    python = Path(sys.executable).resolve()
    for name in ("proc", "sys", "dev", "tmp", "bin"):
        (root / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    shutil.copy(_GUEST, root / "guest.py")
    (root / "questions").write_bytes(pickle.dumps(list(questions)))
    listed = subprocess.run(
        [python, "-c", _LISTS_MODULES.format(guest=str(_GUEST))],
        env={**os.environ, "PYTHONPATH": str(_SOURCES)},
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split("\n")
    home = Path(os.__file__).parents[2]
    stdlib = Path(os.__file__).parent
    files = {Path(line) for line in listed if line.startswith(str(stdlib))}
    files |= set((stdlib / "encodings").glob("*.py"))
    for file in files:
        _copy(file, root)
    shutil.copytree(
        _SOURCES / "beebox", root / "src/beebox", ignore=shutil.ignore_patterns("__pycache__")
    )
    _copy(python, root)
    libraries = _libraries([python, *(file for file in files if file.suffix == ".so")])
    for library in libraries:
        _copy(library, root)
    folders = ":".join(sorted({str(library.parent) for library in libraries}))
    init = root / "init"
    init.write_text(_INIT.format(home=home, python=python, libraries=folders))
    init.chmod(0o755)


def _copy(file: Path, root: Path) -> None:
    target = root / str(file).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, target)


def _libraries(binaries: Sequence[Path]) -> set[Path]:
    listed = subprocess.run(["ldd", *binaries], capture_output=True, check=True, text=True).stdout
    return {Path(path) for path in re.findall(r"(?:=> |^\t)(/\S+) \(", listed, re.MULTILINE)}


def _pack(root: Path, initrd: Path) -> None:
    names = "\n".join(str(path.relative_to(root)) for path in root.rglob("*"))
    packed = subprocess.run(
        ["cpio", "--quiet", "-o", "-H", "newc"],
        input=names.encode(),
        cwd=root,
        capture_output=True,
        check=True,
    ).stdout
    initrd.write_bytes(gzip.compress(packed, 1))
