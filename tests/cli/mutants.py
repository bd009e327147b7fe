"""Run the command line over damaged inputs: ``python mutants.py KIND SEED COUNT FOLDER``.

Each input is made from its number alone, so that a number that fails can be run again: COUNT 1,
SEED the number. A hang ends the process by SIGALRM, hunger by RLIMIT_AS; its last line of output
names the case. Statuses other than 0, 1 and 2, and anything called an internal error, end it too.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gzip
import io
import random
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import zstandard

from beebox import api
from beebox.cli import main
from beebox.obj import writer
from beebox.userspace.captures import parse_capture
from beebox.userspace.captures.writing import CaptureWriter

ROOT = Path(__file__).parent.parent.parent
SECONDS_PER_CASE = 20
MEMORY_BYTES = 6 << 30
RESIDENT_KIB = 1 << 20
HEADER_BYTES = 64
CODE_BYTES = 500
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)


def damage_bytes(data: bytes, rng: random.Random) -> bytes:
    """Flip, overwrite, cut, repeat or drop a few places."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(out))
        match rng.randrange(6):
            case 0:
                out[at] ^= 1 << rng.randrange(8)
            case 1:
                out[at] = rng.choice(INTERESTING)
            case 2:
                out[at : at + 4] = rng.choice(INTERESTING).to_bytes(1, "little") * 4
            case 3:
                del out[at : at + rng.randrange(1, 9)]
            case 4:
                out[at:at] = out[at : at + rng.randrange(1, 65)]
            case _:
                if rng.randrange(4) == 0:
                    del out[at + 1 :]
        if not out:
            out = bytearray(b"\0")
    return bytes(out)


def damage_code(code: bytes, rng: random.Random) -> bytes:
    """Change one or two bytes, keeping the length."""
    out = bytearray(code)
    for _ in range(rng.choice((1, 2))):
        at = rng.randrange(len(out))
        out[at] = rng.choice((out[at] ^ 1 << rng.randrange(8), *INTERESTING))
    return bytes(out)


def damage_text(text: str, rng: random.Random) -> str:
    """Swap, drop or repeat lines, change words, numbers and brackets."""
    lines = text.splitlines(keepends=True)
    words = [
        "0",
        "-1",
        "1 << 63",
        "None",
        "ctx",
        "u64(7)",
        "i32",
        "lambda: 0",
        "*",
        "()",
        "[0]",
        "é",
    ]
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(lines))
        line = lines[at]
        match rng.randrange(8):
            case 0:
                del lines[at]
            case 1:
                lines.insert(rng.randrange(len(lines)), line)
            case 2:
                lines[at] = "    " * rng.randrange(3) + line.lstrip()
            case 3 | 4:
                parts = line.split(" ")
                parts[rng.randrange(len(parts))] = rng.choice(words)
                lines[at] = " ".join(parts).rstrip("\n") + "\n"
            case 5:
                place = rng.randrange(len(line))
                lines[at] = (
                    line[:place] + rng.choice("()[]{}:=<>+-'\"\\#\0@,. ") + line[place + 1 :]
                )
            case 6:
                depth = rng.choice((50, 2000, 50_000))
                lines[at] = line.rstrip("\n") + " + " + "(" * depth + "1" + ")" * depth + "\n"
            case _:
                lines[at] = line.replace("u64", rng.choice(("u8", "i64", "be32", "str")))
        lines = lines or ["\n"]
    return "".join(lines)


def objects(number: int, rng: random.Random, folder: Path) -> list[str]:
    """A damaged object, verified or run in either engine."""
    name = ("count.py", "firewall.py")[number % 2]
    path = folder / "mutant.o"
    data = compiled(name)
    if number % 4 < 3:  # aim at the instructions, which follow the file's header
        end = HEADER_BYTES + CODE_BYTES
        code = data[HEADER_BYTES:end]
        path.write_bytes(data[:HEADER_BYTES] + damage_code(code, rng) + data[end:])
    else:
        path.write_bytes(damage_bytes(data, rng))
    packet = str(ROOT / "LICENSE")
    match number % 8:
        case 0:
            return ["prog", "run", str(path), "data_in", packet, "repeat", "3"]
        case 1:
            return ["prog", "run", str(path), "data_in", packet, "--engine", "interpreter"]
        case 2:
            return ["prog", "dump", "xlated", str(path)]
        case _:
            return ["verify", str(path)]


_COMPILED: dict[str, bytes] = {}


def compiled(name: str) -> bytes:
    """An example's object, compiled once."""
    if name not in _COMPILED:
        _COMPILED[name] = writer.write(api.compile(ROOT / "examples" / name))
    return _COMPILED[name]


def captures(number: int, rng: random.Random, folder: Path) -> list[str]:
    """The start of the example capture, damaged, under the counting example."""
    spec = folder / "count.o"
    spec.write_bytes(compiled("count.py"))
    path = folder / "mutant.pcap"
    data = first_packets(rng.choice((1, 20, 100)))
    match number % 5:
        case 0:
            data = as_pcapng(data, folder)
        case 1:
            data = gzip.compress(data)
        case 2:
            data = zstandard.ZstdCompressor().compress(as_pcapng(data, folder))
        case _:
            pass
    path.write_bytes(damage_bytes(data, rng))
    return ["replay", str(spec), str(path), "--engine", ("jit", "interpreter")[number % 2]]


def as_pcapng(data: bytes, folder: Path) -> bytes:
    """The same packets in the other format."""
    with CaptureWriter(folder / "whole.pcapng") as writer:
        writer.write(parse_capture(data))
    return (folder / "whole.pcapng").read_bytes()


def first_packets(count: int) -> bytes:
    """The example capture cut after whole records."""
    data = (ROOT / "examples" / "capture.pcap").read_bytes()
    at = 24
    for _ in range(count):
        at += 16 + int.from_bytes(data[at + 8 : at + 12], "little")
    return data[:at]


def sources(number: int, rng: random.Random, folder: Path) -> list[str]:
    """A damaged Python or assembly source."""
    if number % 4 == 3:
        path = folder / "mutant.s"
        text = (ROOT / "tests" / "cli" / "count.s").read_text(encoding="utf-8")
    else:
        path = folder / "mutant.py"
        name = ("count.py", "firewall.py", "unsafe.py")[number % 4]
        text = (ROOT / "examples" / name).read_text(encoding="utf-8")
    path.write_text(damage_text(text, rng), encoding="utf-8")
    return ["verify", str(path)]


KINDS: dict[str, Callable[[int, random.Random, Path], list[str]]] = {
    "objects": objects,
    "captures": captures,
    "sources": sources,
}


def run(kind: str, first: int, count: int, folder: Path) -> dict[int, int]:
    """How often each status came out."""
    statuses = {main.OK: 0, main.FAILED: 0, main.WRONG: 0}
    for number in range(first, first + count):
        words = KINDS[kind](number, random.Random(f"{kind} {number}"), folder)
        sys.stdout.write(f"{kind} {number}: {' '.join(words)}\n")
        sys.stdout.flush()
        signal.alarm(SECONDS_PER_CASE)
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            status = main.run(words)
        signal.alarm(0)
        if status not in statuses or "internal error" in shown.getvalue():
            raise SystemExit(f"{kind} {number}: status {status}\n{shown.getvalue()[-2000:]}")
        statuses[status] += 1
    return statuses


if __name__ == "__main__":
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.RLIM_INFINITY))
    outcome = run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if resident > RESIDENT_KIB:
        raise SystemExit(f"{resident} KiB resident")
    sys.stdout.write(" ".join(str(count) for count in outcome.values()) + "\n")
