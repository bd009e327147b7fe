"""``FILE[:PROGRAM]``: a file, and which of its programs is meant."""

from __future__ import annotations

import os
from pathlib import Path

from beebox import api
from beebox.errors import InputError
from beebox.obj.model import ObjectSpec


def split_selector(selector: str) -> tuple[Path, str | None]:
    """``FILE`` or ``FILE:PROGRAM``; a file that exists under the whole name wins."""
    file, colon, name = selector.rpartition(":")
    named = colon and file and Path(file).suffix in api.SOURCE_SUFFIXES
    if not named or os.path.exists(selector):  # noqa: PTH110 -- False for impossible names
        return Path(selector), None
    return Path(file), name


def chosen(spec: ObjectSpec, name: str | None) -> tuple[str, ...]:
    """The program named, or those that are loaded unasked: all, where there are no such.

    Raises :exc:`InputError` for an unknown name.
    """
    return api.chosen(spec, None if name is None else [name]) or spec.program_names


def choose(spec: ObjectSpec, name: str | None) -> str:
    """The program to use: the named one, or the only one. Raises :exc:`InputError`."""
    names = chosen(spec, name)
    if len(names) > 1:
        choices = ", ".join(f"{spec.file}:{each}" for each in names)
        raise InputError(f"{spec.file}: holds several programs; choose one of {choices}")
    return names[0]
