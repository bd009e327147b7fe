"""What ``replay`` is asked to check: assertions on verdicts, differences from another program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from beebox.cli.output import Output
from beebox.userspace.checks import Assertion, Difference, Offender


def offender_data(offender: Offender) -> dict[str, Any]:
    """One packet, for ``-j``."""
    return {
        "capture": offender.file,
        "number": offender.number,
        "time_ns": offender.time_ns,
        "verdict": offender.verdict,
        "summary": offender.summary,
    }


def assertion_data(assertion: Assertion) -> dict[str, Any]:
    """An assertion's outcome, for ``-j``."""
    return {
        "assert": assertion.text,
        "matched": assertion.matched,
        "failed": assertion.failed,
        "first": [offender_data(each) for each in assertion.offenders],
    }


def difference_data(difference: Difference, other: str) -> dict[str, Any]:
    """What two programs disagree on, for ``-j``."""
    rows = sorted(difference.counts.items())
    return {
        "other": other,
        "packets": difference.packets,
        "counts": [
            {"verdict": ours, "other": theirs, "packets": count} for (ours, theirs), count in rows
        ],
        "first": [offender_data(each) for each in difference.offenders],
    }


def show_assertions(assertions: Sequence[Assertion], output: Output) -> None:
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


def show_difference(difference: Difference, name: str, other: str, output: Output) -> None:
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
