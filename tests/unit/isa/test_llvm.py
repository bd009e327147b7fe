"""Our notation is LLVM's: clang's assembler makes the same bytes of our text."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest

from beebox.clang.find import compilers
from beebox.obj import elf

CASES = Path(__file__).parent.parent.parent / "data/asm/instructions.case"
NOT_IN_EVERY_CLANG = (
    *("s/=", "s%=", "(s8)", "(s16)", "(s32)", "bswap", "addr_space_cast", "gotol", "may_goto"),
    *(
        "%=",
        "(s32 *)",
        "atomic_fetch",
        "load_acquire",
        "store_release",
        " & r2 goto",
        "xchg",
        "*(u64 *)(r10 - 8) = -5",
    ),
    *("*(u8 *)(r1 + 0) = 7", "skb[", "le16", "be64"),
)
NOT_LLVM = ("#", "map_fd", "map_value", "call pc", "skb[r3 + 5]")  # ours, for what LLVM lacks


def cases() -> list[tuple[str, str]]:
    rows = [line.split(" :: ") for line in CASES.read_text().splitlines() if " :: " in line]
    texts = [(row[0], row[1].split(" //")[0]) for row in rows if not row[0].startswith(";")]
    return [(wire, text) for wire, text in texts if not any(word in text for word in NOT_LLVM)]


@pytest.mark.parametrize(("wire", "text"), cases(), ids=lambda value: value)
def test_clang_reads_our_text(wire: str, text: str, tmp_path: Path):
    built = assembled(text, tmp_path)
    if built is None:
        assert any(word in text for word in NOT_IN_EVERY_CLANG), "clang refuses it"
        return
    assert built.hex(" ") == wire


def assembled(text: str, folder: Path) -> bytes | None:
    output = folder / "out.o"
    command = [*clang(), "-target", "bpf", cpu(), "-x", "assembler", "-", "-c", "-o"]
    done = subprocess.run(
        [*command, str(output)], input=text.encode() + b"\n", capture_output=True, check=False
    )
    if done.returncode:
        return None
    return next(
        section.contents
        for section in elf.read(output.read_bytes()).sections
        if section.name == ".text"
    )


@cache
def cpu() -> str:
    """The newest instruction set that this clang knows."""
    listed = subprocess.run(
        [*clang(), "-target", "bpf", "--print-supported-cpus"], capture_output=True, check=False
    )
    return "-mcpu=v4" if b"v4" in listed.stderr + listed.stdout else "-mcpu=v3"


def clang() -> tuple[str, ...]:
    """The newest one: of PATH, or the one that the tests install."""
    return next(compilers()).command
