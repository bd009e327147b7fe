"""``beebox gen``: what is made of objects."""

from __future__ import annotations

from pathlib import Path

import click

from beebox import api
from beebox.cli.files import write_result
from beebox.cli.output import current, example, global_options
from beebox.errors import InputError


@click.command(
    "object",
    short_help="Link objects and sources into one object.",
    epilog=example(
        "beebox gen object app.o main.o maps.o policy.o",
        "beebox gen object app.o main.c common.py checksum.s",
    ),
)
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path, readable=False))
@click.argument(
    "files",
    metavar="IN...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, readable=False),
)
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


@click.command(
    "skeleton",
    short_help="Write a typed Python module that holds an object.",
    epilog=example(
        "beebox gen skeleton examples/count.py -o count_skel.py",
        "beebox gen skeleton filter.o name flow_filter -o flow_filter.py",
    ),
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, readable=False))
@click.argument("words", metavar="[name NAME]", nargs=-1)
@click.option(
    "-o",
    "target",
    metavar="FILE.py",
    type=click.Path(path_type=Path, readable=False),
    default="-",
    help="Write here; - is standard output, the default.",
)
@global_options
def skeleton_command(file: Path, words: tuple[str, ...], target: Path) -> int:
    """Write a Python module with the object in it: maps, programs and variables with their types.

    Its class opens the object, loads it into either kernel and closes it. NAME is the class's; by
    default it comes from FILE. The module imports beebox alone and passes mypy --strict.
    """
    from beebox.obj.skeleton import write_skeleton  # noqa: PLC0415 -- on demand

    output = current()
    if words and (len(words) != 2 or words[0] != "name"):
        raise InputError(f"{' '.join(words)}: only `name NAME` may follow the file")
    text = write_skeleton(api.open_object(file), words[1] if words else file.stem)
    write_result(target, text.encode(), [file], output)
    if output.json:
        output.data({"file": str(target), "bytes": len(text)})
    elif str(target) != "-":
        output.status(f"{target}: {len(text)} bytes")
    return 0
