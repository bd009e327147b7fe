"""``beebox gen min_core_btf``: the types that some objects need of a kernel."""

from __future__ import annotations

from pathlib import Path

import click

from beebox import api
from beebox.btf import codec
from beebox.cli.btf import open_types
from beebox.cli.files import write_result
from beebox.cli.output import current, example, global_options
from beebox.obj.minimal_types import minimal_types


@click.command(
    "min_core_btf",
    short_help="The part of a kernel's types that objects relocate against.",
    epilog=example(
        "beebox gen min_core_btf 5.4.0-generic.btf 5.4.0-tracer.btf tracer.o",
        "beebox gen min_core_btf kernel min.btf tracer.c probes.o",
    ),
)
@click.argument("source", metavar="INPUT")
@click.argument("target", metavar="OUTPUT", type=click.Path(path_type=Path, readable=False))
@click.argument(
    "files",
    metavar="OBJECT...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, readable=False),
)
@global_options
def min_core_btf_command(source: str, target: Path, files: tuple[Path, ...]) -> int:
    """Write to OUTPUT the types of INPUT that the CO-RE relocations of OBJECTs touch.

    INPUT is a kernel's BTF (a bare file or an ELF file), or kernel for the running one. OBJECT is
    an object or a source. The result takes the place of INPUT for these objects (--btf OUTPUT
    here, btf_custom_path in libbpf), on kernels that have no BTF of their own; - is standard
    output.
    """
    output = current()
    whole = open_types(source)
    small = minimal_types([api.open_object(file) for file in files], whole, source)
    data = codec.encode(small)
    inputs = [file for file in (Path(source), *files) if file.exists()]
    write_result(target, data, inputs, output)
    if output.json:
        output.data(
            {
                "file": str(target),
                "bytes": len(data),
                "types": len(small),
                "inputs": [str(file) for file in files],
            }
        )
    else:
        output.status(f"{target}: {len(data)} bytes, {len(small)} of {len(whole)} types")
    return 0
