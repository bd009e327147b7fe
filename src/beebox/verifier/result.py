"""What verification gives: a report for people and programs, and facts for code generation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from beebox.errors import RejectedError
from beebox.obj.model import ProgramSpec


class RegKind(Enum):
    """What a live register holds at a pc, joined over all explored states.

    MIXED joins a pointer with a number or with another kind of pointer (only its bits can be used
    there). A pointer joined with the constant 0 keeps its kind, with ``nullable``.
    """

    __hash__ = object.__hash__  # Enum's own hashes the name, in Python

    SCALAR = auto()
    CTX = auto()
    PACKET = auto()
    PACKET_META = auto()
    PACKET_END = auto()
    MAP = auto()  # a map's handle; ``map`` names it, ``NAME[]`` an inner map of NAME (nullable)
    MAP_KEY = auto()  # what for_each_map_elem gives a function: a key of ``map``
    MAP_VALUE = auto()  # ``map`` names it, in the same way; ``nullable`` before the check
    STACK = auto()
    FLOW_KEYS = auto()  # struct bpf_flow_keys of a flow dissector
    SOCK_COMMON = auto()  # the kinds of socket: ``nullable`` before the check
    SOCKET = auto()
    TCP_SOCK = auto()
    XDP_SOCK = auto()  # what an xskmap holds
    MEM = auto()  # memory of a known size: a reserved record, a dynptr's; ``nullable`` at first
    BTF_ID = auto()  # a struct that BTF describes: the kernel's, or one that the program made
    DYNPTR = auto()  # a dynptr itself, as a function is given one
    BUF = auto()  # a buffer of an iterator, whose size the kernel checks
    TP_BUFFER = auto()  # the buffer of a writable tracepoint
    ARENA = auto()  # an address in an arena
    FUNC = auto()  # the address of a function of the program
    MIXED = auto()


@dataclass(frozen=True, slots=True)
class RegFact:
    """A joined fact. ``map`` is None when states disagree on the map.

    For STACK: ``frames_up`` 0 is the current function's frame, 1 its caller's, ...; ``offset`` is
    the constant distance from that frame's R10, None when it varies.
    """

    kind: RegKind
    map: str | None = None
    nullable: bool = False
    frames_up: int = 0
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class SubprogramFact:
    """A function of the linked program: slots ``[start, end)``, its own frame's stack bytes."""

    start: int
    end: int
    name: str
    stack_bytes: int


@dataclass(frozen=True)
class VerifiedProgram:
    """An accepted program and what holds of it. Only the verifier makes one.

    ``regs[pc]`` is None where no state ever arrived, else 11 facts (None: dead or unset there).
    ``edges[pc]``, for conditional jumps only: bit 0 the fall-through was explored, bit 1 the jump.
    Value ranges are deliberately not here: recorded bounds are not invariants.
    """

    spec: ProgramSpec
    digest: str
    profile: str
    regs: tuple[tuple[RegFact | None, ...] | None, ...]
    edges: Mapping[int, int]
    subprograms: tuple[SubprogramFact, ...]
    helpers: frozenset[int]
    maps: frozenset[str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The value at fault where a finding is about one, and what was asked of it.

    ``reg`` is the register that holds it, -1 where that is not said.

    ``low`` and ``high`` bound the number, or of a pointer its variable offset, which is added to
    ``off``; both are signed where the value may be negative. ``origin`` is the pc that made the
    value, -1 for what the program starts with. Of an access: ``size`` bytes from ``start`` (behind
    the variable offset), of ``limit`` that are proven or exist. Of a result: it may be from
    ``start`` to ``limit``.
    """

    reg: int
    kind: RegKind
    low: int
    high: int
    origin: int
    off: int = 0
    map: str = ""
    nullable: bool = False
    start: int | None = None
    size: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A change to make. ``tried``: beebox made it itself, and this is what came of it.

    ``text`` is for people, ``insns`` the change in assembly, before the instruction at ``pc``.
    ``accepted``: the changed program is safe; else ``then`` is the code of the next finding, at
    ``then_pc`` of the changed program.
    """

    text: str
    tried: bool = False
    accepted: bool = False
    pc: int | None = None
    insns: tuple[str, ...] = ()
    then: str = ""
    then_pc: int | None = None


class Search(Enum):
    """What came of searching a run that fails."""

    FOUND = "found"
    NOT_FOUND = "not-found"
    NOT_SEARCHED = "not-searched"


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A run that does what the finding fears; or that none was found, after ``runs`` tries.

    ``packet`` is None where there is none; ``context`` has fields of the context, ``maps`` what
    maps held (map, what of it, value), ``calls`` what helpers gave (pc, helper, result). ``text``
    says what happened, in a sentence, or why nothing was searched.
    """

    outcome: Search
    text: str
    runs: int = 0
    packet: bytes | None = None
    context: tuple[tuple[str, int], ...] = ()
    maps: tuple[tuple[str, str, str], ...] = ()
    calls: tuple[tuple[int, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a program is refused. ``code`` is a row of ``tables.findings``.

    ``message`` is the one-sentence cause with its numbers; ``path`` the steps that led to it,
    oldest first, as (pc, text); ``missing`` what would have to hold; ``kernel_message`` the line
    Linux would log. ``suggestions`` and ``counterexample`` come from the room ``diagnose``.
    """

    code: str
    pc: int
    message: str
    hint: str = ""
    kernel_message: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None
    path: tuple[tuple[int, str], ...] = ()
    missing: str = ""
    evidence: Evidence | None = None
    suggestions: tuple[Suggestion, ...] = ()
    counterexample: Counterexample | None = None


@dataclass(frozen=True)
class Report:
    """The verdict on one program. ``verified`` is set exactly when there are no findings."""

    spec: ProgramSpec
    findings: tuple[Finding, ...]
    insns_processed: int
    states: int
    peak_states: int
    time_ns: int
    profile: str = "kernel"
    verified: VerifiedProgram | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether the program is safe."""
        return self.verified is not None

    def require_accepted(self) -> VerifiedProgram:
        """The verified program. Raises :exc:`RejectedError` with the findings and their text."""
        if self.verified is None:
            from beebox.verifier.reports.report import findings_data, render  # noqa: PLC0415 -- text is for rejections only

            raise RejectedError(self.spec.name, findings_data(self), render(self))
        return self.verified
