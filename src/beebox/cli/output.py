"""Where results go: JSON for programs, tables for people, status and errors to stderr.

A table is drawn by rich on a terminal; anywhere else it is plain aligned text without rich.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import click

from beebox.errors import BeeboxError, InternalError

_COMMANDS: Final = re.compile(r"\x1b(?!\[[0-9;]*m)|[^\n\t\x1b -~\xa0-\U0010ffff]")
F = TypeVar("F", bound=Callable[..., Any] | click.Command)


@dataclass(frozen=True, slots=True)
class Output:
    """How this command speaks: ``json`` (-j), ``pretty`` JSON (-p), else for people."""

    json: bool = False
    pretty: bool = False
    aside: bool = False  # tables and lines on stderr: stdout carries other data

    def data(self, value: Mapping[str, Any]) -> None:
        """A result as one JSON document on stdout."""
        click.echo(json.dumps(value, indent=2 if self.pretty else None, default=_plain))

    def text(self, line: str = "") -> None:
        """A line of the result on stdout."""
        click.echo(printable(line), err=self.aside)

    def status(self, line: str) -> None:
        """A line on stderr about what happens; silent under JSON."""
        if not self.json:
            click.echo(printable(line), err=True)

    def error(self, error: BeeboxError) -> None:
        """The one report of an error: JSON on stdout, or text on stderr."""
        if self.json:
            self.data({"error": error.fields()})
        else:
            click.echo(printable(f"beebox: error: {error}"), err=True)

    def table(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: int = 0
    ) -> None:
        """A table; columns from index ``right`` on are numbers, set flush right."""
        rows = [[printable(cell) for cell in row] for row in rows]
        if sys.stdout.isatty() and not self.aside:
            self._rich_table(title, columns, rows, right)
        else:
            self._plain_table(title, columns, rows, right)

    def _plain_table(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], right: int
    ) -> None:
        widths = [max(len(cell) for cell in column) for column in zip(columns, *rows, strict=True)]
        self.text(title)
        for row in [columns, *rows]:
            cells = [
                cell.rjust(width) if i >= right else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            self.text(("  " + "  ".join(cells)).rstrip())

    def _rich_table(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], right: int
    ) -> None:
        from rich.console import Console  # noqa: PLC0415 -- only for terminals
        from rich.table import Table  # noqa: PLC0415 -- only for terminals
        from rich.text import Text  # noqa: PLC0415 -- only for terminals

        table = Table()
        for i, column in enumerate(columns):
            table.add_column(Text(column), justify="right" if i >= right else "left")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        console = Console()
        console.print(Text(title, style="bold"))
        console.print(table)


def printable(text: str) -> str:
    """``text`` without what would command a terminal: objects bring names and source lines.

    Colours stay, since reports have them.
    """
    return _COMMANDS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _plain(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return value.hex()
    raise InternalError(f"{type(value).__name__} has no JSON form")


def _choose(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        root = ctx.find_root()
        output = root.obj if isinstance(root.obj, Output) else Output()
        root.obj = replace(output, json=True, pretty=output.pretty or parameter.name == "pretty")


def global_options(command: F) -> F:
    """Add ``-j`` and ``-p``, which are taken before and after the command's name."""
    for names, text in (
        (("-p", "--pretty"), "JSON for programs, indented."),
        (("-j", "--json"), "JSON for programs."),
    ):
        command = click.option(
            *names, is_flag=True, expose_value=False, callback=_choose, help=text
        )(command)
    return command


def example(*lines: str) -> str:
    """The end of a command's help: how it is used; click must not fill these lines."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def current() -> Output:
    """The output that the command line asked for."""
    value = click.get_current_context().find_root().obj
    return value if isinstance(value, Output) else Output()
