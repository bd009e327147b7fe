"""``--profile``, ``--kernel-version``, ``--cost-limit``, ``--timeout``: whose rules count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from math import isfinite
from typing import Any, TypeVar

import click

from beebox.api import ProfileName
from beebox.errors import InputError
from beebox.verifier.options import DEFAULT_COST_LIMIT, Profile

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Rules:
    """What a verification is asked for, as ``api.verify`` takes it."""

    profile: ProfileName
    kernel_version: str | None
    cost_limit: int | None
    timeout_s: float | None


def rules_options(command: F) -> F:
    """Add the options, given to the command as ``rules``."""

    @wraps(command)
    def with_rules(
        *arguments: object,
        profile: ProfileName,
        kernel_version: str | None,
        cost_limit: int | None,
        timeout: float | None,
        **options: object,
    ) -> object:
        if timeout is not None and not isfinite(timeout):
            raise InputError(f"--timeout: {timeout} is no number of seconds")
        if cost_limit is not None and profile != Profile.STRICT.value:
            raise InputError("--cost-limit counts with --profile strict only")
        rules = Rules(profile, kernel_version, cost_limit, timeout)
        return command(*arguments, rules=rules, **options)

    decorated: Any = with_rules
    for option in (
        click.option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="Refuse a program that has no verdict by then.",
        ),
        click.option(
            "--cost-limit",
            type=click.IntRange(min=1),
            metavar="INSNS",
            help="With strict: what one run may cost, in instructions. "
            f"[default: {DEFAULT_COST_LIMIT}]",
        ),
        click.option(
            "--kernel-version",
            metavar="VERSION",
            help="Refuse what that Linux lacks, such as 5.15.",
        ),
        click.option(
            "--profile",
            type=click.Choice([profile.value for profile in Profile]),
            default=Profile.KERNEL.value,
            show_default=True,
            help="Whose rules: a privileged loader's, stricter ones, those without CAP_PERFMON.",
        ),
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]  # click's decorators return what they get
