"""``--btf`` and ``--kconfig``: which kernel's types and values an object is relocated against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def btf_option(command: F) -> F:
    """Add both, given to the command as ``btf`` and ``kconfig``, for ``api.target_of``."""
    command = click.option(
        "--kconfig",
        metavar="FILE",
        help="The .config of the kernel: its CONFIG values, and its version.",
    )(command)
    return click.option(
        "--btf",
        metavar="FILE|kernel|self",
        help="Relocate (CO-RE) against these types; by default the running kernel's.",
    )(command)
