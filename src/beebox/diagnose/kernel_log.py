"""Linux's verifier log, read: the refused path with what the registers held, and the message.

Levels 1 and 2, from 5.15 to 6.18, as the kernel writes it or as loaders show it (libbpf's banner,
prefixes, cilium/ebpf's indented tail). Level 1 has the refused path alone; level 2 has every path,
of which the refused one is put together again: each part says after which instruction it was left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from beebox.errors import InputError
from beebox.tables.kernel_messages import KERNEL_MESSAGES

_INSN: Final = re.compile(r"(\d{1,7}): \(([0-9a-f]{2})\) (.*)")
_STATE: Final = re.compile(r"(\d{1,7}):((?: frame\d+:)?(?: R\d+.*| fp-.*)?)$")
_RESUMED: Final = re.compile(r"from (\d{1,7}) to (\d{1,7})(?: \(speculative execution\))?:(.*)")
_SOURCE: Final = re.compile(r"; (.*?)(?: @ (\S+):(\d{1,7}))?$")
_FRAME: Final = re.compile(r"frame\d+: ?(R\d|fp-)")
_REGISTER: Final = re.compile(r"(?:^| )(R\d+|fp-\d+)(?:_[rwD]+)?=")
_INLINE: Final = re.compile(r"\s*;(?= (?:frame\d+: ?)?(?:R\d|fp-))")
_NOISE: Final = re.compile(
    r"mark_precise|last_idx|regs=|parent (did|already|state)|func#|Live regs|\(\d+(,\d+)*\) "
    r"|frame \d+: |propagating|processed \d+|verification time|stack depth|caller:|callee:"
    r"|returning from|to caller|SCC |--|\d+: safe|from \d+ to \d+.*: safe"
    r"|arg#\d+ reference type|Validating |Func#|\(\d+ line|(\d+ +)?\d+: [0-9.]{10} \("
    r"|cur state:|old state:|Verifier error|max_states|insn_processed|BTF "
)
_PREFIX: Final = re.compile(r"^(?:\[[ \d.]+\] ?)?(?:libbpf: )?(?:\t| {4,})*")
_BEGIN: Final = re.compile(r"BEGIN PROG LOAD LOG|BEGIN DUMP LOG|load program: ")
_END: Final = re.compile(r"END PROG LOAD LOG|END LOG|END DUMP LOG")
_PROGRAM: Final = re.compile(r"prog '([^']+)': |program (\w+): load program")
_PROCESSED: Final = re.compile(r"processed (\d{1,18}) insns")
_MOST_LINES: Final = 1 << 21


@dataclass(frozen=True, slots=True)
class Source:
    """A source line that the log quotes; ``file`` and ``line`` since 6.9."""

    text: str
    file: str | None = None
    line: int | None = None


@dataclass(slots=True)
class Executed:
    """One instruction of the path; ``after`` has what registers and slots then hold."""

    pc: int
    text: str
    source: Source | None
    after: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KernelLog:
    """``path``: the refused path, oldest first; ``message`` the line that refuses, empty for none.

    ``details`` are the lines before the message that belong to it. ``accepted``: nothing refuses.
    """

    path: tuple[Executed, ...]
    message: str
    details: tuple[str, ...] = ()
    program: str | None = None
    processed: int | None = None

    @property
    def accepted(self) -> bool:
        """Whether the log ends without a refusal."""
        return not self.message


def parse(text: str, *, file: str = "<log>") -> KernelLog:
    """Read a log; of several, which a loader of several programs writes, the first that refuses.

    Raises :exc:`InputError` for text that is none, and for a log that was cut off before its end.
    """
    lines = text.splitlines()
    if len(lines) > _MOST_LINES:
        raise InputError(f"{file}: more than {_MOST_LINES} lines")
    found = [each for each in map(_parse, _blocks(lines)) if each is not None]
    if not found:
        raise InputError(f"{file}: not a log of the verifier")
    refused = next((each for each in found if not each.accepted), None)
    if refused is not None:
        return refused
    if found[-1].processed is None:
        raise InputError(
            f"{file}: the log ends before the verdict: make the loader's log buffer larger"
        )
    return found[-1]


def _parse(lines: list[str]) -> KernelLog | None:
    """One log; None for what is none."""
    reader = _Reader()
    program = processed = None
    for line in lines:
        named = _PROGRAM.search(line)
        if named is not None:
            program = named[1] or named[2]
        counted = _PROCESSED.search(line)
        if counted is not None:
            processed = int(counted[1])
        reader.read(line)
    message, details = reader.message()
    if not reader.path and processed is None and code_of(message) is None:
        return None
    return KernelLog(tuple(reader.path), message, details, program, processed)


def code_of(message: str) -> str | None:
    """The finding that a message of the kernel is, None for an unknown one."""
    for row in KERNEL_MESSAGES:
        if re.search(row.pattern, message):
            return row.code
    return None


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """The lines between a loader's banners, where there are any, without its prefixes."""
    begins = [at for at, line in enumerate(lines) if _BEGIN.search(line)]
    if begins and "PROG" not in lines[begins[0]] and "DUMP" not in lines[begins[0]]:
        begins = []  # the loader's own line, which the log follows
    for begin, after in pairwise([*(begins or [0]), len(lines)]):
        own = lines[begin:after]
        end = next((at for at, line in enumerate(own) if _END.search(line)), len(own))
        yield [_PREFIX.sub("", line.rstrip()) for line in own[: end + 1]]


class _Reader:
    """The path so far, and what might be the message."""

    def __init__(self) -> None:
        self.path: list[Executed] = []
        self._source: Source | None = None
        self._tail: list[str] = []  # lines behind the last instruction that are none of the log's
        self._marking = False  # the lines are about precision: states there are older ones

    def read(self, line: str) -> None:
        """One line, without prefixes."""
        bare = line.strip()
        if not bare:
            return
        resumed = _RESUMED.match(bare)
        if resumed is not None:
            if "safe" not in resumed[3]:
                self._resume(int(resumed[1]), resumed[3])
            self._tail.clear()
            return
        insn = _INSN.match(bare)
        if insn is not None:
            self._execute(int(insn[1]), insn[3])
            return
        if bare.startswith(("last_idx", "regs=", "mark_precise", "parent ")):
            self._marking = True
            return
        if _NOISE.match(bare):
            return
        state = _STATE.match(bare)
        if state is not None or (bare[0] == "R" and _REGISTER.match(bare)) or _FRAME.match(bare):
            numbered = state is not None
            if self.path and (numbered or not self._marking):
                self.path[-1].after.update(registers(state[2] if state is not None else bare))
            return
        source = _SOURCE.match(bare)
        if source is not None:
            number = int(source[3]) if source[3] else None
            self._source = Source(source[1].strip(), source[2], number)
            return
        self._tail.append(bare)

    def message(self) -> tuple[str, tuple[str, ...]]:
        """The line that refuses, and those before it that say more."""
        lines = [line for line in self._tail if not _PROGRAM.search(line)]
        lines = [line for line in lines if not line.startswith(("libbpf", "Error", "error:"))]
        if not lines:
            return "", ()
        return lines[-1], tuple(lines[:-1][-4:])

    def _execute(self, pc: int, text: str) -> None:
        self._marking = False
        self._tail.clear()
        code, *state = _INLINE.split(text, maxsplit=1)
        self.path.append(Executed(pc, code.strip(), self._source))
        if state:
            self.path[-1].after.update(registers(state[0]))

    def _resume(self, left: int, state: str) -> None:
        """The path is left and another taken up, behind the newest execution of ``left``."""
        self._marking = False
        for at in range(len(self.path) - 1, -1, -1):
            if self.path[at].pc == left:
                del self.path[at + 1 :]
                break
        else:
            self.path.clear()
        if self.path:
            last = self.path[-1]
            self.path[-1] = Executed(last.pc, last.text, last.source, dict(last.after))
            self.path[-1].after.update(registers(state))


def registers(text: str) -> Mapping[str, str]:
    """What a state says: ``R1`` and ``fp-8`` with their values, in the kernel's notation."""
    marks = list(_REGISTER.finditer(text))
    out = {}
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    for mark, end in zip(marks, ends, strict=False):
        value = re.split(r" (?:refs=|cb$|async_cb$)", text[mark.end() : end])[0]
        out[mark[1]] = value.strip()
    return out
