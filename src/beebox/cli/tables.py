"""``beebox helpers``, ``kfuncs``, ``program-types``, ``map-types``, ``insns``: tables, printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import click

from beebox.cli import describe
from beebox.cli.output import Output, current, example, global_options
from beebox.errors import InputError
from beebox.tables.helper_texts import SUMMARIES
from beebox.tables.helpers import FAMILIES, HELPER_BY_NAME, Helper
from beebox.tables.map_types import MapType
from beebox.tables.program_types import ProgramType
from beebox.tables.versions import NEWEST, release

Row = TypeVar("Row")
_PREFIXES: Final = ("bpf_func_", "bpf_prog_type_", "bpf_map_type_", "bpf_")
PROGRAM_TYPES: Final = {row.value.name: row for row in ProgramType}
MAP_TYPES: Final = {row.value.name: row for row in MapType}


def find(rows: Mapping[str, Row], name: str, what: str) -> Row:
    """The row of that name, spelled as here or as the kernel does. Raises :exc:`InputError`."""
    word = name.lower().replace("-", "_")
    prefix = next((each for each in _PREFIXES if word.startswith(each)), "")
    for spelling in (word, word.removeprefix(prefix)):
        if spelling in rows:
            return rows[spelling]
    close = get_close_matches(word.removeprefix(prefix), rows, n=3)
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    raise InputError(f"no {what} {name!r}{hint}")


def _version(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    """A kernel version, the newest by default. Raises :exc:`InputError`."""
    if value is not None and re.fullmatch(r"\d{1,3}\.\d{1,3}(\.\d+)?([-+].*)?", value) is None:
        raise InputError(f"{value[:64]!r} is no kernel version; write it like 6.1")
    return value or NEWEST


version_option = click.option(
    "--kernel-version",
    metavar="X.Y",
    callback=_version,
    help="Only what mainline Linux X.Y has; default: 6.18.",
)


def exists(since: str, version: str) -> bool:
    """Whether what came with ``since`` is in ``version``."""
    return release(since) <= release(version)


def require(name: str, since: str, version: str) -> None:
    """Raises :exc:`InputError` where Linux ``version`` does not have what is asked for by name."""
    if not exists(since, version):
        raise InputError(f"Linux {version} has no {name}: it came with {since}")


def print_row(output: Output, title: str, row: Mapping[str, Any]) -> None:
    """The whole row: as JSON, or one line per column, nested rows as tables."""
    if output.json:
        output.data(row)
        return
    nested = {}
    lines = []
    for key, value in row.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            nested[key] = value
        elif value not in _EMPTY:
            lines.append((key.replace("_", " "), _text(value)))
    output.table(title, ("column", "value"), lines, right=2)
    for key, rows in nested.items():
        columns = [name for name in rows[0] if any(each[name] not in _EMPTY for each in rows)]
        cells = [[_text(each[name]) for name in columns] for each in rows]
        output.table(key, [name.replace("_", " ") for name in columns], cells, right=len(columns))


_EMPTY: Final[tuple[object, ...]] = (None, "", [], False)


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(_text(each) for each in value)
        case dict():
            return ", ".join(f"{key} {_text(each)}" for key, each in value.items())
        case _:
            return str(value)


def print_list(
    output: Output,
    key: str,
    columns: tuple[str, ...],
    rows: Iterable[tuple[str, ...]],
    whole: Callable[[], list[dict[str, Any]]],
) -> None:
    """All rows: the whole of each as JSON, or a table of the columns that matter most."""
    if output.json:
        output.data({key.replace(" ", "_"): whole()})
        return
    listed = list(rows)
    output.table(f"{len(listed)} {key}", columns, listed, right=len(columns))


def helper_row(row: Helper) -> dict[str, Any]:
    """A helper as JSON has it, with the maps that it takes."""
    found: dict[str, Any] = describe.plain(row)
    found["map_types"] = describe.plain(row.map_types)
    found["summary"] = SUMMARIES[row.name]
    return found


@click.command(
    "helpers",
    short_help="Helper functions: arguments, callers, effects.",
    epilog=example(
        "beebox helpers --program-type xdp",
        "beebox helpers bpf_fib_lookup",
        "beebox helpers --map-type ringbuf --kernel-version 5.10 -j",
    ),
)
@click.argument("name", required=False)
@click.option("--program-type", metavar="TYPE", help="Only what programs of this type may call.")
@click.option("--map-type", metavar="TYPE", help="Only what takes maps of this type.")
@click.option("--family", type=click.Choice(list(FAMILIES)), help="Only those of one family.")
@version_option
@global_options
def helpers_command(
    name: str | None,
    program_type: str | None,
    map_type: str | None,
    family: str | None,
    kernel_version: str,
) -> int:
    """List the helper functions of Linux 6.18, or show everything about one of them.

    With --program-type, arguments and results are those that such programs see.
    """
    output = current()
    caller = find(PROGRAM_TYPES, program_type, "program type") if program_type else None
    wanted = find(MAP_TYPES, map_type, "map type") if map_type else None
    if name is not None:
        row = find(HELPER_BY_NAME, name, "helper")
        require(row.name, row.since, kernel_version)
        if caller is not None:
            if caller not in row.program_types:
                raise InputError(f"{caller.value.name} programs have no helper {row.name!r}")
            row = row.called_by(caller)
        _one_helper(output, row)
        return 0
    rows = [
        row if caller is None else row.called_by(caller)
        for row in (FAMILIES[family] if family else HELPER_BY_NAME.values())
        if (caller is None or caller in row.program_types)
        and (wanted is None or wanted in row.map_types)
        and exists(row.since, kernel_version)
    ]
    print_list(
        output,
        "helpers",
        ("id", "name", "arguments", "result", "since", "notes"),
        (
            (
                str(row.id),
                row.name,
                ", ".join(arg.name for arg in row.args),
                describe.result_kind(row),
                row.since,
                describe.notes(row),
            )
            for row in rows
        ),
        lambda: [helper_row(row) for row in rows],
    )
    return 0


def _one_helper(output: Output, row: Helper) -> None:
    if output.json:
        output.data(helper_row(row))
        return
    lines = [
        ("what", SUMMARIES[row.name]),
        ("id", str(row.id)),
        ("since Linux", row.since),
        ("result", describe.result_kind(row)),
        ("callers", describe.callers(row.program_types)),
        ("attach types", ", ".join(describe.plain(row.attach_types))),
        ("maps", ", ".join(describe.plain(row.map_types))),
        ("notes", describe.notes(row)),
    ]
    output.table(
        f"bpf_{row.name}", ("column", "value"), [line for line in lines if line[1]], right=2
    )
    if row.args:
        arguments = [(arg.name, describe.argument_kind(arg)) for arg in row.args]
        output.table("arguments", ("name", "what"), arguments, right=2)
    for variant in row.variants:
        arguments = [(arg.name, describe.argument_kind(arg)) for arg in variant.args]
        output.table(
            f"arguments in {describe.callers(variant.program_types)} programs",
            ("name", "what"),
            arguments or [("", "none")],
            right=2,
        )


@click.command(
    "program-types",
    short_help="Program types: contexts, verdicts, attach types.",
    epilog=example("beebox program-types", "beebox program-types sched_cls"),
)
@click.argument("name", required=False)
@version_option
@global_options
def program_types_command(name: str | None, kernel_version: str) -> int:
    """List the program types of Linux 6.18, or show one with its context, field by field."""
    output = current()
    if name is not None:
        row = find(PROGRAM_TYPES, name, "program type").value
        require(row.name, row.since, kernel_version)
        found = describe.plain(row)
        if not output.json and row.context is not None:
            found["context"] = row.context.name
            found["fields"] = describe.plain(row.context.fields)
        print_row(output, row.name, found)
        return 0
    rows = [row for row in ProgramType if exists(row.value.since, kernel_version)]
    print_list(
        output,
        "program types",
        ("id", "name", "context", "packet", "verdicts", "attach types", "since"),
        (
            (
                str(row.value.id),
                row.value.name,
                row.value.context.name if row.value.context else "by BTF",
                row.value.packet.name.lower(),
                row.value.verdicts.__name__ if row.value.verdicts else "",
                str(len(row.value.attach_types) or ""),
                row.value.since,
            )
            for row in rows
        ),
        lambda: [describe.plain(row.value) for row in rows],
    )
    return 0


@click.command(
    "map-types",
    short_help="Map types: sizes, flags, operations.",
    epilog=example("beebox map-types", "beebox map-types lpm_trie"),
)
@click.argument("name", required=False)
@version_option
@global_options
def map_types_command(name: str | None, kernel_version: str) -> int:
    """List the map types of Linux 6.18, or show one with its rules."""
    output = current()
    if name is not None:
        row = find(MAP_TYPES, name, "map type").value
        require(row.name, row.since, kernel_version)
        found = describe.plain(row)
        if not output.json:
            found |= {"key": describe.sizes(row.key), "value": describe.sizes(row.value)}
        print_row(output, row.name, found)
        return 0
    rows = [row for row in MapType if exists(row.value.since, kernel_version)]
    print_list(
        output,
        "map types",
        ("id", "name", "key bytes", "value bytes", "programs may", "since"),
        (
            (
                str(row.value.id),
                row.value.name,
                describe.sizes(row.value.key),
                describe.sizes(row.value.value),
                describe.operations(row.value),
                row.value.since,
            )
            for row in rows
        ),
        lambda: [describe.plain(row.value) for row in rows],
    )
    return 0


@click.command(
    "kfuncs",
    short_help="Kernel functions that programs may call by name.",
    epilog=example("beebox kfuncs --program-type xdp", "beebox kfuncs bpf_dynptr_from_skb"),
)
@click.argument("name", required=False)
@click.option("--program-type", metavar="TYPE", help="Only what programs of this type may call.")
@version_option
@global_options
def kfuncs_command(name: str | None, program_type: str | None, kernel_version: str) -> int:
    """List the kernel functions of Linux 6.18 for programs, or show one."""
    from beebox.tables.kfuncs import KFUNCS  # noqa: PLC0415 -- large, and only needed here

    output = current()
    if name is not None:
        known = {row.name.removeprefix("bpf_"): row for row in KFUNCS.values()} | KFUNCS
        row = find(known, name, "kfunc")
        require(row.name, row.since, kernel_version)
        print_row(output, row.prototype, describe.plain(row))
        return 0
    caller = find(PROGRAM_TYPES, program_type, "program type") if program_type else None
    rows = [
        row
        for row in KFUNCS.values()
        if (caller is None or caller in row.program_types) and exists(row.since, kernel_version)
    ]
    print_list(
        output,
        "kfuncs",
        ("name", "flags", "since", "needs"),
        ((row.name, ", ".join(describe.plain(row.flags)), row.since, row.config) for row in rows),
        lambda: [describe.plain(row) for row in rows],
    )
    return 0


@click.command(
    "insns",
    short_help="Instructions: opcodes, assembly, conformance groups.",
    epilog=example("beebox insns", "beebox insns may_goto"),
)
@click.argument("name", required=False)
@version_option
@global_options
def insns_command(name: str | None, kernel_version: str) -> int:
    """List the instructions of RFC 9669 and Linux 6.18, or show one with its opcodes."""
    from beebox.isa.catalogue import catalogue  # noqa: PLC0415 -- only needed here

    output = current()
    entries = catalogue()
    if name is not None:
        entry = find(entries, name, "instruction")
        require(entry.name, entry.since, kernel_version)
        print_row(output, entry.name, describe.plain(entry))
        return 0
    listed = [entry for entry in entries.values() if exists(entry.since, kernel_version)]
    print_list(
        output,
        "instructions",
        ("name", "kind", "assembly", "opcodes", "groups", "since"),
        (
            (
                entry.name,
                entry.kind,
                entry.forms[0].assembly,
                " ".join(dict.fromkeys(form.opcode for form in entry.forms)),
                " ".join(dict.fromkeys(form.group for form in entry.forms if form.group)),
                entry.since,
            )
            for entry in listed
        ),
        lambda: [describe.plain(entry) for entry in listed],
    )
    return 0
