"""Each case is a source with a comment under the refused line: a caret, and part of the problem.

``#   ^ text`` points at the column above the caret, ``#< text`` at column 1; a following
``#   help: text`` must be part of the hint. Cases without a mark are refused as a whole.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from beebox.compiler.frontend import analyze
from beebox.errors import CompileError

FOLDER = Path(__file__).parents[2] / "data" / "refusals"
PRELUDE = (FOLDER / "prelude.py").read_text()


def cases():
    for path in sorted(FOLDER.glob("*.case")):
        for part in path.read_text().split("\n== ")[0:]:
            name, _, source = part.removeprefix("== ").partition("\n")
            yield pytest.param(source, id=f"{path.stem}: {name}")


def expectation(text):
    """(line, column, problem, hint) as the marks in a source say."""
    place, hint = None, None
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("#< "):
            place = number - 1, 1, line[3:]
        elif line.startswith("#") and line[1:].lstrip().startswith("^"):
            column = line.index("^") + 1
            place = number - 1, column, line[column:].strip()
        elif line.startswith("#   help: "):
            hint = line.removeprefix("#   help: ")
    return place, hint


@pytest.mark.parametrize("source", list(cases()))
def test_refused_at_its_place(source):
    text = PRELUDE + source
    with pytest.raises(CompileError) as caught:
        analyze(text, file="case.py")
    error = caught.value
    place, hint = expectation(text)
    if place is not None:
        line, column, problem = place
        assert problem in error.problem
        assert (error.line, error.column) == (line, column), str(error)
        assert text.split("\n")[line - 1].strip() in str(error)
    if hint is not None:
        assert hint in (error.hint or "")


def test_prelude_alone_compiles():
    program = "@xdp\ndef p(ctx: XdpContext) -> XdpAction:\n    return XdpAction.PASS\n"
    assert [function.name for function in analyze(PRELUDE + program, file="x").functions] == ["p"]


def test_there_are_many_cases():
    assert sum(1 for _ in cases()) >= 60
    ast.parse(PRELUDE)
