"""The ``beebox`` command: its groups, and what becomes of every error.

Commands live in modules of their own and are imported when they are run, so that ``--help`` and a
refused argument are quick. Data goes to stdout, status to stderr; exit status 0 is accepted or ok,
1 rejected or a run that failed, 2 malformed input or wrong use.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, TextIO

import click

from beebox.cli.output import Output, current, example, global_options
from beebox.errors import BeeboxError, CompileWarning, InputError, InternalError

OK: Final = 0
FAILED: Final = 1
WRONG: Final = 2
_INTERRUPTED: Final = 130
_UNWRITABLE: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
DEBUG_VARIABLE: Final = "BEEBOX_DEBUG"


class LazyGroup(click.Group):
    """A group whose commands are names until one is run: ``module:function`` by name."""

    def __init__(self, name: str, places: dict[str, str], text: str, *examples: str) -> None:
        super().__init__(name, help=text, epilog=example(*examples), no_args_is_help=True)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """In the order of the table."""
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        """Import the module that holds the command."""
        place = self._places.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise InternalError(f"{place} is not a command")
        return command


_PROG: Final = LazyGroup(
    "prog",
    {"dump": "beebox.cli.prog:dump", "run": "beebox.cli.prog:run"},
    "Show a program, or run it over a packet.",
    "beebox prog dump xlated examples/firewall.py",
    "beebox prog run examples/count.py data_in packet.bin repeat 1000",
)
_BTF: Final = LazyGroup(
    "btf",
    {"dump": "beebox.cli.btf:dump", "diff": "beebox.cli.btf_diff:diff_command"},
    "Types, as objects and kernels describe them.",
    "beebox btf dump file kernel format c > vmlinux.h",
    "beebox btf diff vmlinux-5.15.btf kernel task_struct",
)
_GEN: Final = LazyGroup(
    "gen",
    {
        "object": "beebox.cli.gen:object_command",
        "skeleton": "beebox.cli.gen:skeleton_command",
        "min_core_btf": "beebox.cli.min_core_btf:min_core_btf_command",
    },
    "Make objects, and what is made of them.",
    "beebox gen object app.o main.c common.o",
)
ROOT: Final = LazyGroup(
    "beebox",
    {
        "compile": "beebox.cli.compile:compile_command",
        "verify": "beebox.cli.verify:verify_command",
        "explain": "beebox.cli.explain:explain_command",
        "prog": "beebox.cli.main:_PROG",
        "replay": "beebox.cli.replay:replay_command",
        "btf": "beebox.cli.main:_BTF",
        "gen": "beebox.cli.main:_GEN",
        "helpers": "beebox.cli.tables:helpers_command",
        "kfuncs": "beebox.cli.tables:kfuncs_command",
        "program-types": "beebox.cli.tables:program_types_command",
        "map-types": "beebox.cli.tables:map_types_command",
        "insns": "beebox.cli.tables:insns_command",
    },
    """eBPF without root or a compiler: compile, verify, run and replay.

    FILE is a Python source (.py, read but never executed), a C source (.c, for which clang or
    the package ziglang is needed), an assembly text (.s) or an ELF object (.o).
    """,
    "beebox verify examples/unsafe.py",
    "beebox replay examples/firewall.py examples/capture.pcap",
)
global_options(ROOT)
click.version_option(package_name="beebox", message="%(prog)s %(version)s")(ROOT)


def main(arguments: Sequence[str] | None = None) -> None:
    """The installed command: run, report any error once, exit with its status."""
    _fill_closed_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    status = OK
    try:
        status = run(words)
        sys.stdout.flush()
    except OSError as fault:  # of standard output: run() handles every other
        _discard_stdout()
        status = status or (FAILED if isinstance(fault, BrokenPipeError) else WRONG)
        if status == WRONG:
            click.echo(f"beebox: error: <stdout>: {fault.strerror}", err=True)
    gc.freeze()  # nobody looks for garbage any more: 5 ms
    sys.exit(status)


def run(words: Sequence[str]) -> int:
    """Run one command line; every outcome is an exit status.

    Raises :exc:`OSError` alone, where standard output does not take what there is to say.
    """
    output = Output(json=_wants_json(words))
    try:
        with warnings.catch_warnings():
            _show_warnings_of_compilers()
            result = ROOT.main(list(words), prog_name="beebox", standalone_mode=False, obj=output)
    except click.ClickException as error:
        output.error(_usage_error(error))
        return WRONG
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except BrokenPipeError:
        _discard_stdout()
        return FAILED
    except BeeboxError as error:
        output.error(error)
        return WRONG if isinstance(error, InputError | InternalError) else FAILED
    except RecursionError:
        output.error(InputError("the input nests too deeply"))
        return WRONG
    except MemoryError:
        output.error(InputError("the input needs more memory than there is"))
        return WRONG
    except Exception as error:  # the last line of defence: ours, and said so
        if os.environ.get(DEBUG_VARIABLE) or _of_a_stream(error):
            raise
        output.error(InternalError(f"{type(error).__name__}: {error}"))
        output.status(f"set {DEBUG_VARIABLE}=1 to see the traceback")
        return WRONG
    return result if isinstance(result, int) else OK


def _show_warnings_of_compilers() -> None:
    """As they wrote them, on stderr; any other warning goes where it went."""
    usual = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, CompileWarning):
            current().status(str(message))
        else:
            usual(message, category, filename, lineno, file, line)

    warnings.simplefilter("always", CompileWarning)
    warnings.showwarning = show


def _usage_error(error: click.ClickException) -> InputError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"; see {context.command_path} --help" if context else ""
    return InputError(f"{error.format_message().rstrip('.')}{hint}")


def _wants_json(words: Sequence[str]) -> bool:
    """Whether errors found before any option is parsed should be JSON too."""
    return any(word in {"-j", "--json", "-p", "--pretty", "-jp", "-pj"} for word in words)


def _fill_closed_streams() -> None:
    """What was closed by the caller (``>&-``) is nothing to read and a place to forget in."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 -- open to the end


def _of_a_stream(error: Exception) -> bool:
    """Whether it came from writing results, not from a file of ours: those have a name."""
    return isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITABLE


def _discard_stdout() -> None:
    """The reader went away: nothing more to say, and nothing to complain about at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
