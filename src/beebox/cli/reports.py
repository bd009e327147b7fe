"""What a replay tells beside its verdicts: rates over time, reasons, costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from beebox.cli import plot
from beebox.cli.flows import flows_data, show_flows
from beebox.cli.output import Output
from beebox.cli.targets import show_targets, targets_data
from beebox.obj.model import LineInfo
from beebox.userspace.captures.summary import summary
from beebox.userspace.flows import Flows
from beebox.userspace.kernel import UserspaceCollection
from beebox.userspace.observers.profile import LineCost, Profile
from beebox.userspace.observers.rates import Rates
from beebox.userspace.observers.reasons import Reason, Reasons
from beebox.userspace.program import UserspaceProgram
from beebox.userspace.redirects import Redirects
from beebox.userspace.replay import Observer
from beebox.vm.observe import Observe

_SHOWN_REASONS: Final = 12
_WIDEST_SOURCE: Final = 72


def observe(*, reasons: bool, profile: bool) -> Observe:
    """What the program must write down for the reports that are asked for."""
    if profile:
        return Observe.COSTS
    return Observe.ORIGINS if reasons else Observe.NOTHING


class Reports:
    """The observers of one replay and what they have to say at its end."""

    def __init__(self, program: UserspaceProgram, live: UserspaceCollection) -> None:
        self._program = program
        self._rates = Rates()
        self._redirects = Redirects(live.maps)
        self._flows = Flows() if program.hook.gives_keys else None
        seen = program.observation
        self._profile: Profile | None = None
        self._reasons: Reasons | None = None
        if seen is not None:
            all_seen = [each.observation for each in live.programs.values() if each.observation]
            marks = {each.mark: each.verified.spec for each in [seen, *all_seen]}
            self._reasons = Reasons(seen, marks)
            if seen.observe is Observe.COSTS:
                self._profile = Profile(seen, [each for each in all_seen if each is not seen])

    @property
    def observers(self) -> list[Observer]:
        """In the order in which they must see each batch."""
        found: list[Observer] = [self._rates, self._redirects]
        found += [self._flows] if self._flows else []
        found += [self._profile] if self._profile else []
        return [*found, self._reasons] if self._reasons else found

    def data(self) -> dict[str, Any]:
        """Everything, for ``-j``; None for what was not asked for."""
        return {
            "rates": rates_data(self._rates),
            "reasons": reasons_data(self._reasons) if self._reasons else None,
            "profile": profile_data(self._profile) if self._profile else None,
            "redirects": targets_data(self._redirects.counts()),
            "clones": targets_data(self._program.clones.items()),
            "flows": flows_data(self._flows.counts()) if self._flows else None,
        }

    def show(self, output: Output) -> None:
        """Everything that was asked for, for people."""
        show_rates(self._rates, output)
        if self._reasons:
            show_reasons(self._reasons, output)
        show_targets("redirected to", self._redirects.counts(), output)
        show_targets("clones sent to", self._program.clones.items(), output)
        if self._flows:
            show_flows(self._flows.counts(), output)
        if self._profile:
            show_profile(self._profile, output)


def rates_data(rates: Rates) -> list[dict[str, Any]]:
    """Packets by verdict in each span of time, for ``-j``."""
    return [{"time": start, "verdicts": counts} for start, counts in rates.rows()]


def show_rates(rates: Rates, output: Output) -> None:
    """The plot; nothing where all packets fall into one bin."""
    series = {name: values.tolist() for name, values in rates.per_second().items()}
    if max((len(values) for values in series.values()), default=0) < 2:
        return
    output.text()
    for line in plot.rates(series, rates.seconds, "packets"):
        output.text(line)


def reasons_data(reasons: Reasons) -> list[dict[str, Any]]:
    """Reasons for ``-j``, in the order of the table."""
    return [
        {
            "verdict": each.verdict,
            "packets": each.packets,
            "program": each.program,
            "insn": each.pc if each.pc >= 0 else None,
            "file": each.line.file if each.line else None,
            "line": each.line.line if each.line else None,
            "source": each.line.text.strip() if each.line else None,
        }
        for each in reasons.found()
    ]


def show_reasons(reasons: Reasons, output: Output) -> None:
    """Verdicts by the source line that decided them, and by program where tail calls led on."""
    found = reasons.found()
    if not found:
        return
    several = len({each.program for each in found}) > 1
    rows = [
        [
            each.verdict,
            *([each.program] if several else []),
            _place(each),
            _source(each.line),
            str(each.packets),
        ]
        for each in found[:_SHOWN_REASONS]
    ]
    more = f", {_SHOWN_REASONS} largest" if len(found) > _SHOWN_REASONS else ""
    output.text()
    output.table(
        f"decided at {len(found)} {'place' if len(found) == 1 else 'places'}{more}",
        ["verdict", *(["program"] if several else []), "place", "source", "packets"],
        rows,
        right=4 if several else 3,
    )


def _place(reason: Reason) -> str:
    if reason.line is not None:
        return f"{Path(reason.line.file).name}:{reason.line.line}"
    return f"insn {reason.pc}" if reason.pc >= 0 else ""


def _source(line: LineInfo | None) -> str:
    text = line.text.strip() if line is not None else ""
    return text if len(text) <= _WIDEST_SOURCE else text[: _WIDEST_SOURCE - 3] + "..."


def profile_data(profile: Profile) -> dict[str, Any]:
    """Costs for ``-j``; ``insns`` are instructions executed."""
    return {
        "packets": profile.packets,
        "insns": profile.insns,
        "slowest": [
            {
                "packet": each.number,
                "insns": each.insns,
                "verdict": each.verdict,
                "time_ns": each.time_ns,
                "frame": each.frame.hex(),
            }
            for each in profile.slowest
        ],
        "lines": [
            {
                "file": each.file,
                "line": each.line,
                "insns": each.insns,
                "executions": each.executions,
                "source": each.text.strip(),
            }
            for each in profile.lines()
        ],
    }


def show_profile(profile: Profile, output: Output) -> None:
    """The most expensive packets, then the source with what each line cost."""
    mean = profile.insns / max(1, profile.packets)
    output.text()
    output.table(
        f"{profile.insns} instructions, {mean:.1f} per packet; the most expensive packets",
        ["packet", "verdict", "what", "insns"],
        [
            [str(each.number), each.verdict, summary(each.frame), str(each.insns)]
            for each in profile.slowest
        ],
        right=3,
    )
    lines = profile.lines()
    for file in dict.fromkeys(each.file for each in lines):
        _show_file(file, [each for each in lines if each.file == file], profile, output)


def _show_file(file: str, lines: list[LineCost], profile: Profile, output: Output) -> None:
    total, packets = max(1, profile.insns), max(1, profile.packets)
    output.text()
    output.table(
        file or "without line info",
        ["line", "source", "runs/packet", "insns/packet", "share"],
        [
            [
                str(each.line or ""),
                each.text.rstrip()[:_WIDEST_SOURCE],
                f"{each.executions / packets:.2f}",
                f"{each.insns / packets:.2f}",
                f"{100 * each.insns / total:.1f}%",
            ]
            for each in lines
        ],
        right=2,
    )
