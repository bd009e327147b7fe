"""Each command's result, formats and exit status."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Beebox = Callable[..., Any]

FINDING_FIELDS = {
    "category", "path", "missing", "suggestions", "counterexample",
    "code", "insn", "file", "line", "column", "message", "hint", "kernel_message",
}  # fmt: skip
PROGRAM_FIELDS = {
    "name", "section", "type", "verdict", "insns_processed", "states", "time_ns", "findings",
    "profile", "kernel_version", "cost_bound",
}  # fmt: skip
REPLAY_FIELDS = {
    "captures", "error", "filter", "packets", "bytes", "refused", "verdicts", "rates", "reasons",
    "profile", "redirects", "clones", "flows", "maps", "assertions", "diff", "written", "engine",
    "ns_per_packet", "seconds",
}  # fmt: skip
DROP_SHORT = """
.license "GPL"
.map seen array key=4 value=8 max_entries=1
.section "xdp"
drop:
    *(u32 *)(r10 - 4) = 0
    r1 = map[seen] ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem#1
    if r0 == 0 goto out
    r1 = 1
    lock *(u64 *)(r0 + 0) += r1
out:
    r0 = 1
    exit
"""


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    path = tmp_path / "drop.s"
    path.write_text(DROP_SHORT)
    return path


def test_verify_accepts_the_firewall(beebox: Beebox) -> None:
    done = beebox("verify", "-j", "examples/firewall.py")
    assert done.status == 0
    assert set(done.json) == {"file", "programs"}
    (program,) = done.json["programs"]
    assert set(program) == PROGRAM_FIELDS
    assert (program["verdict"], program["findings"]) == ("accepted", [])
    assert (program["section"], program["type"]) == ("xdp", "xdp")
    assert program["insns_processed"] > 100


def test_verify_rejects_the_unsafe_example_at_its_line(beebox: Beebox, repository: Path) -> None:
    done = beebox("-j", "verify", "examples/unsafe.py")
    assert done.status == 1
    (program,) = done.json["programs"]
    assert program["verdict"] == "rejected"
    finding = program["findings"][0]
    assert set(finding) == FINDING_FIELDS
    source = (repository / "examples/unsafe.py").read_text().splitlines()
    assert "histogram.slots[ip.tos] += 1" in source[finding["line"] - 1]
    assert finding["code"] == "map-value-bounds"


def test_verify_for_people_shows_the_line_and_the_hint(beebox: Beebox) -> None:
    done = beebox("verify", "examples/unsafe.py")
    assert done.status == 1
    assert "examples/unsafe.py:36" in done.out
    assert "help:" in done.out
    assert "\x1b[" not in done.out


def test_compile_writes_an_object_that_verifies_the_same(beebox: Beebox, tmp_path: Path) -> None:
    target = tmp_path / "count.o"
    assert beebox("compile", "examples/count.py", "-o", target).status == 0
    assert target.read_bytes().startswith(b"\x7fELF")
    source = beebox("verify", "-j", "examples/count.py").json["programs"]
    compiled = beebox("verify", "-j", target).json["programs"]
    volatile = ("time_ns",)
    for row in source + compiled:
        for name in volatile:
            row.pop(name)
    assert compiled == source


@pytest.mark.parametrize("words", [("-S", "-o", "{}/count.s"), ("-o", "{}/count.s")])
def test_compile_writes_assembly(beebox: Beebox, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = beebox("compile", "examples/count.py", *(word.format(tmp_path) for word in words))
    assert done.status == 0
    shown = beebox("prog", "dump", "xlated", "-j", tmp_path / "count.s").json["programs"]
    wanted = beebox("prog", "dump", "xlated", "-j", "examples/count.py").json["programs"]
    assert shown == wanted


def test_an_object_as_assembly(beebox: Beebox, tmp_path: Path) -> None:
    assert beebox("compile", "examples/count.py", "-o", tmp_path / "count.o").status == 0
    assert beebox("compile", "-S", tmp_path / "count.o").status == 0
    assert beebox("compile", "-S", tmp_path / "count.s").status == 2  # it would replace its source
    assert beebox("verify", tmp_path / "count.s").status == 0


def test_compile_refuses_an_object(beebox: Beebox, tmp_path: Path) -> None:
    target = tmp_path / "x.o"
    target.write_bytes(b"\x7fELF")
    assert beebox("compile", target).status == 2


@pytest.mark.parametrize(
    "selector",
    [
        "examples/balancer.py",
        "examples/dispatch.py:dispatch",
        "examples/firewall.py",
        "examples/tc_nat.py:arrive",
    ],
)
def test_a_dump_is_a_source(beebox: Beebox, tmp_path: Path, selector: str) -> None:
    text = beebox("prog", "dump", "xlated", selector).out
    source = tmp_path / "dumped.s"
    source.write_text(text)
    assert beebox("verify", source).status == 0
    again = beebox("prog", "dump", "xlated", source).out
    assert _instructions(again) == _instructions(text)


def _instructions(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.lstrip().startswith((";", "sub_"))]


def test_dump_shows_instructions_below_their_lines(beebox: Beebox) -> None:
    done = beebox("prog", "dump", "xlated", "examples/count.py")
    assert done.status == 0
    assert "examples/count.py:" in done.out
    assert "exit" in done.out
    as_json = beebox("prog", "dump", "xlated", "examples/count.py:count_packets", "-p").json
    (program,) = as_json["programs"]
    assert program["name"] == "count_packets"
    assert [row["disasm"] for row in program["insns"]][-1] == "exit"


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_run_gives_verdict_and_packet(
    beebox: Beebox, assembly: Path, packet: Path, tmp_path: Path, engine: str
) -> None:
    after = tmp_path / "after.bin"
    words = ["data_in", packet, "data_out", after, "repeat", "5"]
    done = beebox("prog", "run", f"{assembly}:drop", *words, "--engine", engine, "-j")
    assert done.status == 0
    assert set(done.json) == {"retval", "duration", "data_out", "ctx_out", "repeat", "engine"}
    assert (done.json["retval"], done.json["repeat"], done.json["engine"]) == (1, 5, engine)
    assert bytes.fromhex(done.json["data_out"]) == packet.read_bytes() == after.read_bytes()
    assert isinstance(done.json["duration"], int)


def test_run_reads_standard_input(beebox: Beebox, assembly: Path) -> None:
    done = beebox("prog", "run", assembly, "data_in", "-", data=bytes(64))
    assert done.status == 0
    assert "Return value: 1 (DROP)" in done.out


@pytest.mark.linux
def test_run_on_linux_agrees(beebox: Beebox, packet: Path) -> None:
    words = ("prog", "run", "-j", "examples/count.py", "data_in", packet)
    linux = beebox(*words, "--kernel", "linux").json
    userspace = beebox(*words).json
    assert linux["engine"] == "linux"
    assert (linux["retval"], linux["data_out"]) == (userspace["retval"], userspace["data_out"])


def test_run_without_the_right_to_bpf_says_so(command: Path, repository: Path) -> None:
    done = subprocess.run(
        [command, "prog", "run", "-j", "examples/count.py", "data_in", "-", "--kernel", "linux"],
        cwd=repository,
        input=bytes(64),
        capture_output=True,
        check=False,
        preexec_fn=_drop_capabilities if os.geteuid() == 0 else None,
    )
    assert done.returncode == 1
    assert b"NotSupportedError" in done.stdout
    assert b"CAP_BPF" in done.stdout


def _drop_capabilities() -> None:
    """Stay root by name, without the capabilities that bpf(2) asks for, after exec too."""
    import ctypes  # noqa: PLC0415 -- only in the child

    libc = ctypes.CDLL(None)
    for capability in (12, 21, 38, 39):  # CAP_NET_ADMIN, SYS_ADMIN, PERFMON, BPF
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_replay_counts_every_packet(beebox: Beebox, engine: str) -> None:
    done = beebox("replay", "-j", "examples/count.py", "examples/capture.pcap", "--engine", engine)
    assert done.status == 0
    result = done.json
    assert set(result) == REPLAY_FIELDS
    assert result["packets"] == sum(result["verdicts"].values()) == 4703
    protocols = {row["key"]: row["value"] for row in result["maps"]["protocols"]}
    assert protocols[1]["packets"] == 40
    counted = sum(row["packets"] for row in protocols.values())
    assert 0 < counted <= result["packets"]


def test_replay_is_the_same_in_both_engines_and_every_time(beebox: Beebox) -> None:
    words = ("replay", "-j", "examples/firewall.py", "examples/capture.pcap", "--engine")
    results = [beebox(*words, engine).json for engine in ("jit", "interpreter", "jit")]
    for result in results:
        del result["ns_per_packet"], result["seconds"], result["engine"]
    assert results[0] == results[1] == results[2]
    assert set(results[0]["verdicts"]) == {"DROP", "PASS"}


def test_knobs_change_the_verdicts(beebox: Beebox) -> None:
    words = ("replay", "-j", "examples/firewall.py", "examples/capture.pcap", "--set")
    strict = beebox(*words, "syn_limit=1").json["verdicts"]["DROP"]
    loose = beebox(*words, "syn_limit=1000000").json["verdicts"]["DROP"]
    assert strict > loose


def test_tables_are_plain_off_a_terminal(beebox: Beebox) -> None:
    done = beebox("replay", "examples/count.py", "examples/capture.pcap")
    assert done.status == 0
    assert "4703 packets" in done.out
    assert done.out.isascii()
    assert "\x1b" not in done.out + done.err


def test_what_lies_before_a_fault_is_not_lost(beebox: Beebox, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(Path("examples/capture.pcap").read_bytes()[:200_001])
    told = beebox("replay", "-j", "examples/count.py", cut)
    assert told.status == 2
    assert told.json["packets"] == sum(told.json["verdicts"].values()) > 0
    assert told.json["error"]["packet"] == told.json["packets"] + 1
    people = beebox("replay", "examples/count.py", cut)
    assert people.status == 2
    assert f"{told.json['packets']} packets" in people.out
    assert "cut.pcap" in people.err


MARKS = """
.license "GPL"
.section "tc"
mark:
    r2 = *(u32 *)(r1 + 8)
    r2 += 1
    *(u32 *)(r1 + 8) = r2
    r0 = 2
    exit
"""


@pytest.mark.parametrize("kernel", ["userspace", pytest.param("linux", marks=pytest.mark.linux)])
def test_prog_run_takes_a_context(
    beebox: Beebox, tmp_path: Path, packet: Path, kernel: str
) -> None:
    source, given, after = tmp_path / "mark.s", tmp_path / "in.bin", tmp_path / "out.bin"
    source.write_text(MARKS)
    given.write_bytes(bytes(8) + (41).to_bytes(4, "little") + bytes(180))
    words = ["prog", "run", source, "data_in", packet, "ctx_in", given, "ctx_out", after]
    done = beebox(*words, "--kernel", kernel)
    assert done.status == 0
    assert "Return value: 2 (SHOT)" in done.out
    assert after.read_bytes()[8:12] == (42).to_bytes(4, "little")


def test_ctx_out_needs_ctx_in(beebox: Beebox, packet: Path) -> None:
    done = beebox("prog", "run", "examples/count.py", "data_in", packet, "ctx_out", "x")
    assert done.status == 2
    assert "ctx_in" in done.err


def test_a_skeleton_is_a_module(beebox: Beebox, tmp_path: Path) -> None:
    shown = beebox("gen", "skeleton", "examples/count.py", "name", "talkers")
    assert shown.status == 0
    compile(shown.out, "talkers.py", "exec")
    assert "\nclass Talkers:\n" in shown.out
    target = tmp_path / "talkers.py"
    words = ("examples/count.py", "name", "talkers", "-o", target)
    assert beebox("gen", "skeleton", *words).status == 0
    assert target.read_text() == shown.out
    assert beebox("gen", "skeleton", "examples/count.py", "talkers").status == 2
