"""Every exception beebox raises on purpose, in one tree.

Three questions decide the class: is the *input* wrong, is the *program unsafe*, or did the
*environment* refuse? Anything else is our bug. Messages read ``where: what (evidence); hint`` and
are built here, from typed fields, so that callers and the command line share them.
"""

from __future__ import annotations

import os
from typing import Any, Final

_MOST_SHOWN: Final = 160  # characters of a source line
_OF_THE_KERNEL: Final = {524: "Not supported (ENOTSUPP)"}  # bpf(2) gives it, POSIX does not know it


class BeeboxError(Exception):
    """Base of every exception this package raises on purpose."""

    def fields(self) -> dict[str, Any]:
        """The typed fields as plain data, for ``-j``: ``kind`` and ``message`` are always there."""
        shown = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return {"kind": type(self).__name__, "message": str(self), **shown}


class InputError(BeeboxError):
    """The bytes, text, source or argument given to us is malformed."""


class DecodeError(InputError):
    """An instruction stream cannot be decoded."""

    def __init__(self, problem: str, *, pc: int, data: bytes = b"") -> None:
        evidence = f" (bytes {data[:16].hex(' ')})" if data else ""
        super().__init__(f"insn {pc}: {problem}{evidence}")
        self.pc = pc
        self.data = data.hex()


class AssemblyError(InputError):
    """An assembly source cannot be read. ``line`` and ``column`` count from 1."""

    def __init__(
        self, problem: str, *, file: str, line: int, column: int, hint: str | None = None
    ) -> None:
        super().__init__(f"{file}:{line}:{column}: {problem}" + (f"; {hint}" if hint else ""))
        self.file = file
        self.line = line
        self.column = column
        self.hint = hint


class ObjectError(InputError):
    """An ELF object is malformed: which file, section and byte offset, as far as known."""

    def __init__(
        self,
        problem: str,
        *,
        file: str | None = None,
        section: str | None = None,
        offset: int | None = None,
    ) -> None:
        places = [file, f"section {section}" if section else None]
        places += [f"offset {offset:#x}" if offset is not None else None]
        where = ": ".join(place for place in places if place)
        super().__init__(f"{where}: {problem}" if where else problem)
        self.file = file
        self.section = section
        self.offset = offset


class LinkError(InputError):
    """Objects that do not link: ``name`` is the symbol or section, ``files`` whose it is."""

    def __init__(self, problem: str, *, name: str, files: tuple[str, ...]) -> None:
        super().__init__(f"{' and '.join(files)}: {name!r}: {problem}")
        self.name = name
        self.files = files


class BtfError(InputError):
    """BTF or BTF.ext is malformed; ``type_id`` names the type at fault, where there is one.

    ``where`` is whose types they are, or which value does not fit, as far as known.
    """

    def __init__(self, problem: str, *, type_id: int | None = None, where: str = "") -> None:
        place = f"type {type_id}: " if type_id is not None else ""
        super().__init__(f"{where + ': ' if where else ''}BTF: {place}{problem}")
        self._problem = problem
        self.type_id = type_id
        self.where = where

    def within(self, where: str) -> BtfError:
        """The same error of the file or variable ``where``."""
        return BtfError(self._problem, type_id=self.type_id, where=where)


class CompileWarning(UserWarning):
    """A compiler's warnings about a source that it compiled, in its own words."""


class CompileError(InputError):
    """A source is outside the language. ``line`` and ``column`` count from 1; 0 is unknown.

    ``str()`` is the whole report: place, problem, the source line, a caret and what to write; for
    C, ``report``: what the compiler said, in its own words.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str,
        line: int,
        column: int,
        source_line: str = "",
        width: int = 1,
        hint: str | None = None,
        report: str = "",
    ) -> None:
        parts = [report or f"{file}:{line}:{column}: {problem}"]
        if source_line.strip():
            gutter = f"{line:>5} | "
            start = max(0, column - _MOST_SHOWN // 2) if len(source_line) > _MOST_SHOWN else 0
            shown = source_line[start : start + _MOST_SHOWN].rstrip()
            lead = "".join("\t" if char == "\t" else " " for char in shown[: column - 1 - start])
            mark = "^" * max(1, min(width, len(shown) - len(lead)))
            parts += [f"{gutter}{shown}", " " * (len(gutter) - 2) + "| " + lead + mark]
        if hint:
            parts.append(f"  help: {hint}")
        super().__init__("\n".join(parts))
        self.problem = problem
        self.file = file
        self.line = line
        self.column = column
        self.hint = hint


class CaptureError(InputError):
    """A packet capture is malformed: which file, at which byte, at which packet (from 1)."""

    def __init__(
        self, problem: str, *, file: str, offset: int | None = None, packet: int | None = None
    ) -> None:
        places = [file, f"packet {packet}" if packet is not None else None]
        places += [f"offset {offset:#x}" if offset is not None else None]
        super().__init__(": ".join(place for place in places if place) + f": {problem}")
        self.problem = problem
        self.file = file
        self.offset = offset
        self.packet = packet


class FilterError(InputError):
    """A filter expression cannot be read. ``column`` counts from 1."""

    def __init__(self, problem: str, *, text: str, column: int, hint: str | None = None) -> None:
        shown = text.replace("\t", " ").replace("\n", " ")
        start = max(0, column - 60)
        caret = " " * (column - 1 - start) + "^"
        lines = [f"filter, column {column}: {problem}" + (f"; {hint}" if hint else "")]
        super().__init__("\n".join([*lines, f"    {shown[start : start + 100]}", f"    {caret}"]))
        self.problem = problem
        self.text = text
        self.column = column
        self.hint = hint


class RejectedError(BeeboxError):
    """The program is unsafe: the findings as plain data, the report as text."""

    def __init__(self, program: str, findings: tuple[dict[str, Any], ...], report: str) -> None:
        super().__init__(f"{program}: rejected by the verifier\n{report}")
        self.program = program
        self.findings = findings


class ExecutionError(BeeboxError):
    """A fault while a program ran: at which pc, on which access."""

    def __init__(self, problem: str, *, pc: int | None = None, access: str | None = None) -> None:
        where = f"insn {pc}: " if pc is not None else ""
        super().__init__(f"{where}{problem}" + (f" ({access})" if access else ""))
        self.pc = pc
        self.access = access


class NotSupportedError(BeeboxError):
    """The environment lacks a feature; nothing is wrong with the request."""

    def __init__(self, feature: str, *, since: str | None = None, hint: str | None = None) -> None:
        wants = f" (needs Linux {since} or newer)" if since else ""
        super().__init__(f"{feature} is not supported{wants}" + (f"; {hint}" if hint else ""))
        self.feature = feature
        self.since = since
        self.hint = hint


class TargetError(BeeboxError):
    """The target (a kernel, or a BTF file in its place) lacks what the object must have there.

    Nothing is wrong with the object itself: on another target it may load.
    """

    def __init__(self, problem: str, *, target: str, file: str | None = None) -> None:
        super().__init__(f"{file + ': ' if file else ''}in {target}: {problem}")
        self.problem = problem
        self.target = target
        self.file = file


class SyscallError(BeeboxError, OSError):
    """A system call failed: its name, errno and, for a program load, the kernel's log."""

    def __init__(self, call: str, errno: int, *, log: str = "") -> None:
        useful = [line for line in log.splitlines() if line and not line.startswith("processed ")]
        tail = f"; {useful[-1]}" if useful else ""
        reason = _OF_THE_KERNEL.get(errno) or os.strerror(errno)
        OSError.__init__(self, errno, f"{call}: {reason}{tail}")
        self.call = call
        self.log = log

    def __str__(self) -> str:
        return str(self.strerror)

    def fields(self) -> dict[str, Any]:
        """As everywhere, with ``errno`` (which OSError keeps outside ``vars``)."""
        return {**super().fields(), "errno": self.errno}


class MapError(BeeboxError):
    """A map operation was refused."""

    def __init__(self, problem: str, *, map_name: str, errno: int = 0) -> None:
        super().__init__(f"map {map_name}: {problem}")
        self.map_name = map_name
        self.errno = errno


class KeyNotFound(MapError, KeyError):  # noqa: N818 -- cilium/ebpf's ErrKeyNotExist, as a KeyError
    """The key has no element (ENOENT)."""

    __str__ = Exception.__str__


class KeyExists(MapError):  # noqa: N818 -- the counterpart of KeyNotFound
    """BPF_NOEXIST was asked for and the key is there (EEXIST)."""


class MapFull(MapError):  # noqa: N818 -- the counterpart of KeyNotFound
    """The map has ``max_entries`` elements already (E2BIG)."""


class InternalError(BeeboxError):
    """An invariant of ours is broken. Please report it."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"internal error: {problem}; please report this as a bug of beebox")


class CodegenError(InternalError):
    """LLVM refused our IR, died of it or took too long: ``diagnostic`` is what it said."""

    def __init__(self, diagnostic: str) -> None:
        super().__init__(f"code generation failed: {diagnostic}")
        self.diagnostic = diagnostic
