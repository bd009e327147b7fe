"""Write docs/reference from the tables: ``make docs``. tests/repo fails when it is out of date."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from beebox.tables.findings import FINDINGS
from beebox.tables.helpers import HELPERS, Arg, Helper, RetKind
from beebox.tables.map_types import MapOp, MapType
from beebox.tables.opcodes import AluOp, AtomicOp, JmpOp, Size
from beebox.tables.program_types import ProgramType

REFERENCE = Path(__file__).parent / "reference"


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


def helpers() -> str:
    """Every helper function."""

    def argument(arg: Arg) -> str:
        marks = (" or null" if arg.nullable else "") + (", written" if arg.writes else "")
        return f"`{arg.name}`: {arg.kind.name.lower()}{marks}"

    def notes(row: Helper) -> str:
        said = {
            "GPL only": row.gpl_only,
            "pointers may be to the packet": row.packet_access,
            "voids packet pointers": row.changes_packet,
            "more arguments may follow": row.variadic,
        }
        return "; ".join(note for note, holds in said.items() if holds)

    def result(row: Helper) -> str:
        if row.ret is RetKind.INTEGER:
            return f"{'i' if row.ret_signed else 'u'}{row.ret_bits}"
        return row.ret.name.lower()

    rows = (
        (
            row.id,
            f"`{row.name}`",
            ", ".join(map(argument, row.args)),
            result(row),
            row.since,
            notes(row),
        )
        for row in HELPERS.values()
    )
    columns = ("id", "name", "arguments", "result", "since Linux", "notes")
    return page("Helper functions", "What programs can call.", table(columns, rows))


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
            row.value.key_size or "any",
            row.value.value_size or "any",
            "yes" if row.value.per_cpu else "",
            ", ".join((op.name or "").lower() for op in MapOp if op in row.value.ops),
            row.value.since,
        )
        for row in MapType
    )
    columns = ("name", "id", "key bytes", "value bytes", "per CPU", "operations", "since Linux")
    return page("Map types", "What `.map` and the map classes make.", table(columns, rows))


def programs() -> str:
    """Every program type with its context and verdicts."""
    parts = []
    for kind in ProgramType:
        row = kind.value
        if row.context is None:
            continue
        fields = (
            (
                f"`{each.name}`",
                each.offset,
                each.size,
                each.kind.name.lower(),
                ", ".join(map(str, each.reads)),
                ", ".join(map(str, each.writes)),
                each.since,
            )
            for each in row.context.fields
        )
        columns = ("field", "offset", "bytes", "kind", "loads", "stores", "since Linux")
        parts.append(f"## {row.name}: `{row.context.name}`\n\n" + table(columns, fields))
        if row.verdicts is not None:
            verdicts = ((f"`{each.name}`", each.value) for each in row.verdicts)
            parts.append(f"### Verdicts of {row.name}\n\n" + table(("name", "value"), verdicts))
    return page("Program types", "What a program is given and what it may answer.", *parts)


PAGES = {
    "helpers.md": helpers,
    "findings.md": findings,
    "instructions.md": instructions,
    "maps.md": maps,
    "programs.md": programs,
}


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(exist_ok=True)
    for name, write in PAGES.items():
        (REFERENCE / name).write_text(write(), encoding="utf-8")


if __name__ == "__main__":
    main()
