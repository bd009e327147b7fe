"""``beebox btf``: what types a file or the kernel describes; bpftool's words."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import click

from beebox import api
from beebox.btf import kernel, raw_output
from beebox.btf.c import output as c_output
from beebox.btf.types import Btf
from beebox.cli.output import Output, current, example, global_options, printable
from beebox.errors import BtfError, InputError
from beebox.obj.elf import read as read_elf

_ELF: Final = b"\x7fELF"
_RUNNING: Final = "kernel"
_AT_ONCE: Final = 4096
_SOURCES: Final = {".py", ".c", ".s"}


@dataclass(frozen=True, slots=True)
class _Asked:
    """The words behind ``dump``."""

    source: str
    name: str
    format: str
    roots: tuple[int, ...]


@click.command(
    short_help="Show types, as rows or as C.",
    epilog=example(
        "beebox btf dump file firewall.o",
        "beebox btf dump file kernel format c > vmlinux.h",
        "beebox btf dump file /sys/kernel/btf/vmlinux format c root_id 196",
        "beebox btf dump -B /sys/kernel/btf/vmlinux file module.btf",
        "beebox btf dump -j id 7",
    ),
)
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="file FILE|id N [format raw|c [unsorted]] [root_id N]...",
)
@click.option(
    "-B", "--base-btf", "base", metavar="FILE", help="The types that split BTF stands on."
)
@global_options
def dump(words: tuple[str, ...], base: str | None) -> int:
    """Show the types of FILE, or of what Linux loaded under an id.

    FILE is a source or an object (its .BTF), a bare BTF file, or kernel for the running one.
    "format c" is a header: vmlinux.h for a kernel. "root_id N" keeps type N; as C with all that it
    needs; it is in the order of ids, unsorted or not. Split BTF of a module in /sys/kernel/btf
    finds its base by itself.
    """
    output = current()
    asked = _asked(words)
    if asked.format == "c" and output.json:
        raise InputError("C has no JSON form")
    on = open_types(base) if base is not None else None
    btf = _open_id(asked.name, on) if asked.source == "id" else open_types(asked.name, on)
    missing = [root for root in asked.roots if not 0 < root <= len(btf)]
    if missing:
        raise InputError(f"invalid root ID: {missing[0]}; there are {len(btf)} types")
    roots = asked.roots or None
    if asked.format == "c":
        click.echo(c_output.header(btf, roots=roots), nl=False)
        return 0
    deque(btf.types, maxlen=0)  # what is malformed is told before the first row
    if output.json:
        _write_json(btf, roots, output)
    else:
        for some in _batches(raw_output.text(btf, roots)):
            click.echo(printable(some), nl=False)
    return 0


def open_types(name: str, base: Btf | None = None) -> Btf:
    """The types that a command's FILE holds. Raises :exc:`InputError` or a class below it."""
    file = Path(name)
    if name == _RUNNING and not file.exists():
        return kernel.open_running()
    if file.suffix in _SOURCES and file.suffix != ".c":
        btf = api.open_object(file).btf
        if btf is None:
            raise InputError(f"{file}: holds no BTF")
        return btf
    data = api.compile_c(file) if file.suffix == ".c" else api.read_bytes(file)
    if data.startswith(_ELF):
        elf = read_elf(data, file=name)
        at = elf.find(".BTF")
        if at is None or not elf.sections[at].size:
            raise InputError(f"{file}: holds no BTF")
        data = elf.sections[at].contents
    elif base is None and file.parent == kernel.FOLDER and file.name != "vmlinux":
        base = kernel.open_running()
    try:
        return kernel.open_bytes(data, base)
    except BtfError as cause:
        raise cause.within(name) from cause


def _open_id(text: str, base: Btf | None) -> Btf:
    from beebox.linux.types_by_id import open_id  # noqa: PLC0415 -- on demand

    return open_id(_number("id", text), base)


def _asked(words: tuple[str, ...]) -> _Asked:
    """``file FILE format c root_id N``: the source first, the rest in any order."""
    source, *rest = words
    if source not in {"file", "id"}:
        raise InputError(f"unknown source {source!r}; it is file FILE or id N")
    if not rest:
        raise InputError(f"{source} needs a value")
    shape = None
    roots = []
    if "unsorted" in rest[1:]:  # newer bpftools' word for the order that we have
        place = rest.index("unsorted", 1)
        if rest[place - 2 : place] != ["format", "c"]:
            raise InputError("unsorted belongs behind format c")
        del rest[place]
    for at in range(1, len(rest), 2):
        word, value = rest[at], rest[at + 1] if at + 1 < len(rest) else None
        if word not in {"format", "root_id"}:
            raise InputError(f"unknown word {word!r}; it takes format and root_id")
        if value is None:
            raise InputError(f"{word} needs a value")
        if word == "root_id":
            roots.append(_number(word, value))
        elif shape is not None:
            raise InputError("format is given twice")
        elif value not in {"raw", "c"}:
            raise InputError(f"unknown format {value!r}; it is raw or c")
        else:
            shape = value
    return _Asked(source, rest[0], shape or "raw", tuple(roots))


def _number(word: str, text: str) -> int:
    if not text.isdecimal() or len(text) > 10 or int(text) >= 1 << 32:
        raise InputError(f"{word} {text}: write a number from 0 to {(1 << 32) - 1}")
    return int(text)


def _batches(parts: Iterable[str], between: str = "") -> Iterator[str]:
    """Many small texts as few large ones."""
    parts = iter(parts)
    while some := list(islice(parts, _AT_ONCE)):
        yield between.join(some)


def _write_json(btf: Btf, roots: tuple[int, ...] | None, output: Output) -> None:
    """One document, written as it comes: a kernel's has 17 MB."""
    rows = raw_output.rows(btf, roots)
    if output.pretty:
        output.data({"types": list(rows)})
        return
    lead = '{"types":['
    for some in _batches((json.dumps(row, separators=(",", ":")) for row in rows), ","):
        click.echo(lead + some, nl=False)
        lead = ","
    click.echo("]}" if lead == "," else lead + "]}")
