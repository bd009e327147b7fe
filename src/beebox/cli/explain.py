"""``beebox explain``: what a kernel's verifier log says, in the form of ``beebox verify``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from beebox import api
from beebox.cli.btf_option import btf_option
from beebox.cli.output import current, example, global_options
from beebox.cli.selector import split_selector
from beebox.errors import InputError

if TYPE_CHECKING:
    from beebox.diagnose.kernel_log import KernelLog
    from beebox.verifier.result import Report

_ALIKE = 0.9


@click.command(
    "explain",
    short_help="Read a kernel's verifier log.",
    epilog=example(
        "beebox explain rejected.log",
        "beebox explain rejected.log firewall.o:main",
        "bpftool -d prog load firewall.o /sys/fs/bpf/fw 2>&1 | beebox explain -",
    ),
)
@click.argument("logfile", metavar="LOGFILE")
@click.argument("selector", metavar="[FILE[:PROGRAM]]", required=False)
@btf_option
@global_options
def explain_command(
    logfile: str, selector: str | None, btf: str | None, kconfig: str | None
) -> int:
    """Read LOGFILE ("-": standard input), a log of Linux's verifier, and say what it refuses.

    Logs of level 1 and 2, of kernels 5.15 to 6.18, with or without what loaders write around them.
    With the object in FILE, beebox verifies the program that the log is about, too: where both find
    the same, with changes that were tried and a counterexample.
    """
    from beebox.diagnose.kernel_log import parse  # noqa: PLC0415 -- on demand
    from beebox.diagnose.log_report import (  # noqa: PLC0415 -- on demand
        reading_data,
        render_reading,
    )
    from beebox.diagnose.reading import read  # noqa: PLC0415 -- on demand
    from beebox.verifier.reports.report import findings_data, render  # noqa: PLC0415 -- on demand

    output = current()
    log = parse(_text(logfile), file=logfile)
    report = _report(log, selector, btf=btf, kconfig=kconfig) if selector else None
    spec = report.spec if report is not None else None
    if log.accepted:
        if output.json:
            output.data(
                {
                    "file": logfile,
                    "verdict": "accepted",
                    "program": log.program,
                    "insns_processed": log.processed,
                }
            )
        else:
            output.text(f"{log.program or logfile}: the log refuses nothing")
        return 0
    reading = read(log)
    ours = report.findings[0] if report is not None and report.findings else None
    same = ours is not None and (ours.code, ours.pc) == (reading.code, reading.pc)
    if output.json:
        own = findings_data(report)[0] if report is not None and ours is not None else None
        output.data(
            {
                "file": logfile,
                "verdict": "rejected",
                "finding": reading_data(reading, spec),
                "beebox": own,
                "same": same if report is not None else None,
            }
        )
        return 0
    color = sys.stdout.isatty()
    if report is not None and same:
        output.text(render(report, color=color))
        output.text("the log and beebox find the same")
        return 0
    output.text(render_reading(reading, spec, color=color))
    if report is not None:
        output.text("beebox itself finds:" if ours is not None else "beebox itself:")
        output.text(render(report, color=color))
    return 0


def _text(logfile: str) -> str:
    data = sys.stdin.buffer.read() if logfile == "-" else api.read_bytes(Path(logfile))
    return data.decode("utf-8", errors="replace")


def _report(log: KernelLog, selector: str, *, btf: str | None, kconfig: str | None) -> Report:
    """Our verdict on the program that the log is about."""
    from beebox.diagnose.log_report import likeness  # noqa: PLC0415 -- on demand

    file, name = split_selector(selector)
    target = api.target_of(btf, kconfig=kconfig)
    spec = api.open_object(file, btf=btf)
    names = [name] if name is not None else list(spec.program_names)
    if name is None and log.program in names:
        names = [log.program]
    reports = api.verify(spec, programs=names, btf=target)
    best = max(reports, key=lambda each: likeness(log, each.spec))
    if log.path and likeness(log, best.spec) < _ALIKE:
        raise InputError(f"{selector}: holds no program with the instructions of the log")
    return api.verify(spec, programs=[best.spec.name], btf=target, explain=True)[0]
