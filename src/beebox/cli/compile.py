"""``beebox compile``: a source becomes an ELF object."""

from __future__ import annotations

from pathlib import Path

import click

from beebox import api
from beebox.cli.files import write_result
from beebox.cli.output import current, example, global_options
from beebox.errors import InputError


@click.command(
    "compile",
    short_help="Compile a source to an ELF object.",
    epilog=example(
        "beebox compile examples/firewall.py -o firewall.o",
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
@click.option("-I", "folders", metavar="DIR", multiple=True, help="C: look for headers here, too.")
@click.option("-D", "macros", metavar="NAME[=VALUE]", multiple=True, help="C: define a macro.")
@click.argument("options", metavar="[-- CLANG-OPTION...]", nargs=-1, type=click.UNPROCESSED)
@global_options
def compile_command(
    file: Path,
    target: Path | None,
    folders: tuple[str, ...],
    macros: tuple[str, ...],
    options: tuple[str, ...],
) -> int:
    """Compile a Python (.py), C (.c) or assembly (.s) source to an ELF object.

    It is written beside SRC, with .o for the suffix, by default. The object carries BTF and line
    info; libbpf, bpftool and Linux load it. C is compiled by clang with -O2 -g -mcpu=v3; what
    follows -- is given to it as it stands.
    """
    output = current()
    words = [*(f"-I{each}" for each in folders), *(f"-D{each}" for each in macros), *options]
    if file.suffix == ".c":
        data = api.compile_c(file, words)
        names = api.read_object(data, file).program_names
    elif words:
        raise InputError(f"{file}: -I, -D and what follows -- are for C sources")
    else:
        from beebox.obj.writer import write  # noqa: PLC0415 -- on demand

        spec = api.compile(file)
        data, names = write(spec), spec.program_names
    target = target or file.with_suffix(".o")
    write_result(target, data, [file], output)
    if output.json:
        output.data({"file": str(target), "bytes": len(data), "programs": list(names)})
    else:
        output.status(f"{target}: {len(data)} bytes, programs: {', '.join(names)}")
    return 0
