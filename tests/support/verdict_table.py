"""A table of verdicts, printed by a process of its own: ``python verdict_table.py TESTS_FOLDER``.

For each program of the cases and examples: accepted or the finding's code, instructions processed,
states. The process says which file the verifier came from.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

from beebox.api import open_object, resolved
from beebox.obj.linker import link
from beebox.obj.model import ProgramSpec
from beebox.verifier import explore
from beebox.verifier.options import Options, Profile
from beebox.verifier.verify import verify


def programs(tests: Path) -> dict[str, ProgramSpec]:
    """The programs by name: the cases of ``tests/data/verifier``, and the examples."""
    path = tests / "unit/verifier/test_cases.py"
    module_spec = importlib.util.spec_from_file_location("cases", path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    found = {case.name: case.spec for case in module.cases()}
    for file in sorted((tests.parent / "examples").glob("*.py")):
        if "import beebox" in file.read_text() and file.name != "demo.py":
            spec = resolved(open_object(file))
            found |= {f"{file.stem}/{name}": link(spec, name) for name in spec.program_names}
    return found


def table(tests: Path) -> dict[str, list[object]]:
    """``[verdict, insns_processed, states]`` by program and profile."""
    rows: dict[str, list[object]] = {}
    for name, spec in programs(tests).items():
        for profile in (Profile.KERNEL, Profile.UNPRIVILEGED):
            report = verify(spec, Options(profile))
            verdict = "accepted" if report.accepted else report.findings[0].code
            rows[f"{name} ({profile.value})"] = [verdict, report.insns_processed, report.states]
    return rows


if __name__ == "__main__":
    rows_of_all = table(Path(sys.argv[1]))
    sys.stdout.write(json.dumps({"file": explore.__file__, "rows": rows_of_all}))
