"""What a verification is asked for: the profile, the kernel whose types count, and when to stop."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from beebox.btf.types import Btf

if TYPE_CHECKING:
    from beebox.obj.model import ProgramSpec
    from beebox.obj.targets.target import Target


DEFAULT_COST_LIMIT: Final = 10_000_000
"""Instructions of one run: some 10 ms of native code."""


class Profile(Enum):
    """Whose rules count; its values are the words of ``--profile``."""

    KERNEL = "kernel"  # Linux 6.18's verdict on a privileged load
    STRICT = "strict"  # also no uninitialised reads, no pointer leaks, bounded cost
    UNPRIVILEGED = "unprivileged"  # Linux's on a load without CAP_PERFMON, speculation and all


@dataclass(frozen=True, slots=True)
class Options:
    """``cpus``: how many the program may run on. ``target``: the kernel that it runs in.

    ``version``: the release whose limits and features count, None for that of the tables.
    ``deadline_ns``: when to give up, on ``time.monotonic_ns``'s clock; None for never.
    ``replaces``: the program whose function an ext program takes the place of.
    ``cost_limit``: what a run may cost, in instructions, for the profile ``strict``.
    """

    profile: Profile = Profile.KERNEL
    cpus: int = 1
    target: Target | None = field(default=None, repr=False)
    version: str | None = None
    deadline_ns: int | None = None
    replaces: ProgramSpec | None = field(default=None, repr=False)
    cost_limit: int = DEFAULT_COST_LIMIT

    @property
    def kernel(self) -> Btf | None:
        """The types of the kernel that the program runs in, where they are known."""
        return self.target.btf if self.target is not None else None

    @property
    def allow_ptr_leaks(self) -> bool:
        """Whether the program may show pointers to who loads it (on Linux: CAP_PERFMON)."""
        return self.profile is Profile.KERNEL

    @property
    def allow_uninit_stack(self) -> bool:
        """Whether it may read stack bytes that were never written (on Linux: CAP_PERFMON)."""
        return self.profile is Profile.KERNEL

    @property
    def bypass_spec(self) -> bool:
        """Whether nobody asks what a mispredicted branch would do (on Linux: CAP_PERFMON)."""
        return self.profile is not Profile.UNPRIVILEGED


DEFAULT = Options()
