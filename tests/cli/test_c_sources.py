"""C sources on the command line: compiled, verified, run and replayed as any other FILE."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beebox.obj import reader

Beebox = Callable[..., Any]

SHORT = """\
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#ifndef ANSWER
#include "answer.h"
#endif

SEC("xdp") int first(struct xdp_md *ctx)
{
	return ANSWER;
}

SEC("xdp") int second(struct xdp_md *ctx)
{
	char *data = (void *)(long)ctx->data;
	return *data;
}

char LICENSE[] SEC("license") = "GPL";
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "short.c"
    path.write_text(SHORT)
    return path


def test_compile(beebox: Beebox, source: Path) -> None:
    done = beebox("compile", "-j", source, "-D", "ANSWER=2")
    assert done.status == 0
    assert done.json["programs"] == ["first", "second"]
    spec = reader.read(source.with_suffix(".o").read_bytes())
    assert spec.program_names == ("first", "second")


def test_compile_with_a_folder_and_options_of_clangs(
    beebox: Beebox, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/answer.h").write_text("#define ANSWER XDP_DROP\n")
    done = beebox("compile", source, "-I", tmp_path / "more", "--", "-mcpu=v1", "-O1")
    assert (done.status, done.err.count("programs: first, second")) == (0, 1)


def test_options_are_for_c(beebox: Beebox) -> None:
    for words in (["-D", "X=1"], ["-I", "."], ["--btf", "x.btf"], ["--", "-O1"]):
        done = beebox("compile", "examples/count.py", "-o", "-", *words)
        assert done.status == 2


def test_a_mistake_has_its_place(beebox: Beebox, source: Path) -> None:
    done = beebox("compile", "-j", source, "-D", "ANSWER=wrong")
    error = done.json["error"]
    assert done.status == 2
    assert error["kind"] == "CompileError"
    assert (Path(error["file"]).name, error["line"]) == ("short.c", 9)
    shown = beebox("verify", source)
    assert shown.status == 2
    assert "answer.h" in shown.err
    assert 'include "answer.h"' in shown.err


def test_findings_show_c_lines(beebox: Beebox, source: Path) -> None:
    source.write_text(SHORT.replace('#include "answer.h"', "#define ANSWER XDP_PASS"))
    done = beebox("verify", "-j", source)
    assert done.status == 1
    first, second = done.json["programs"]
    assert (first["verdict"], second["verdict"]) == ("accepted", "rejected")
    (finding,) = second["findings"]
    assert finding["code"] == "packet-bounds"
    assert (Path(finding["file"]).name, finding["line"]) == ("short.c", 15)
    assert "return *data;" in beebox("verify", source).out


def test_warnings_go_to_stderr(beebox: Beebox, source: Path) -> None:
    source.write_text(
        SHORT.replace('#include "answer.h"', "#define ANSWER XDP_PASS\nint used;\nstatic int idle;")
    )
    done = beebox("prog", "dump", "xlated", f"{source}:first")
    assert done.status == 0
    assert "warning: unused variable 'idle'" in done.err
    assert "idle" not in done.out
    assert beebox("prog", "dump", "xlated", "-j", f"{source}:first").err == ""


def test_prog_run(beebox: Beebox, source: Path, packet: Path) -> None:
    source.write_text(SHORT.replace('#include "answer.h"', "#define ANSWER XDP_TX"))
    done = beebox("prog", "run", "-j", f"{source}:first", "data_in", packet)
    assert done.json["retval"] == 3


def test_replay(beebox: Beebox) -> None:
    python, c = (
        beebox("replay", "-j", f"examples/count.{suffix}", "examples/capture.pcap").json
        for suffix in ("py", "c")
    )
    assert c["verdicts"] == python["verdicts"]
    assert c["maps"]["protocols"] == python["maps"]["protocols"]
    other = beebox(
        "replay", "examples/count.c", "examples/capture.pcap", "--diff", "examples/count.py"
    )
    assert other.status == 0


def test_vmlinux_of_a_file(beebox: Beebox, source: Path, tmp_path: Path) -> None:
    types = tmp_path / "types.o"
    source.write_text(SHORT.replace('#include "answer.h"', "#define ANSWER XDP_PASS"))
    assert beebox("compile", source, "-o", types).status == 0
    wants = tmp_path / "wants.c"
    wants.write_text(
        '#include "vmlinux.h"\n'
        'int __attribute__((section("xdp"), used)) p(struct xdp_md *ctx)\n'
        "{ return ctx->data ? 1 : 2; }\n"
    )
    assert beebox("compile", wants, "--btf", types).status == 0
    assert beebox("verify", wants, "--btf", types).status == 0
    missing = beebox("verify", wants, "--btf", tmp_path / "none.btf")
    assert (missing.status, "none.btf" in missing.err) == (2, True)


def test_programs_behind_a_question_mark_are_verified_by_name(beebox: Beebox, source: Path) -> None:
    text = SHORT.replace('#include "answer.h"', "#define ANSWER XDP_PASS")
    source.write_text(text.replace('SEC("xdp") int second', 'SEC("?xdp") int second'))
    unasked = beebox("verify", "-j", source)
    assert unasked.status == 0
    assert [row["name"] for row in unasked.json["programs"]] == ["first"]
    asked = beebox("verify", "-j", f"{source}:second")
    assert asked.status == 1
    assert [row["name"] for row in asked.json["programs"]] == ["second"]
    assert beebox("verify", f"{source}:nobody").status == 2


def test_where_all_are_behind_a_question_mark_all_are_meant(
    beebox: Beebox, source: Path, packet: Path
) -> None:
    text = SHORT.replace('#include "answer.h"', "#define ANSWER XDP_TX")
    source.write_text(text.replace('SEC("xdp")', 'SEC("?xdp")'))
    verified = beebox("verify", "-j", source)
    assert verified.status == 1
    assert [row["name"] for row in verified.json["programs"]] == ["first", "second"]
    assert beebox("prog", "run", source, "data_in", packet).status == 2  # which of them?
    only = source.with_suffix(".s")
    only.write_text(beebox("prog", "dump", "xlated", f"{source}:first").out)
    assert '.section "?xdp"' in only.read_text()
    assert beebox("prog", "run", "-j", only, "data_in", packet).json["retval"] == 3
    assert beebox("replay", "-j", only, "examples/capture.pcap").status == 0


def test_a_file_with_a_colon_in_its_name(beebox: Beebox, source: Path) -> None:
    named = source.with_name("short.c:first")
    named.write_text("no C at all")
    done = beebox("verify", named)  # the file, not a program of short.c
    assert (done.status, "short.c:first: not a kind of file" in done.err) == (2, True)


def test_a_section_that_stands_for_no_type_is_named_with_its_program(
    beebox: Beebox, source: Path
) -> None:
    text = SHORT.replace('#include "answer.h"', "#define ANSWER XDP_PASS")
    source.write_text(text.replace('SEC("xdp") int second', 'SEC("nothing") int second'))
    done = beebox("verify", source)
    assert done.status == 1
    for part in (source.name, "second", "'nothing'"):
        assert part in done.err


def test_what_set_cannot_do_is_told_with_what_was_asked(beebox: Beebox, source: Path) -> None:
    text = SHORT.replace('#include "answer.h"', "#define ANSWER XDP_PASS\nstruct { int x; } both;")
    source.write_text(text)
    for knob in ("both=1", "neither=1"):
        done = beebox("verify", source, "--set", knob)
        assert (done.status, f"--set {knob}: " in done.err) == (2, True)


WITHOUT_PACKET = """\
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct asked { int number; };

SEC("syscall") int more(struct asked *ctx)
{
	ctx->number += 5;
	return ctx->number;
}

SEC("xdp") int pass(struct xdp_md *ctx) { return XDP_PASS; }

char LICENSE[] SEC("license") = "GPL";
"""


@pytest.mark.linux
def test_prog_run_without_a_packet(beebox: Beebox, source: Path) -> None:
    source.write_text(WITHOUT_PACKET)
    before, after = source.with_name("before"), source.with_name("after")
    before.write_bytes((7).to_bytes(4, "little"))
    words = ("--kernel", "linux", "ctx_in", before, "ctx_out", after)
    done = beebox("prog", "run", "-j", f"{source}:more", *words)
    assert (done.status, done.json["retval"]) == (0, 12)
    assert after.read_bytes() == (12).to_bytes(4, "little")
    for kernel in ("linux", "userspace"):
        refused = beebox("prog", "run", f"{source}:pass", "--kernel", kernel)
        assert (refused.status, "data_in" in refused.err) == (2, True)
