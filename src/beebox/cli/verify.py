"""``beebox verify``: is every program of this object safe, and if not, why."""

from __future__ import annotations

import sys
from typing import Any

import click

from beebox import api
from beebox.cli.btf_option import btf_option
from beebox.cli.knobs import set_option, with_knobs
from beebox.cli.output import current, example, global_options
from beebox.cli.rules_options import Rules, rules_options
from beebox.cli.selector import split_selector
from beebox.obj.model import ProgramSpec
from beebox.verifier.log import Log
from beebox.verifier.report import findings_data, render
from beebox.verifier.result import Report


@click.command(
    "verify",
    short_help="Prove programs safe, or say why not.",
    epilog=example(
        "beebox verify examples/unsafe.py",
        "beebox verify -j firewall.o:main",
        "beebox verify -v examples/count.py",
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
@global_options
def verify_command(
    selector: str,
    knobs: tuple[str, ...],
    btf: str | None,
    kconfig: str | None,
    rules: Rules,
    verbose: bool,
) -> int:
    """Prove every program of FILE safe, or PROGRAM alone; exit status 1 when one is rejected.

    Programs that are not loaded unasked (SEC("?xdp")) are verified when they are named.
    """
    output = current()
    file, name = split_selector(selector)
    target = api.target_of(btf, kconfig=kconfig)
    spec = with_knobs(api.open_object(file, btf=btf), knobs)
    logs: list[Log] = []

    def observe(program: ProgramSpec) -> Log:
        logs.append(Log(program))
        return logs[-1]

    reports = api.verify(
        spec,
        programs=None if name is None else [name],
        btf=target,
        profile=rules.profile,
        kernel_version=rules.kernel_version,
        cost_limit=rules.cost_limit,
        timeout_s=rules.timeout_s,
        observe=observe if verbose else None,
        explain=True,
    )
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
        "verdict": "accepted" if report.accepted else "rejected",
        "insns_processed": report.insns_processed,
        "states": report.states,
        "time_ns": report.time_ns,
        "findings": list(findings_data(report)),
    }
