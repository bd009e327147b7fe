"""A thousand damaged objects, captures and sources: a result or an error, never worse."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COUNT = {"objects": 400, "captures": 300, "sources": 300}
GROUPS = 4


@pytest.mark.parametrize("group", range(GROUPS))
@pytest.mark.parametrize("kind", COUNT)
def test_damaged_inputs_end_in_a_result_or_an_error(kind: str, group: int, tmp_path: Path) -> None:
    count = COUNT[kind] // GROUPS
    script = Path(__file__).parent / "mutants.py"
    done = subprocess.run(
        [sys.executable, script, kind, str(group * count), str(count), tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    last = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, f"{last}\n{done.stderr[-3000:]}"
    accepted, _rejected, malformed = (int(word) for word in last[0].split())
    assert malformed > 0  # the damage reaches the parsers
    assert accepted > 0  # and does not always stop there


def test_damage_as_a_process_of_its_own(
    beebox: Callable[..., Any], repository: Path, tmp_path: Path
) -> None:
    data = (repository / "examples/capture.pcap").read_bytes()
    for size in (0, 3, 24, 39, 5000):
        path = tmp_path / "cut.pcap"
        path.write_bytes(data[:size])
        assert beebox("replay", "examples/count.py", path).status in {0, 2}
    for content in (b"", b"\x7fELF", b"\x7fELF" + bytes(200), data[:5000]):
        path = tmp_path / "no.o"
        path.write_bytes(content)
        done = beebox("verify", path)
        assert done.status == 2
        assert "Traceback" not in done.err
