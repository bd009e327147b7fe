"""``beebox compile``: a source becomes an ELF object, or assembly text."""

from __future__ import annotations

from pathlib import Path

import click

from beebox import api
from beebox.cli.files import write_result
from beebox.cli.output import current, example, global_options
from beebox.errors import InputError


@click.command(
    "compile",
    short_help="Compile a source to an ELF object or to assembly text.",
    epilog=example(
        "beebox compile examples/firewall.py -o firewall.o",
        "beebox compile -S examples/firewall.py -o firewall.s",
        "beebox compile examples/count.c -D MAX_TALKERS=1024 -- -mcpu=v4",
    ),
)
@click.argument("file", metavar="SRC", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "target",
    metavar="OBJ",
    type=click.Path(path_type=Path),
    help="Write here; - is standard output.",
)
@click.option(
    "-S", "as_text", is_flag=True, help="Write assembly text, as with a name in .s behind -o."
)
@click.option("-I", "folders", metavar="DIR", multiple=True, help="C: look for headers here, too.")
@click.option("-D", "macros", metavar="NAME[=VALUE]", multiple=True, help="C: define a macro.")
@click.argument("options", metavar="[-- CLANG-OPTION...]", nargs=-1, type=click.UNPROCESSED)
@global_options
def compile_command(
    file: Path,
    target: Path | None,
    as_text: bool,
    folders: tuple[str, ...],
    macros: tuple[str, ...],
    options: tuple[str, ...],
) -> int:
    """Compile a Python (.py), C (.c) or assembly (.s) source to an ELF object.

    It is written beside SRC, with .o for the suffix, by default. The object carries BTF and line
    info; libbpf, bpftool and Linux load it. C is compiled by clang with -O2 -g -mcpu=v3; what
    follows -- is given to it as it stands. Assembly text (-S, for which SRC may be an object, too)
    holds all that the object does, not yet linked or relocated: edit it and use it as FILE.
    """
    output = current()
    words = [*(f"-I{each}" for each in folders), *(f"-D{each}" for each in macros), *options]
    as_text = as_text or (target is not None and target.suffix == ".s")
    if words and file.suffix != ".c":
        raise InputError(f"{file}: -I, -D and what follows -- are for C sources")
    data, names = _text(file, words) if as_text else _object(file, words)
    target = target or file.with_suffix(".s" if as_text else ".o")
    write_result(target, data, [file], output)
    if output.json:
        output.data({"file": str(target), "bytes": len(data), "programs": list(names)})
    else:
        output.status(f"{target}: {len(data)} bytes, programs: {', '.join(names)}")
    return 0


def _object(file: Path, words: list[str]) -> tuple[bytes, tuple[str, ...]]:
    """The ELF object of a source, and the names of its programs."""
    if file.suffix == ".c":
        data = api.compile_c(file, words)
        return data, api.read_object(data, file).program_names
    from beebox.obj.writer import write  # noqa: PLC0415 -- on demand

    spec = api.compile(file)
    return write(spec), spec.program_names


def _text(file: Path, words: list[str]) -> tuple[bytes, tuple[str, ...]]:
    """The assembly text of a source or an object, and the names of its programs."""
    from beebox.obj.assembly_text import write_assembly  # noqa: PLC0415 -- on demand

    spec = api.read_object(api.compile_c(file, words), file) if words else api.open_object(file)
    return write_assembly(spec).encode(), spec.program_names
