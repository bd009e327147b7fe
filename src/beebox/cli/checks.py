"""What ``replay`` is asked to check: assertions on verdicts, differences from another program."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from beebox.cli.output import Output
from beebox.errors import InputError
from beebox.userspace.captures.writing import CaptureWriter
from beebox.userspace.observers.checks import Assertion, Difference, Offender
from beebox.userspace.program import UserspaceProgram
from beebox.userspace.replay import Clock, Observer


class Checks:
    """The checks of one replay and what they have to say at its end; a context manager."""

    def __init__(self, program: UserspaceProgram, claims: Sequence[str]) -> None:
        self._program = program
        self._other = ""
        self._difference: Difference | None = None
        with ExitStack() as stack:
            hook = program.hook
            self._assertions = [stack.enter_context(Assertion(each, hook)) for each in claims]
            self._stack = stack.pop_all()

    def compare(
        self,
        second: UserspaceProgram,
        name: str,
        *,
        clock: Clock,
        writer: CaptureWriter | None,
    ) -> None:
        """Compare with another program, which is called ``name``.

        Raises :exc:`InputError` where it is of another type, whose verdicts mean other things.
        """
        ours, theirs = (each.spec.type.value.name for each in (self._program, second))
        if ours != theirs:
            raise InputError(f"--diff {name}: a {theirs} program; the first one is {ours}")
        self._difference = Difference(self._program, second, clock=clock, writer=writer)
        self._other = name

    @property
    def observers(self) -> list[Observer]:
        """What must see each batch."""
        found: list[Observer] = [*self._assertions]
        return found if self._difference is None else [*found, self._difference]

    @property
    def broken(self) -> bool:
        """Whether an assertion does not hold."""
        return any(each.failed for each in self._assertions)

    def data(self) -> dict[str, Any]:
        """Everything, for ``-j``."""
        difference = self._difference
        return {
            "assertions": [_assertion_data(each) for each in self._assertions],
            "diff": _difference_data(difference, self._other) if difference else None,
        }

    def show(self, output: Output) -> None:
        """Everything, for people."""
        if self._difference is not None:
            _show_difference(self._difference, self._program.spec.name, self._other, output)
        _show_assertions(self._assertions, output)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()


def _offender_data(offender: Offender) -> dict[str, Any]:
    return {
        "capture": offender.file,
        "number": offender.number,
        "time_ns": offender.time_ns,
        "verdict": offender.verdict,
        "summary": offender.summary,
    }


def _assertion_data(assertion: Assertion) -> dict[str, Any]:
    """An assertion's outcome, for ``-j``."""
    return {
        "assert": assertion.text,
        "matched": assertion.matched,
        "failed": assertion.failed,
        "first": [_offender_data(each) for each in assertion.offenders],
    }


def _difference_data(difference: Difference, other: str) -> dict[str, Any]:
    """What two programs disagree on, for ``-j``."""
    rows = sorted(difference.counts.items())
    return {
        "other": other,
        "packets": difference.packets,
        "counts": [
            {"verdict": ours, "other": theirs, "packets": count} for (ours, theirs), count in rows
        ],
        "first": [_offender_data(each) for each in difference.offenders],
    }


def _show_assertions(assertions: Sequence[Assertion], output: Output) -> None:
    """Each assertion in a line, the first packets that break it below."""
    for each in assertions:
        output.text()
        if not each.matched:
            output.text(f"assert {each.text}: no packet matches")
        elif not each.failed:
            output.text(f"assert {each.text}: holds for {each.matched} packets")
        else:
            output.text(f"assert {each.text}: broken by {each.failed} of {each.matched} packets")
            _show_offenders(each.offenders, each.failed, output)


def _show_difference(difference: Difference, name: str, other: str, output: Output) -> None:
    """How many packets differ and how, the first ones below."""
    output.text()
    if not difference.packets:
        output.text(f"{other} treats every packet alike")
        return
    rows = [
        [ours, theirs if ours != theirs else f"{theirs}, other bytes", str(count)]
        for (ours, theirs), count in sorted(difference.counts.items())
    ]
    title = f"{difference.packets} packets differ"
    output.table(title, [name, other, "packets"], rows, right=2)
    _show_offenders(difference.offenders, difference.packets, output)


def _show_offenders(offenders: Sequence[Offender], count: int, output: Output) -> None:
    files = {each.file for each in offenders}
    for each in offenders:
        where = f"{each.file} " if len(files) > 1 else ""
        output.text(f"  {where}{each.line}")
    if count > len(offenders):
        output.text(f"  and {count - len(offenders)} more")
