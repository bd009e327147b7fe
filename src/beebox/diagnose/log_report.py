"""A reading of a kernel log as text and as plain data, with the object where it is at hand."""

from __future__ import annotations

from typing import Any, Final

from beebox.diagnose.kernel_log import Executed, KernelLog
from beebox.diagnose.reading import Reading
from beebox.obj.model import ProgramSpec
from beebox.tables.findings import FINDINGS
from beebox.verifier.reports.notation import insn_text
from beebox.verifier.reports.report import layout

_UNKNOWN: Final = "not-supported"


def render_reading(
    reading: Reading, spec: ProgramSpec | None = None, *, color: bool = False
) -> str:
    """The reading in the form of the verifier's own reports; ``spec`` is the program, if known."""
    log = reading.log
    if not log.path:
        return _without_path(reading)
    last = log.path[-1]
    label, text = _place(last, spec)
    where = _where(last, spec) or log.program or "the log"
    by_line: dict[tuple[str, str], str] = {}
    for at, words in reading.steps:  # the last value that a line makes stands for the line
        place = _place(log.path[at], spec)
        by_line.pop(place, None)
        by_line[place] = words
    rows = [(*place, words) for place, words in by_line.items()]
    message = (
        FINDINGS[reading.code].title if reading.code else "a refusal that beebox does not know"
    )
    below = [f"missing: {reading.missing}"] if reading.missing else []
    if reading.hint:
        below.append(f"help: {reading.hint}")
    below.append(f"kernel: {log.message}")
    code = reading.code or _UNKNOWN
    return layout(
        code, message, f"{where}, insn {last.pc}", rows, (label, text), below, color=color
    )


def _without_path(reading: Reading) -> str:
    code = reading.code or _UNKNOWN
    row = FINDINGS[code]
    lines = [f"error: {row.category}: {row.title}  [{code}]"]
    lines += [f"  {line}" for line in reading.log.details]
    if reading.hint:
        lines.append(f"  help: {reading.hint}")
    return "\n".join([*lines, f"  kernel: {reading.log.message}"])


def reading_data(reading: Reading, spec: ProgramSpec | None = None) -> dict[str, Any]:
    """The reading with the fields of ``explain -j``."""
    log = reading.log
    last = log.path[-1] if log.path else None
    file, line = _line(last, spec) if last is not None else (None, None)
    return {
        "code": reading.code,
        "category": FINDINGS[reading.code].category if reading.code else None,
        "insn": reading.pc,
        "file": file,
        "line": line,
        "path": [
            {"insn": log.path[at].pc, "line": _line(log.path[at], spec)[1], "text": words}
            for at, words in reading.steps
        ],
        "missing": reading.missing,
        "hint": reading.hint,
        "kernel_message": log.message,
        "program": log.program,
        "insns_processed": log.processed,
    }


def _line(step: Executed, spec: ProgramSpec | None) -> tuple[str | None, int | None]:
    place = spec.line_at(step.pc) if spec is not None else None
    if place is not None and place.line:
        return place.file, place.line
    if step.source is not None:
        return step.source.file, step.source.line
    return None, None


def _where(step: Executed, spec: ProgramSpec | None) -> str:
    file, line = _line(step, spec)
    return f"{file}:{line}" if file is not None and line is not None else ""


def _place(step: Executed, spec: ProgramSpec | None) -> tuple[str, str]:
    """``(line number, source text)``, or the instruction where no source is known."""
    place = spec.line_at(step.pc) if spec is not None else None
    if place is not None and place.line:
        return str(place.line), place.text.strip()
    if step.source is not None and step.source.line is not None:
        return str(step.source.line), step.source.text
    if step.source is not None and step.source.text:
        return f"insn {step.pc}", step.source.text
    return f"insn {step.pc}", step.text


def likeness(log: KernelLog, spec: ProgramSpec) -> float:
    """How much of the log's path is instructions of the program, from 0 to 1."""
    if not log.path:
        return 0.0
    same = 0
    for step in log.path:
        insn = spec.slots[step.pc] if step.pc < len(spec.slots) else None
        if insn is not None:
            ours = insn_text(insn, spec).split(") ", 1)[1]
            same += _plain(ours) == _plain(step.text)
    return same / len(log.path)


def _plain(text: str) -> str:
    """An instruction without what loading changes: addresses of maps, ids of functions."""
    head = text.partition(" = 0x")[0]
    return head.replace(" ", "").partition("#")[0]
