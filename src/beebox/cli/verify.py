"""``beebox verify``: is every program of this object safe, and if not, why."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from beebox import api
from beebox.cli.btf_option import btf_option
from beebox.cli.files import check_target, write_file
from beebox.cli.knobs import set_option, with_knobs
from beebox.cli.output import current, example, global_options
from beebox.cli.rules_options import Rules, rules_options
from beebox.cli.selector import split_selector
from beebox.diagnose.explorer.page import render as render_page
from beebox.diagnose.explorer.record import Recorder
from beebox.obj.model import ProgramSpec
from beebox.verifier.observer import Observer, Several
from beebox.verifier.reports.log import Log
from beebox.verifier.reports.report import findings_data, render
from beebox.verifier.result import Report


@click.command(
    "verify",
    short_help="Prove programs safe, or say why not.",
    epilog=example(
        "beebox verify examples/unsafe.py",
        "beebox verify -j firewall.o:main",
        "beebox verify -v examples/count.py",
        "beebox verify --explore page.html examples/unsafe.py",
        "beebox verify --profile strict --timeout 10 firewall.o",
        "beebox verify --kernel-version 5.15 --btf vmlinux-5.15.btf tracer.o",
    ),
)
@click.argument("selector", metavar="FILE[:PROGRAM]")
@set_option
@btf_option
@rules_options
@click.option(
    *("-v", "--verbose"), is_flag=True, help="Every explored state, as Linux's verifier log has it."
)
@click.option(
    "--explore",
    metavar="OUT.html",
    type=click.Path(path_type=Path),
    help="Write a page for a browser: source, bytecode, states, paths, and why.",
)
@global_options
def verify_command(
    selector: str,
    knobs: tuple[str, ...],
    btf: str | None,
    kconfig: str | None,
    rules: Rules,
    verbose: bool,
    explore: Path | None,
) -> int:
    """Prove every program of FILE safe, or PROGRAM alone; exit status 1 when one is rejected.

    Programs that are not loaded unasked (SEC("?xdp")) are verified when they are named.
    """
    output = replace(current(), aside=str(explore) == "-")
    file, name = split_selector(selector)
    if explore is not None:
        check_target(explore, [file], output, option="--explore")
    target = api.target_of(btf, kconfig=kconfig)
    spec = with_knobs(api.open_object(file, btf=btf), knobs)
    logs: list[Log] = []
    recorders: list[Recorder] = []

    def observe(program: ProgramSpec) -> Observer:
        watching: list[Observer] = []
        if verbose:
            logs.append(Log(program))
            watching.append(logs[-1])
        if explore is not None:
            recorders.append(Recorder(program))
            watching.append(recorders[-1])
        return Several(watching)

    reports = api.verify(
        spec,
        programs=None if name is None else [name],
        btf=target,
        profile=rules.profile,
        kernel_version=rules.kernel_version,
        cost_limit=rules.cost_limit,
        timeout_s=rules.timeout_s,
        observe=observe if verbose or explore is not None else None,
        explain=True,
    )
    if explore is not None:
        for recorder, report in zip(recorders, reports, strict=True):
            recorder.finish(report)
        write_file(explore, render_page(recorders).encode())
    lines = [log.finish(report) for log, report in zip(logs, reports, strict=False)]
    if output.json:
        programs = [_data(report, rules) for report in reports]
        for program, log in zip(programs, lines, strict=False):
            program["log"] = log
        output.data({"file": str(file), "programs": programs})
    else:
        color = sys.stdout.isatty()
        for index, report in enumerate(reports):
            for line in lines[index] if verbose else ():
                output.text(line)
            output.text(render(report, color=color))
            if not report.accepted:
                output.text(f"{report.spec.name}: rejected")
    return 0 if all(report.accepted for report in reports) else 1


def _data(report: Report, rules: Rules) -> dict[str, Any]:
    return {
        "name": report.spec.name,
        "section": report.spec.section,
        "type": report.spec.type.value.name,
        "profile": report.profile,
        "kernel_version": rules.kernel_version,
        "cost_bound": report.notes.get("cost_bound"),
        "verdict": "accepted" if report.accepted else "rejected",
        "insns_processed": report.insns_processed,
        "states": report.states,
        "time_ns": report.time_ns,
        "findings": list(findings_data(report)),
    }
