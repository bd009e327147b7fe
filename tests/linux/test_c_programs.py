"""Programs written for libbpf, compiled with our headers alone: the running kernel takes them."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

import beebox
from beebox.errors import NotSupportedError, SyscallError
from beebox.obj.model import ObjectSpec, Pinning

pytestmark = pytest.mark.linux

NOWHERE = {"structs"}
"""Programs on functions that no kernel has."""
SOURCES = [
    path
    for path in sorted((Path(__file__).parents[1] / "data/libbpf").glob("*.c"))
    if path.stem not in NOWHERE
]
SINCE = {"iterators": (6, 9), "kfuncs": (6, 7)}
"""What a program needs of Linux, beyond all that the tests need."""
TRAMPOLINES = ("fentry/", "fexit/", "lsm/")
"""What some kernels refuse with EPERM and an empty log, though their BTF offers it."""


def unpinned(spec: ObjectSpec) -> ObjectSpec:
    maps = {name: replace(row, pinning=Pinning.NONE) for name, row in spec.maps.items()}
    return replace(spec, maps=maps)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_loads(path: Path):
    major, minor, *_ = (int(word) for word in os.uname().release.split("-")[0].split("."))
    if (major, minor) < SINCE.get(path.stem, (0, 0)):
        pytest.skip(f"needs Linux {SINCE[path.stem]}")
    spec = unpinned(beebox.open_object(path))
    for name in spec.program_names:
        try:
            with beebox.load(spec, kernel="linux", programs=[name]) as live:
                assert name in live.programs
        except NotSupportedError as error:
            cause = error.__cause__
            refused = isinstance(cause, SyscallError) and cause.errno == errno.EPERM
            if not refused or not spec.sections[name].startswith(TRAMPOLINES):
                raise
            pytest.skip(f"this kernel refuses {spec.sections[name]} with EPERM")
