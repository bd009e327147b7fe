"""``vmlinux.h``: every type of a kernel, as C."""

from __future__ import annotations

from pathlib import Path

from beebox.errors import NotSupportedError


def folder(btf: Path | None = None) -> Path:
    """The folder that holds ``vmlinux.h`` of a BTF file, by default of the running kernel."""
    raise NotSupportedError(f"vmlinux.h of {btf or 'the running kernel'}")
