"""What a verification is asked for: the profile, the kernel whose types count, and when to stop."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from beebox.btf.types import Btf

if TYPE_CHECKING:
    from beebox.obj.targets.target import Target


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
    """

    profile: Profile = Profile.KERNEL
    cpus: int = 1
    target: Target | None = field(default=None, repr=False)
    version: str | None = None
    deadline_ns: int | None = None

    @property
    def kernel(self) -> Btf | None:
        """The types of the kernel that the program runs in, where they are known."""
        return self.target.btf if self.target is not None else None

    @property
    def privileged(self) -> bool:
        """Whether the loader is trusted with pointers and uninitialised bytes (CAP_PERFMON)."""
        return self.profile is Profile.KERNEL


DEFAULT = Options()
