"""``beebox compile``: a source becomes an ELF object, or assembly text."""

from __future__ import annotations

from pathlib import Path

import click

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
@click.argument("file", metavar="SRC", type=click.Path(path_type=Path, readable=False))
@click.option(
    "-o",
    "target",
    metavar="OBJ",
    type=click.Path(path_type=Path, readable=False),
    help="Write here; - is standard output.",
)
@click.option(
    "-S", "as_text", is_flag=True, help="Write assembly text, as with a name in .s behind -o."
)
@click.option("-I", "folders", metavar="DIR", multiple=True, help="C: look for headers here, too.")
@click.option("-D", "macros", metavar="NAME[=VALUE]", multiple=True, help="C: define a macro.")
@click.option(
    "--btf",
    metavar="FILE",
    type=click.Path(path_type=Path, readable=False),
    help="C: make vmlinux.h of these types; by default of the running kernel's.",
)
@click.argument("options", metavar="[-- CLANG-OPTION...]", nargs=-1, type=click.UNPROCESSED)
@global_options
def compile_command(
    file: Path,
    target: Path | None,
    as_text: bool,
    folders: tuple[str, ...],
    macros: tuple[str, ...],
    btf: Path | None,
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
    if (words or btf is not None) and file.suffix != ".c":
        raise InputError(f"{file}: -I, -D, --btf and what follows -- are for C sources")
    if as_text:
        data, names = _text(file, words, btf)
    elif file.suffix == ".c":
        data, names = _compile_c(file, words, btf)
    else:
        data, names = _object(file)
    target = target or file.with_suffix(".s" if as_text else ".o")
    write_result(target, data, [file], output)
    if output.json:
        output.data({"file": str(target), "bytes": len(data), "programs": list(names)})
    else:
        output.status(f"{target}: {len(data)} bytes, programs: {', '.join(names)}")
    return 0


def _object(file: Path) -> tuple[bytes, tuple[str, ...]]:
    """The ELF object of a source, and the names of its programs."""
    from beebox import api  # noqa: PLC0415 -- on demand
    from beebox.obj.writer import write  # noqa: PLC0415 -- on demand

    spec = api.compile(file)
    return write(spec), spec.program_names


def _text(file: Path, words: list[str], btf: Path | None) -> tuple[bytes, tuple[str, ...]]:
    """The assembly text of a source or an object, and the names of its programs."""
    from beebox import api  # noqa: PLC0415 -- on demand
    from beebox.obj.assembly.text import write_assembly  # noqa: PLC0415 -- on demand

    if file.suffix == ".c":
        spec = api.read_object(api.compile_c(file, words, btf=btf), file)
    else:
        spec = api.open_object(file)
    return write_assembly(spec).encode(), spec.program_names


def _compile_c(file: Path, words: list[str], btf: Path | None) -> tuple[bytes, tuple[str, ...]]:
    """The object as clang made it, and the functions in its program sections.

    The rooms that read objects are left alone: importing them takes longer than clang does.
    """
    from beebox.clang.run import compile_c  # noqa: PLC0415 -- on demand

    made = compile_c(file, words, btf=btf, meanwhile=_import_elf)
    if made.warnings:
        current().status(made.warnings)
    return made.data, _program_symbols(made.data, file)


def _import_elf() -> None:
    import beebox.obj.elf  # noqa: F401, PLC0415 -- while clang runs


def _program_symbols(data: bytes, file: Path) -> tuple[str, ...]:
    from beebox.obj.elf import SectionFlag, SymbolType, read  # noqa: PLC0415 -- on demand

    elf = read(data, file=str(file))
    functions = [
        (symbol.section, symbol.value, symbol.name)
        for symbol in elf.symbols
        if symbol.type == SymbolType.FUNC
        and symbol.section < len(elf.sections)
        and elf.sections[symbol.section].flags & SectionFlag.EXECINSTR
        and elf.sections[symbol.section].name != ".text"
    ]
    return tuple(name for _, _, name in sorted(functions))
