"""The running kernel's verdict on generated programs, and a disagreement for reading."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Self

from beebox.isa.disassembler import listing
from beebox.linux.kernel import LinuxKernel
from beebox.linux.load import Verdict, verdict
from beebox.obj.model import MapSpec, ObjectSpec, ProgramSpec
from beebox.tables.program_types import AttachType, ProgramType
from beebox.verifier.reports.report import render
from beebox.verifier.result import Report


class Oracle:
    """The running kernel, with ``maps`` made once for each kind of program. A context manager.

    Maps that programs of one kind used, programs of another may not use: prog arrays, device maps.
    """

    def __init__(self, maps: Mapping[str, MapSpec]) -> None:
        self._maps = maps

    def __enter__(self) -> Self:
        self._resources = ExitStack()
        self._fds: dict[tuple[ProgramType, AttachType | None], dict[str, int]] = {}
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def verdict(self, spec: ProgramSpec, *, log_level: int = 4) -> Verdict:
        """Linux's verdict."""
        kind = (spec.type, spec.attach_type)
        if kind not in self._fds:
            live = self._resources.enter_context(LinuxKernel().load(ObjectSpec({}, self._maps)))
            self._fds[kind] = {name: live.maps[name].fd for name in self._maps}
        return verdict(spec, self._fds[kind], log_level=log_level)


def describe(spec: ProgramSpec, ours: Report, theirs: Verdict) -> str:
    """A disagreement, for reading."""
    code = "\n".join(f"{pc:4}: {line}" for pc, line in listing(spec.insns))
    log = "\n".join(theirs.log.strip().splitlines()[-25:])
    kind = spec.type.name + (f"/{spec.attach_type.name}" if spec.attach_type else "")
    return f"{kind}\n{code}\n--- linux: {theirs.errno}\n{log}\n--- ours\n{render(ours)}"
