"""``--set NAME=VALUE``: globals and constants of an object, changed before it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from beebox.btf.values import Value
from beebox.cli.elements import is_element
from beebox.errors import InputError
from beebox.obj.globals import get_global, set_global
from beebox.obj.model import ObjectSpec

F = TypeVar("F", bound=Callable[..., Any])


def set_option(command: F) -> F:
    """Add the option, given to the command as ``knobs``."""
    return click.option(
        "--set",
        "knobs",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set a global or constant before load, or MAP[KEY]=VALUE; may be given again.",
    )(command)


def with_knobs(spec: ObjectSpec, knobs: tuple[str, ...]) -> ObjectSpec:
    """``spec`` with every NAME=VALUE set; elements of maps are left for after load.

    Raises :exc:`InputError` for what does not fit.
    """
    for knob in knobs:
        if is_element(knob):
            continue
        name, equals, text = knob.partition("=")
        if not equals:
            raise InputError(f"--set {knob}: write NAME=VALUE")
        try:
            spec = set_global(spec, name, _value(get_global(spec, name), text))
        except (InputError, ValueError) as cause:
            raise InputError(f"--set {knob[:160]}: {cause}") from cause
    return spec


def _value(now: Value, text: str) -> Value:
    """``text`` read as what the variable holds now."""
    match now:
        case bool():
            if text not in {"true", "false", "0", "1"}:
                raise InputError(f"{text!r} is neither true nor false")
            return text in {"true", "1"}
        case int():
            try:
                return int(text, 0)
            except ValueError:
                raise ValueError(f"{text[:64]!r} is no whole number") from None
        case float():
            return float(text)
        case str():
            return text
        case _:
            raise InputError("only numbers, truth values and text can be set here")
