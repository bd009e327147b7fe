"""What goes wrong: one clear error, the right exit status, JSON where JSON was asked for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beebox.cli import main, verify
from beebox.errors import ExecutionError, NotSupportedError, SyscallError

Beebox = Callable[..., Any]


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["verify"],
        ["verify", "a.o", "b.o"],
        ["verify", "--colour", "a.o"],
        ["prog", "dump", "jited", "a.o"],
        ["prog", "run", "examples/count.py"],
        ["prog", "run", "examples/count.py", "data_in"],
        ["prog", "run", "examples/count.py", "data_in", "LICENSE", "repeat", "-1"],
        ["prog", "run", "examples/count.py", "data_in", "LICENSE", "repeat", "0"],
        ["prog", "run", "examples/count.py", "data_in", "LICENSE", "repeat", "9" * 5000],
        ["prog", "run", "examples/count.py", "data_in", "LICENSE", "ctx_in", "LICENSE"],
        ["prog", "run", "examples/count.py", "data_in", "LICENSE", "data_in", "LICENSE"],
        ["prog", "run", "examples/count.py:nobody", "data_in", "LICENSE"],
        ["prog", "run", "examples/count.py", "data_in", "no/such/packet"],
        ["prog", "run", "examples/count.py", "data_in", "LICENSE", "--kernel", "beos"],
        ["verify", "no/such/file.o"],
        ["verify", "examples"],
        ["verify", "README.md"],
        ["verify", "--set", "syn_limit", "examples/firewall.py"],
        ["verify", "--set", "nobody=1", "examples/firewall.py"],
        ["verify", "--set", "syn_limit=-1", "examples/firewall.py"],
        ["verify", "--set", "syn_limit=many", "examples/firewall.py"],
        ["replay", "examples/count.py", "README.md"],
        ["replay", "examples/count.py", "no/such.pcap"],
        ["compile", "examples/count.py", "-o", "no/such/folder/count.o"],
    ],
    ids=lambda words: " ".join(words)[:60],
)
def test_wrong_use_is_one_error_and_status_2(
    words: list[str], repository: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(repository)
    assert main.run(words) == main.WRONG
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("beebox: error: ")
    assert "Traceback" not in shown.err
    assert main.run(["-j", *words]) == main.WRONG
    shown = capsys.readouterr()
    assert shown.out.startswith('{"error": {"kind": ')
    assert shown.err == ""


def test_compile_errors_carry_their_place(beebox: Beebox, tmp_path: Path) -> None:
    source = tmp_path / "bad.py"
    head = "from beebox import xdp, XdpContext, XdpAction\n\n\n@xdp\n"
    body = "def f(ctx: XdpContext) -> XdpAction:\n    return ctx.nothing\n"
    source.write_text(head + body)
    done = beebox("verify", "-j", source)
    assert done.status == 2
    error = done.json["error"]
    assert (error["kind"], error["file"], error["line"]) == ("CompileError", str(source), 6)
    assert error["column"] == 12
    text = beebox("verify", source)
    assert text.status == 2
    assert "return ctx.nothing" in text.err
    assert "^" in text.err


def test_an_unsafe_program_is_not_run(beebox: Beebox, packet: Path) -> None:
    done = beebox("prog", "run", "-j", "examples/unsafe.py", "data_in", packet)
    assert done.status == 1
    assert done.json["error"]["kind"] == "RejectedError"
    assert done.json["error"]["findings"][0]["code"] == "map-value-bounds"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotSupportedError("x"), 1),
        (ExecutionError("x", pc=3), 1),
        (SyscallError("bpf(X)", 22), 1),
        (RecursionError(), 2),
        (MemoryError(), 2),
        (ZeroDivisionError("a bug"), 2),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_exception_has_its_status(
    error: BaseException, status: int, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(verify.api, "open_object", fail)
    assert main.run(["verify", "x.o"]) == status
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    if isinstance(error, ZeroDivisionError):
        assert "please report" in shown.err
        assert main.DEBUG_VARIABLE in shown.err


def test_a_bug_shows_its_traceback_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(verify.api, "open_object", fail)
    monkeypatch.setenv(main.DEBUG_VARIABLE, "1")
    with pytest.raises(ZeroDivisionError):
        main.run(["verify", "x.o"])


def test_a_reader_that_goes_away_is_no_traceback(command: Path, repository: Path) -> None:
    done = subprocess.run(
        f"{command} prog dump xlated examples/firewall.py | head -n 1",
        shell=True,
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_sources_are_never_executed(beebox: Beebox, tmp_path: Path, packet: Path) -> None:
    witness = tmp_path / "executed"
    lines = [
        "import pathlib",
        "from beebox import xdp, XdpContext, XdpAction",
        f"pathlib.Path({str(witness)!r}).write_text('executed')",
        "raise SystemExit(77)",
        "@xdp",
        "def f(ctx: XdpContext) -> XdpAction:",
        "    return XdpAction.PASS",
    ]
    source = tmp_path / "effects.py"
    source.write_text("\n".join(lines) + "\n")
    (tmp_path / "pathlib.py").write_text(f"open({str(witness)!r}, 'w')\n")
    for words in (
        ["verify", source],
        ["compile", source, "-o", tmp_path / "x.o"],
        ["prog", "dump", "xlated", source],
        ["prog", "run", source, "data_in", packet],
        ["replay", source, "examples/capture.pcap"],
    ):
        assert beebox(*words).status in {0, 2}
        assert not witness.exists()


@pytest.mark.parametrize(
    "words",
    [[], ["compile"], ["verify"], ["prog"], ["prog", "dump"], ["prog", "run"], ["replay"]],
    ids=lambda words: " ".join(words) or "beebox",
)
def test_every_help_has_an_example(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([*words, "--help"]) == main.OK
    shown = capsys.readouterr().out
    assert "Example:\n" in shown
    assert f"    beebox {' '.join(words)}".rstrip() in shown


@pytest.mark.parametrize("option", ["", "-j"], ids=["text", "json"])
@pytest.mark.parametrize("words", ["insns", "verify examples/count.py", "--help"])
def test_a_full_disk_is_one_error(command: Path, repository: Path, words: str, option: str) -> None:
    done = subprocess.run(
        f"{command} {option} {words} > /dev/full",
        shell=True,
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == main.WRONG
    assert done.stderr.startswith("beebox: error: <stdout>: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("verify examples/count.py >&-", main.OK),
        ("verify examples/unsafe.py >&-", main.FAILED),
        ("verify no/such.o >&- 2>&-", main.WRONG),
        ("insns -j >&-", main.OK),
        ("replay examples/count.py - <&-", main.WRONG),
        ("prog run examples/count.py data_in - <&-", main.WRONG),
    ],
)
def test_closed_streams_are_empty_ones(
    command: Path, repository: Path, words: str, status: int
) -> None:
    done = subprocess.run(
        f"{command} {words}",
        shell=True,
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("suffix", [".py", ".s", ".o"])
def test_an_endless_source_is_refused(beebox: Beebox, tmp_path: Path, suffix: str) -> None:
    endless = tmp_path / f"endless{suffix}"
    endless.symlink_to("/dev/zero")
    done = beebox("verify", endless)
    assert done.status == main.WRONG
    assert "larger than" in done.err


def test_an_endless_network_is_refused(beebox: Beebox) -> None:
    words = ("replay", "--network", "/dev/zero", "examples/count.py", "examples/capture.pcap")
    done = beebox(*words)
    assert done.status == main.WRONG
    assert "larger than" in done.err


def test_a_source_is_never_overwritten_by_its_object(beebox: Beebox, tmp_path: Path) -> None:
    source = tmp_path / "count.py"
    source.write_bytes(Path("examples/count.py").resolve().read_bytes())
    before = source.read_bytes()
    assert beebox("compile", source, "-o", source).status == main.WRONG
    assert source.read_bytes() == before


def test_an_object_on_standard_output(command: Path, repository: Path) -> None:
    words = [command, "compile", "examples/count.py", "-o", "-"]
    done = subprocess.run(words, cwd=repository, capture_output=True, check=True)
    assert done.stdout.startswith(b"\x7fELF")
    assert not (repository / "-").exists()


def test_packets_on_standard_output_stand_alone(
    command: Path, repository: Path, packet: Path
) -> None:
    words = ["prog", "run", "examples/count.py", "data_in", packet, "data_out", "-"]
    done = subprocess.run([command, *words], cwd=repository, capture_output=True, check=True)
    assert done.stdout == packet.read_bytes()
    done = subprocess.run([command, "-j", *words], cwd=repository, capture_output=True, check=False)
    assert done.returncode == main.WRONG


def test_a_byte_order_mark_is_no_part_of_a_source(beebox: Beebox, tmp_path: Path) -> None:
    source = tmp_path / "count.py"
    source.write_bytes(b"\xef\xbb\xbf" + Path("examples/count.py").resolve().read_bytes())
    assert beebox("verify", source).status == main.OK


def test_who_reads_a_file_says_why_it_cannot(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked beforehand, click would say less than the system does."""
    monkeypatch.chdir(repository)
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert main.run(["compile", "examples/count.py", "-o", str(tmp_path / "count.o")]) == 0
