"""Reports: findings as text for people and as plain data for programs.

The order is that of newer kernels' diagnostics: what, where, how it came to be, what to do, and
last the kernel's one line, for searching.
"""

from __future__ import annotations

from typing import Any

from beebox.obj.model import ProgramSpec
from beebox.tables.findings import FINDINGS
from beebox.verifier.result import Counterexample, Finding, Report, Search, Suggestion

_TEXT_COLUMNS = 44
_MOST_HEX = 3 * 64


def findings_data(report: Report) -> tuple[dict[str, Any], ...]:
    """The findings with the fields of ``verify -j``."""
    return tuple(
        {
            "code": finding.code,
            "category": FINDINGS[finding.code].category,
            "insn": finding.pc,
            "file": finding.file,
            "line": finding.line,
            "column": finding.column,
            "message": finding.message,
            "path": [_step(report.spec, pc, text) for pc, text in finding.path],
            "missing": finding.missing,
            "hint": hint_of(finding),
            "suggestions": [_suggestion(each) for each in finding.suggestions],
            "counterexample": _counterexample(finding.counterexample),
            "kernel_message": finding.kernel_message,
        }
        for finding in report.findings
    )


def render(report: Report, *, color: bool = False) -> str:
    """The whole report as text; an accepted program is one line."""
    if report.accepted:
        return (
            f"{report.spec.name}: accepted; {report.insns_processed} instructions processed, "
            f"{report.states} states"
        )
    return "\n".join(_render(report.spec, finding, color=color) for finding in report.findings)


def _step(spec: ProgramSpec, pc: int, text: str) -> dict[str, Any]:
    place = spec.line_at(pc)
    return {"insn": pc, "line": place.line if place is not None else None, "text": text}


def _suggestion(given: Suggestion) -> dict[str, Any]:
    return {
        "text": given.text,
        "tried": given.tried,
        "accepted": given.accepted,
        "insn": given.pc,
        "insns": list(given.insns),
        "then": given.then or None,
    }


def _counterexample(found: Counterexample | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "outcome": found.outcome.value,
        "text": found.text,
        "runs": found.runs,
        "packet": None if found.packet is None else found.packet.hex(),
        "context": dict(found.context),
        "maps": [dict(zip(("map", "what", "value"), row, strict=True)) for row in found.maps],
        "calls": [
            dict(zip(("insn", "function", "result"), row, strict=True)) for row in found.calls
        ],
    }


def hint_of(finding: Finding) -> str:
    """What to do about a finding: its own hint, else the one of its row."""
    return finding.hint or FINDINGS[finding.code].hint


def _render(spec: ProgramSpec, finding: Finding, *, color: bool) -> str:
    place = spec.line_at(finding.pc)
    if place is not None:
        variable = _variable(spec, finding)
        named = f"  ({variable})" if variable else ""
        where = f"{place.file}:{place.line}:{place.column}{named}"
    else:
        where = f"{spec.name}, insn {finding.pc}"
    rows = [(*_source(spec, pc), text) for pc, text in finding.path]
    below = [f"missing: {finding.missing}"] if finding.missing else []
    below += _help(finding)
    if finding.counterexample is not None:
        below += _shown(finding.counterexample)
    if finding.kernel_message:
        below.append(f"kernel: {finding.kernel_message}")
    at_fault = _source(spec, finding.pc)
    return layout(finding.code, finding.message, where, rows, at_fault, below, color=color)


def layout(
    code: str,
    message: str,
    where: str,
    rows: list[tuple[str, str, str]],
    at_fault: tuple[str, str],
    below: list[str],
    *,
    color: bool = False,
) -> str:
    """The form of every explanation: what, where, the path as (label, source, text), what to do."""
    red, bold, plain = ("\x1b[31m", "\x1b[1m", "\x1b[0m") if color else ("", "", "")
    row = FINDINGS[code]
    out = [f"{red}error{plain}{bold}: {row.category}: {message}{plain}  [{code}]"]
    out.append(f"  --> {where}")
    rows = rows[:]
    if rows and rows[-1][0] == at_fault[0]:
        rows[-1] = (*at_fault, f"{rows[-1][2]}; {row.title}")
    else:
        rows.append((*at_fault, row.title))
    width = max(len(label) for label, _, _ in rows)
    for label, source, text in rows:
        shown = source if len(source) <= _TEXT_COLUMNS else source[: _TEXT_COLUMNS - 3] + "..."
        out.append(f"  {label:>{width}} | {shown:<{_TEXT_COLUMNS}}  {text}".rstrip())
    return "\n".join([*out, *(f"  {line}" for line in below)])


def _help(finding: Finding) -> list[str]:
    """What to do: changes that were tried, with what came of them, or else the hint."""
    out: list[str] = []
    for given in finding.suggestions:
        if f"help: {given.text}" not in out:
            out.append(f"help: {given.text}")
        if given.tried:
            came = "the program is accepted" if given.accepted else f"then {given.then} is next"
            out.append(f"      tried, before insn {given.pc}, {came}: {'; '.join(given.insns)}")
    if not out and hint_of(finding):
        out.append(f"help: {hint_of(finding)}")
    return out


def _shown(found: Counterexample) -> list[str]:
    """The run, as far as it has been found."""
    if found.outcome is not Search.FOUND:
        return [f"counterexample: {found.text}"]
    out = [f"counterexample, seen in the interpreter: {found.text}"]
    if found.packet is not None:
        out.append(f"      packet of {len(found.packet)} bytes: {_hex(found.packet)}")
    if found.context:
        fields = ", ".join(f"{name} = {value:#x}" for name, value in found.context)
        out.append(f"      context: {fields}")
    for name, what, value in found.maps:
        whose = name if name == "memory" else f"map {name}"
        out.append(f"      {whose}, {what}: {value}")
    out += [f"      insn {pc}: {name} gives {result}" for pc, name, result in found.calls]
    return out


def _hex(data: bytes) -> str:
    """Bytes up to the last that is not 0."""
    shown = data.rstrip(b"\0")
    if not shown:
        return "all 0"
    rest = f", then {len(data) - len(shown)} of 0" if len(shown) < len(data) else ""
    text = shown.hex(" ")
    return (text if len(text) <= _MOST_HEX else text[:_MOST_HEX] + " ...") + rest


def _source(spec: ProgramSpec, pc: int) -> tuple[str, str]:
    """``(line number, source text)``, or the instruction where there is no source."""
    place = spec.line_at(pc)
    if place is not None and place.line:
        return str(place.line), place.text.strip()
    from beebox.isa.disassembler import text  # noqa: PLC0415 -- only programs without line info

    insn = spec.slots[pc] if pc < len(spec.slots) else None
    return f"insn {pc}", text(insn) if insn is not None else ""


def _variable(spec: ProgramSpec, finding: Finding) -> str | None:
    """The source name of the value at fault: where it is used, or else where it was made."""
    words = finding.kernel_message.split()
    if not words or words[0][:1] != "R" or not words[0][1:].isdigit():
        return None
    reg = int(words[0][1:])
    places = [finding.pc, *(pc for pc, _ in reversed(finding.path))]
    names = (spec.variable_at(pc, reg=reg) for pc in places)
    return next((name for name in names if name is not None), None)
