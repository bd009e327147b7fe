"""Write docs/reference, docs/rejections and C headers (``make docs``); tests say when to."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from beebox import api
from beebox.clang.generated import FILES
from beebox.clang.run import INCLUDE
from beebox.cli import describe
from beebox.hooks.packet import HOOKED
from beebox.tables.contexts import Context
from beebox.tables.findings import FINDINGS, FREQUENT
from beebox.tables.helper_texts import SUMMARIES
from beebox.tables.helpers import FAMILIES, Arg
from beebox.tables.kfuncs import KFUNCS
from beebox.tables.links import ATTACH_SINCE, LINK_SINCE, LinkType
from beebox.tables.map_types import MapType
from beebox.tables.opcodes import AluOp, AtomicOp, JmpOp, Size
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import SECTIONS
from beebox.tables.versions import FEATURES, LIMITS
from beebox.verifier.reports.report import render
from beebox.verifier.shape.rights import PROGRAM_TYPES

REFERENCE = Path(__file__).parent / "reference"
REJECTIONS = Path(__file__).parent / "rejections"
EXAMPLES = REJECTIONS / "examples"


def table(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """A Markdown table; bars inside cells are escaped."""
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def page(title: str, text: str, *tables: str) -> str:
    """A page that says where it comes from."""
    head = f"# {title}\n\n{text} Generated from `src/beebox/tables` by `make docs`.\n"
    return head + "".join(f"\n{each}" for each in tables)


FAMILY_TITLES = {
    "maps": "Maps, per-CPU data, ring buffers, local storage, dynptrs",
    "general": "Time, numbers, text, locks, timers, the current task",
    "packets": "Packets",
    "sockets": "Sockets",
    "tracing": "Tracing and security",
}


def arguments(args: Iterable[Arg]) -> str:
    """Arguments with what they may be."""
    return ", ".join(f"`{arg.name}`: {describe.argument_kind(arg)}" for arg in args)


def helpers() -> str:
    """Every helper function."""
    columns = ("id", "name", "arguments", "result", "called by", "since Linux", "what, notes")
    parts = []
    for family, rows in FAMILIES.items():
        lines: list[tuple[object, ...]] = []
        for row in rows:
            maps_of = ", ".join(describe.plain(row.map_types))
            attach = ", ".join(describe.plain(row.attach_types))
            said = [
                SUMMARIES[row.name].removesuffix("."),
                describe.notes(row),
                f"maps: {maps_of}" if maps_of else "",
                f"attach types: {attach}" if attach else "",
            ]
            lines.append(
                (
                    row.id,
                    f"`{row.name}`",
                    arguments(row.args),
                    describe.result_kind(row),
                    describe.callers(row.program_types),
                    row.since,
                    "; ".join(filter(None, said)),
                )
            )
            lines += [
                (
                    "",
                    f"`{row.name}`",
                    arguments(variant.args) or "none",
                    describe.result_kind(row),
                    describe.callers(variant.program_types),
                    "",
                    "as these programs see it",
                )
                for variant in row.variants
            ]
        parts.append(f"## {FAMILY_TITLES[family]}\n\n" + table(columns, lines))
    text = "The helper functions of Linux 6.18; `beebox helpers NAME` shows one."
    return page("Helper functions", text, *parts)


def kfuncs() -> str:
    """Every kernel function that programs may call."""
    rows = (
        (
            f"`{row.prototype}`",
            ", ".join(describe.plain(row.flags)),
            describe.callers(row.program_types),
            row.since,
            row.config and f"needs {row.config}",
        )
        for row in KFUNCS.values()
    )
    columns = ("prototype", "flags", "called by", "since Linux", "notes")
    text = "The kernel functions of Linux 6.18 that programs call by name."
    return page("Kernel functions", text, table(columns, rows))


def findings() -> str:
    """Every reason for a rejection."""
    rows = ((f"`{row.code}`", row.category, row.title, row.hint) for row in FINDINGS.values())
    text = "Why the verifier rejects a program; `beebox verify -j` gives the code."
    return page("Findings", text, table(("code", "category", "meaning", "help"), rows))


def instructions() -> str:
    """Every operation of the instruction set."""
    alu = (
        (f"`{op.value.symbol}`", op.name, f"{op.value.code:#04x}", op.value.offset, op.value.since)
        for op in AluOp
    )
    jumps = (
        (f"`{op.value.symbol}`", op.name, f"{op.value.code:#04x}", op.value.since) for op in JmpOp
    )
    atomics = ((op.name, f"{op.value.imm:#05x}", op.value.since) for op in AtomicOp)
    sizes = (
        (op.value.ctype, op.value.signed_ctype or "", op.value.bytes, f"{op.value.code:#04x}")
        for op in Size
    )
    return page(
        "Instructions",
        "The operations of RFC 9669 and Linux 6.18, as assembly writes them.",
        "## Arithmetic\n\n" + table(("text", "name", "code", "offset field", "since Linux"), alu),
        "## Conditional jumps\n\n" + table(("text", "name", "code", "since Linux"), jumps),
        "## Atomics\n\n" + table(("name", "immediate", "since Linux"), atomics),
        "## Sizes\n\n" + table(("type", "signed loads", "bytes", "code"), sizes),
    )


def maps() -> str:
    """Every map type."""
    rows = (
        (
            f"`{row.value.name}`",
            row.value.id,
            describe.sizes(row.value.key),
            describe.sizes(row.value.value),
            "yes" if row.value.per_cpu else "",
            ", ".join(describe.plain(row.value.ops)),
            ", ".join(describe.plain(row.value.user_ops)),
            ", ".join(describe.plain(row.value.flags)),
            row.value.since,
        )
        for row in MapType
    )
    columns = (
        *("name", "id", "key bytes", "value bytes", "per CPU", "programs", "user space"),
        *("flags", "since Linux"),
    )
    return page("Map types", "What `.map` and the map classes make.", table(columns, rows))


def programs() -> str:
    """Every program type with its verdicts."""
    summary = (
        (
            row.value.id,
            f"`{row.value.name}`",
            f"`{row.value.context.name}`" if row.value.context else "by BTF",
            row.value.packet.name.lower(),
            "yes" if row.value.legacy_loads else "",
            row.value.sleeps.name.lower(),
            row.value.meaning,
            row.value.since,
        )
        for row in ProgramType
    )
    columns = (*("id", "name", "context", "packet", "LD_ABS", "sleeps", "result", "since Linux"),)
    parts = [table(columns, summary)]
    for kind in ProgramType:
        row = kind.value
        lines: list[tuple[object, ...]] = []
        if row.verdicts is not None:
            lines += [(f"`{each.name}`", each.value, "") for each in row.verdicts]
        for allowed in row.returns:
            one = allowed.low == allowed.high
            values = str(allowed.low) if one else f"{allowed.low} to {allowed.high}"
            types = ", ".join(each.name.lower() for each in allowed.attach_types)
            lines.append(("only", values, types))
        if lines:
            results = table(("result", "value", "attach types"), lines)
            parts.append(f"## Results of {row.name}\n\n{results}")
    text = "What programs are and what they may answer; `contexts.md` has what they are given."
    return page("Program types", text, *parts)


def contexts() -> str:
    """Every context, once per set of program types that see it the same."""
    users: dict[Context, list[str]] = {}
    for kind in ProgramType:
        if kind.value.context is not None:
            users.setdefault(kind.value.context, []).append(kind.value.name)
    parts = []
    columns = ("field", "offset", "bytes", "kind", "loads", "stores", "attach types", "since Linux")
    for context, names in users.items():
        fields = (
            (
                f"`{each.name}`",
                each.offset,
                each.size,
                each.kind.name.lower(),
                ", ".join(map(str, each.reads)),
                ", ".join(map(str, each.writes))
                + (f" ({', '.join(each.store_types)})" if each.store_types else ""),
                ", ".join(each.attach_types),
                each.since,
            )
            for each in context.fields
        )
        parts.append(f"## `{context.name}` in {', '.join(names)}\n\n" + table(columns, fields))
    text = "What R1 points to: fields, and sizes in bytes of legal loads and stores."
    return page("Contexts", text, *parts)


def attach() -> str:
    """Attach types and link types."""
    users: dict[AttachType, list[str]] = {}
    for kind in ProgramType:
        for each in kind.value.attach_types:
            users.setdefault(each, []).append(kind.value.name)
    types = (
        (each.value, f"`{each.name}`", ", ".join(users.get(each, ())), ATTACH_SINCE[each])
        for each in AttachType
    )
    links = ((each.value, f"`{each.name}`", LINK_SINCE[each]) for each in LinkType)
    return page(
        "Attach types and links",
        "Where programs are attached (`BPF_*`), and by what (`BPF_LINK_TYPE_*`).",
        "## Attach types\n\n" + table(("id", "name", "program types", "since Linux"), types),
        "## Links\n\n" + table(("id", "name", "since Linux"), links),
    )


def sections() -> str:
    """SEC() names."""
    rows = (
        (
            f"`{row.name}/...`" if row.prefix else f"`{row.name}`",
            row.program_type.value.name,
            row.attach_type.name.lower() if row.attach_type else "",
            ", ".join(describe.plain(row.flags)),
            "yes" if row.program_type in PROGRAM_TYPES else "",
            "yes" if row.program_type in HOOKED else "",
        )
        for row in SECTIONS
    )
    columns = ("section", "program type", "attach type", "flags", "verified", "runs in userspace")
    text = (
        "Which section of an object holds which kind of program, as libbpf 1.8 reads them; which "
        "of them beebox verifies, and which also run in its userspace kernel."
    )
    return page("Sections", text, table(columns, rows))


def kernels() -> str:
    """Limits and features by version."""
    limits = (
        (
            f"`{row.name}`",
            row.text,
            ", ".join(f"{value:,} since {since}" for since, value in row.values),
        )
        for row in LIMITS
    )
    features = ((row.since, f"`{row.name}`", row.text) for row in FEATURES)
    return page(
        "Kernel versions",
        "Mainline Linux; distributions backport.",
        "## Limits\n\n" + table(("limit", "of", "value"), limits),
        "## Features\n\n" + table(("since Linux", "feature", "what"), features),
    )


def function(source: str, name: str) -> str:
    """One program of a C source, with the numbers of its lines."""
    lines = source.splitlines()
    head = next(at for at, line in enumerate(lines) if f" {name}(" in line)
    start = next(at for at in range(head, -1, -1) if lines[at].startswith("SEC("))
    end = next(at for at in range(head, len(lines)) if lines[at] == "}")
    shown = [(at + 1, lines[at].replace("\t", "    ")) for at in range(start, end + 1)]
    return "\n".join(f"{number:>3}  {line}".rstrip() for number, line in shown)


def rejection(code: str) -> str:
    """Why programs are refused with a finding: a real one, verified now, and its safe twin."""
    row = FINDINGS[code]
    source = (EXAMPLES / f"{code}.c").read_text(encoding="utf-8")
    reports = api.verify(EXAMPLES / f"{code}.s", programs=["bad", "good"], btf="self", explain=True)
    bad, good = reports
    found = [finding.code for finding in bad.findings]
    if found != [code] or not good.accepted:
        raise SystemExit(f"{code}: the example is refused for {found}, its twin: {good.findings}")
    origin = (
        "Generated by `make docs` from the example, which is verified each time, and "
        "`src/beebox/tables/findings.py`; [all findings](../reference/findings.md)."
    )
    messages = "\n".join(f"- `{each.kernel_message}`" for each in bad.findings)
    parts = [
        f"# {row.title[0].upper()}{row.title[1:]} (`{code}`)",
        f"Category: {row.category}. In short: {row.hint}.",
        textwrap.fill(row.why, 100, break_on_hyphens=False),
        f"Linux says, for the program below:\n\n{messages}",
        "and `beebox explain` finds this page's reason in a log that has the line.",
        f"## A program that is refused\n\n```c\n{function(source, 'bad')}\n```",
        f"`beebox verify docs/rejections/examples/{code}.c` says of it:\n\n```\n{render(bad)}\n```",
        f"## One that is accepted\n\n```c\n{function(source, 'good')}\n```",
        origin,
    ]
    return "\n\n".join(parts) + "\n"


def rejections() -> str:
    """The list of the pages."""
    rows = (
        (f"[{FINDINGS[code].title}]({code}.md)", f"`{code}`", FINDINGS[code].hint)
        for code in FREQUENT
    )
    text = (
        "The most frequent reasons why verifiers refuse programs, the most frequent first, each "
        "with a real program, what beebox says of it, and a change that is accepted."
    )
    return page("Rejections", text, table(("reason", "finding", "in short"), rows))


REJECTION_PAGES: dict[str, Callable[[], str]] = {
    "README.md": rejections,
    **{f"{code}.md": partial(rejection, code) for code in FREQUENT},
}

PAGES = {
    "attach.md": attach,
    "contexts.md": contexts,
    "findings.md": findings,
    "helpers.md": helpers,
    "instructions.md": instructions,
    "kfuncs.md": kfuncs,
    "maps.md": maps,
    "programs.md": programs,
    "sections.md": sections,
    "versions.md": kernels,
}


def main() -> None:
    """Write every page, and the shipped C headers that the tables hold."""
    REFERENCE.mkdir(exist_ok=True)
    for name, write in PAGES.items():
        (REFERENCE / name).write_text(write(), encoding="utf-8")
    for name, write in REJECTION_PAGES.items():
        (REJECTIONS / name).write_text(write(), encoding="utf-8")
    for name, write in FILES.items():
        (INCLUDE / name).write_text(write(), encoding="utf-8")


if __name__ == "__main__":
    main()
