"""``beebox gen object``, as it is typed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Beebox = Callable[..., Any]
DATA = Path("tests/data/linking")
SOURCES = [DATA / "app.c", DATA / "tables.c", DATA / "policy.c"]


def test_sources_become_one_object(beebox: Beebox, tmp_path: Path) -> None:
    out = tmp_path / "all.o"
    done = beebox("gen", "object", out, *SOURCES)
    assert (done.status, done.out) == (0, "")
    assert f"{out}: {out.stat().st_size} bytes from 3 files" in done.err
    told = beebox("verify", "-j", out).json
    assert {row["name"]: row["verdict"] for row in told["programs"]} == {
        "ingress": "accepted",
        "state": "accepted",
        "dropped": "accepted",
    }


def test_what_is_open_is_told(beebox: Beebox, tmp_path: Path) -> None:
    half, out = tmp_path / "half.o", tmp_path / "all.o"
    told = beebox("gen", "object", "-j", half, SOURCES[0]).json
    assert set(told) == {"file", "bytes", "inputs", "unresolved"}
    assert set(told["unresolved"]) == {"classify", "counters", "limit", "total"}
    assert "classify" in beebox("gen", "object", half, SOURCES[0]).err
    refused = beebox("verify", half)
    assert refused.status == 2
    done = beebox("gen", "object", "-j", out, half, *SOURCES[1:])
    assert (done.status, done.json["unresolved"]) == (0, [])


def test_standard_output(beebox: Beebox, command: Path) -> None:
    words = [command, "gen", "object", "-", SOURCES[1]]
    data = subprocess.run(words, check=True, capture_output=True).stdout
    assert data[:4] == b"\x7fELF"
    assert beebox("gen", "object", "-j", "-", SOURCES[1]).status == 2


def test_refusals_name_both_files(beebox: Beebox, tmp_path: Path) -> None:
    twice = beebox("gen", "object", "-j", tmp_path / "all.o", SOURCES[1], SOURCES[1])
    assert twice.status == 2
    error = twice.json["error"]
    assert error["kind"] == "LinkError"
    assert error["name"] in {"counters", "limit", "total"}
    assert error["files"] == [str(SOURCES[1])] * 2
    assert not (tmp_path / "all.o").exists()


def test_the_output_is_no_input(beebox: Beebox, tmp_path: Path) -> None:
    source = tmp_path / "app.s"
    source.write_text('.license "GPL"\n.section "xdp"\np:\n    r0 = 2\n    exit\n')
    before = source.read_bytes()
    assert beebox("gen", "object", source, source).status == 2
    assert source.read_bytes() == before


@pytest.mark.parametrize("words", [[], ["out.o"], ["out.o", "missing.o"], ["out.o", "x.txt"]])
def test_wrong_use(beebox: Beebox, words: list[str]) -> None:
    done = beebox("gen", "object", *words)
    assert done.status == 2
    assert not Path("out.o").exists()
