"""The page: a recorded exploration as one HTML file that needs nothing else.

Everything that comes from the program is data for the page's script, which shows it as text: an
object cannot put markup or code into the page.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

from beebox.diagnose.explorer.record import PathRecord, Recorder, Step
from beebox.isa.disassembler import text
from beebox.obj.model import ProgramSpec
from beebox.verifier.reports.report import findings_data
from beebox.verifier.result import Report

_FILES: Final = {"@STYLE@": "page.css", "@SCRIPT@": "page.js"}
_MOST_TEXT: Final = 400  # characters of one source line


def render(recorders: Sequence[Recorder]) -> str:
    """The page of the programs of an object. Each recorder was told its verdict."""
    page = _file("page.html")
    for mark, name in _FILES.items():
        page = page.replace(mark, _file(name))
    data = json.dumps([_program(each) for each in recorders], separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        data = data.replace(character, f"\\u{ord(character):04x}")
    return page.replace("@DATA@", data)


def _file(name: str) -> str:
    return (resources.files("beebox.diagnose.explorer") / name).read_text(encoding="utf-8")


def _program(recorder: Recorder) -> dict[str, Any]:
    spec, report = recorder.spec, recorder.report
    return {
        "name": spec.name,
        "type": spec.type.value.name,
        "section": spec.section,
        "verdict": _verdict(report),
        "insns": _insns(spec),
        "source": _source(spec),
        "functions": [[info.pc, info.name] for info in spec.functions],
        "visits": recorder.visits,
        "values": [[each.text, each.words, each.pc, each.sources] for each in recorder.values],
        "steps": [_step(each) for each in recorder.steps],
        "paths": [_path(each) for each in recorder.paths],
        "forgotten": recorder.forgotten,
    }


def _verdict(report: Report | None) -> dict[str, Any]:
    if report is None:
        return {"accepted": False, "processed": 0, "states": 0, "findings": []}
    return {
        "accepted": report.accepted,
        "profile": report.profile,
        "processed": report.insns_processed,
        "states": report.states,
        "findings": list(findings_data(report)),
    }


def _insns(spec: ProgramSpec) -> list[list[Any]]:
    """``[pc, text, source line's number in the list of sources or -1]``."""
    lines = {place: number for number, place in enumerate(_places(spec))}
    rows: list[list[Any]] = []
    for pc, insn in enumerate(spec.slots):
        if insn is not None:
            line = spec.line_at(pc)
            place = (line.file, line.line) if line is not None else None
            rows.append([pc, text(insn), lines.get(place, -1) if place is not None else -1])
    return rows


def _places(spec: ProgramSpec) -> list[tuple[str, int]]:
    return sorted({(line.file, line.line) for line in spec.lines if line.line})


def _source(spec: ProgramSpec) -> list[list[Any]]:
    """``[file, line, text]`` of each line that has instructions."""
    texts = {(line.file, line.line): line.text[:_MOST_TEXT] for line in spec.lines}
    return [[file, line, texts[file, line]] for file, line in _places(spec)]


def _step(step: Step) -> list[Any]:
    return [step.pc, step.regs, step.stack, step.frames, step.held]


def _path(path: PathRecord) -> list[Any]:
    return [path.begin, path.origin, path.steps, path.insns, path.end, path.end_pc]
