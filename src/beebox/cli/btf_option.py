"""``--btf``: which kernel's types an object is relocated against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def btf_option(command: F) -> F:
    """Add the option, given to the command as ``btf``, for ``api.target_of``."""
    return click.option(
        "--btf",
        metavar="FILE|kernel|self",
        help="Relocate (CO-RE) against these types; by default the running kernel's.",
    )(command)
