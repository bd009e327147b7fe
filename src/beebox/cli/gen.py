"""``beebox gen``: what is made of objects."""

from __future__ import annotations

from pathlib import Path

import click

from beebox import api
from beebox.cli.files import write_result
from beebox.cli.output import current, example, global_options


@click.command(
    "object",
    short_help="Link objects and sources into one object.",
    epilog=example(
        "beebox gen object app.o main.o maps.o policy.o",
        "beebox gen object app.o main.c common.py checksum.s",
    ),
)
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.argument("files", metavar="IN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@global_options
def object_command(target: Path, files: tuple[Path, ...]) -> int:
    """Link BPF objects and sources into one object OUT; - is standard output.

    IN is an object (.o), or a C (.c), Python (.py) or assembly source (.s), which is compiled
    first. Externs find their definitions in the other files, same-named sections are put one
    behind the other, maps declared in several files are one map, and BTF is merged. What weak and
    strong definitions, externs and hidden symbols mean is as with bpftool gen object. Externs that
    no file defines stay open, for a later link.
    """
    output = current()
    linked = api.link(files)
    write_result(target, linked.data, files, output)
    if output.json:
        output.data(
            {
                "file": str(target),
                "bytes": len(linked.data),
                "inputs": [str(file) for file in files],
                "unresolved": list(linked.unresolved),
            }
        )
        return 0
    output.status(f"{target}: {len(linked.data)} bytes from {len(files)} files")
    if linked.unresolved:
        output.status(f"not defined yet: {', '.join(linked.unresolved)}")
    return 0
