"""``beebox compile``: a source becomes an ELF object."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from beebox import api
from beebox.cli.output import current, example, global_options
from beebox.errors import InputError


@click.command(
    "compile",
    short_help="Compile a source to an ELF object.",
    epilog=example("beebox compile examples/firewall.py -o firewall.o"),
)
@click.argument("file", metavar="SRC", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "target",
    metavar="OBJ",
    type=click.Path(path_type=Path),
    help="Write here; - is standard output.",
)
@global_options
def compile_command(file: Path, target: Path | None) -> int:
    """Compile a Python (.py) or assembly (.s) source to an ELF object (SRC with .o by default).

    The object carries BTF and line info; libbpf, bpftool and Linux load it.
    """
    from beebox.obj.writer import write  # noqa: PLC0415 -- on demand

    output = current()
    spec = api.compile(file)
    data = write(spec)
    target = target or file.with_suffix(".o")
    if str(target) == "-" and output.json:
        raise InputError("-j and -o - both want standard output")
    try:
        if str(target) == "-":
            sys.stdout.buffer.write(data)
        elif target.exists() and target.samefile(file):
            raise InputError(f"{target} is the source; write to another file")
        else:
            target.write_bytes(data)
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else str(cause)
        raise InputError(f"{target}: {reason}") from cause
    if output.json:
        output.data({"file": str(target), "bytes": len(data), "programs": list(spec.program_names)})
    else:
        output.status(f"{target}: {len(data)} bytes, programs: {', '.join(spec.program_names)}")
    return 0
