"""What every test may ask for, and the one rule on skipping.

A test marked ``linux`` runs, and may fail, wherever bpf(2) can be used; elsewhere it is skipped
with the kernel's reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from beebox.clang.run import compile_c
from beebox.linux.features import why_not
from beebox.linux.kernel import LinuxKernel
from beebox.linux.load import Verdict
from beebox.obj.model import ProgramSpec

# A busy machine is not a fault; and what is tested for a change is the same every time (fuzz/ is
# for new inputs).
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("suite"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip ``linux`` tests where this process may not use bpf(2)."""
    wanting = [item for item in items if item.get_closest_marker("linux")]
    if not wanting:
        return
    reason = why_not()
    if reason is not None:
        for item in wanting:
            item.add_marker(pytest.mark.skip(reason=f"needs bpf(2): {reason}"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The project's root folder."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def kernel_verdict() -> Callable[[ProgramSpec], Verdict]:
    """Ask the running kernel about a linked program: for tests marked ``linux``."""
    return LinuxKernel().verdict


@pytest.fixture(scope="session")
def clang_object(repository: Path) -> Callable[..., bytes]:
    """Compile ``tests/data/c/NAME.c`` for BPF: the object's bytes, each compiled once."""

    @cache
    def compiled(name: str, *options: str) -> bytes:
        return compile_c(repository / "tests/data/c" / f"{name}.c", options).data

    return compiled
