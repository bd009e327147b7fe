"""On a terminal: tables with borders, colours in reports, a progress bar on stderr."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from beebox.cli.output import Output, printable
from beebox.cli.progress import progress_bar


def on_a_terminal(command: Path, folder: Path, *words: str) -> str:
    """What a person would see; the command's stdout and stderr are one terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LANG": "C.UTF-8"}
    with subprocess.Popen(
        [command, *words], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ):
        os.close(theirs)
        seen = bytearray()
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # EIO: the other side is closed
                break
            if not part:
                break
            seen += part
    os.close(ours)
    return seen.decode()


def test_replay_draws_tables(command: Path, repository: Path) -> None:
    seen = on_a_terminal(
        command, repository, "replay", "examples/count.py", "examples/capture.pcap"
    )
    assert "4703 packets" in seen
    assert "\u2503 verdict" in re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", seen)


def test_verify_uses_colour(command: Path, repository: Path) -> None:
    seen = on_a_terminal(command, repository, "verify", "examples/unsafe.py")
    assert "\x1b[31merror" in seen


def test_json_is_plain_on_a_terminal_too(command: Path, repository: Path) -> None:
    seen = on_a_terminal(command, repository, "verify", "-p", "examples/unsafe.py")
    assert seen.startswith("{")
    assert "\x1b" not in seen


@pytest.mark.parametrize("output", [Output(json=True), Output()])
def test_progress_is_silent_off_a_terminal(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress_bar(output) as progress:
        progress(1, 2, 3)
    assert capsys.readouterr() == ("", "")


def test_names_do_not_command_the_terminal(command: Path, tmp_path: Path) -> None:
    name = r"f\u{1b}]0;title\u{7}"
    (tmp_path / "f.s").write_text(f'.section "xdp"\n"{name}":\n r0 = r3\n exit\n')
    seen = on_a_terminal(command, tmp_path, "verify", "f.s")
    assert r"f\x1b]0;title\x07" in seen
    assert "\x1b]" not in seen
    assert "\x07" not in seen


def test_what_is_printable() -> None:
    assert printable("\x1b[1;31mred\x1b[0m\tand é\n") == "\x1b[1;31mred\x1b[0m\tand é\n"
    assert printable("\x1b[2J\r\x9b\x7f\0") == r"\x1b[2J\x0d\x9b\x7f\x00"
