"""The exploration as Linux's verifier log tells it, at level 2, line by line.

Not there: how precision is marked (``mark_precise:``), which stack slots live, and statistics that
only Linux keeps. Identities are counted in the order in which they are shown.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from beebox.isa.instruction import (
    Alu,
    Atomic,
    Call,
    CallKind,
    Instruction,
    JumpIf,
    Load,
    Store,
)
from beebox.isa.instruction import Reg as RegNumber
from beebox.obj.model import LineInfo, ProgramSpec
from beebox.tables.limits import MAX_INSNS
from beebox.tables.opcodes import AluOp
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.pruning.loops import components
from beebox.verifier.reports.notation import Ids, insn_text, state_text
from beebox.verifier.result import Finding, RegKind, Report
from beebox.verifier.shape.cfg import registers
from beebox.verifier.shape.cfg import shape as shape_of
from beebox.verifier.states.state import DYNPTR, IRQ, ITER, HeldKind, Slot, State

_ALIGNMENT: Final = 40
_STEP: Final = 8


class Log:
    """An observer whose :attr:`lines` are the log. ``most`` bounds them: then it falls silent."""

    def __init__(self, spec: ProgramSpec, *, most: int = 1 << 20) -> None:
        self.lines: list[str] = []
        self._spec = spec
        self._most = most
        self._begun = False
        self._ids = Ids()
        self._from: dict[int, int] = {}  # by id(state): where it was put aside
        self._alive: list[State] = []
        self._line: LineInfo | None = None
        self._pc = -1  # the instruction that is executed now
        self._held = ""  # what its line will be followed by
        self._resumed: tuple[int, int] | None = None
        self._full = True
        self._all = False
        self._last = ""  # what the path's last frame held
        self._before: list[Slot | None] = []
        self._touched: set[int] = set()
        self._depth = 1
        self._function = 0  # the outermost one of the path: global ones are explored alone
        self._waiting: tuple[int, str | None, str] | None = None

    # ---- the observer

    def entered(self, path: Path, state: State) -> None:
        """A path is begun or taken up again."""
        self._flush()
        self._resumed = None
        function = state.frames[0].function
        if function != self._function and not state.frames[0].deferred:
            self._function, self._line = function, None
            name = next((row.name for row in self._spec.functions if row.pc == state.pc), "")
            self.lines.append(f"Validating {name}() func#{function}...")
        if id(state) in self._from:
            self._resumed = (self._from.pop(id(state)), state.pc)
        self._full, self._pc, self._depth = True, -1, len(path.state.frames)

    def pushed(self, path: Path, other: State) -> None:
        """Another path is put aside."""
        self._flush()
        self._from[id(other)] = path.pc
        self._all = len(other.frames) > len(path.state.frames)  # for a helper to call
        self._alive.append(other)  # so that no other state gets its id

    def arrive(self, path: Path, pc: int) -> None:
        """Remember what is known here; it is written when the instruction is executed."""
        self._flush()
        if len(self.lines) > self._most:
            return
        state = path.state
        self._inherit_ids(path)
        frame, depth = state.frames[-1], len(state.frames) - 1
        refs = tuple(held.id for held in state.refs if held.kind is HeldKind.PTR)
        full = state_text(self._spec, frame, depth, self._ids, refs=refs)
        moved = len(state.frames) != self._depth
        shown: str | None = full
        if self._pc >= 0 and not moved:
            changed, scratched = self._changed(path), self._scratched()
            if self._all:  # a function was prepared for the helper to call
                changed, scratched = set(range(len(frame.stack))), set(range(11))
            shown = state_text(
                self._spec, frame, depth, self._ids,
                regs=scratched, slots=changed, refs=refs,
            )  # fmt: skip
            if not changed and not scratched:
                shown = None
        if moved and self._pc >= 0:
            self._crossing(path)
        elif self._pc >= 0:
            self._assumed()
        self._all = False
        self._waiting = (pc, shown, full)
        self._last = full
        self._depth = len(state.frames)
        self._before = frame.stack[:]
        self._touched = self._accessed(path, pc)
        self._note_copies(path, pc)

    def pruned(self, path: Path, pc: int) -> None:  # noqa: ARG002 -- the protocol's
        """The path ends here."""
        shown = self._waiting[1] if self._waiting is not None else None
        if shown is not None and isinstance(self._executed(), JumpIf) and not self._full:
            self._append_state(pc, shown)  # which jumps write at once
        self._waiting = None
        if self._resumed is not None:
            first, second = self._resumed
            self.lines += ["", f"from {first} to {second}: safe"]
        else:
            self.lines.append(f"{pc}: safe")

    def ended(self, path: Path, pc: int) -> None:  # noqa: ARG002 -- the protocol's
        """The path reached the program's end."""
        self._flush()

    def finish(self, report: Report) -> list[str]:
        """The whole log, now that the verdict is there."""
        self._flush()
        if len(self.lines) > self._most:
            self.lines.append(f"... (beebox writes no more than {self._most} lines)")
        for finding in report.findings:
            self.lines += _refused(finding)
        self.lines.append(
            f"processed {report.insns_processed} insns (limit {MAX_INSNS}) "
            f"total_states {report.states} peak_states {report.peak_states}"
        )
        return [*header(self._spec), *self.lines]

    # ---- lines

    def _flush(self) -> None:
        """The instruction that the path arrived at is executed: write its line."""
        if self._waiting is None:
            return
        (pc, shown, full), self._waiting = self._waiting, None
        if self._resumed is not None:
            first, second = self._resumed
            self.lines += ["", f"from {first} to {second}:{full}"]
            if self._full:
                self.lines.append(f"{pc}:{full}")
            self._resumed = None
        elif self._full:
            self.lines.append(f"{pc}:{full}")
        elif shown is not None:
            self._append_state(pc, shown)
        self._full = False
        self._source(pc)
        insn = self._spec.slots[pc]
        if insn is not None:
            self.lines.append(f"{pc}: {insn_text(insn, self._spec)}")
        self._pc = pc

    def _append_state(self, pc: int, shown: str) -> None:
        last = self.lines[-1]
        if not last.startswith(f"{self._pc}: ("):
            self.lines.append(f"{pc}:{shown}")
            return
        at = len(last) + 1
        width = -(-max(at + _STEP // 2, _ALIGNMENT) // _STEP) * _STEP - at - 1
        self.lines[-1] = f"{last}{' ' * width};{shown}"

    def _source(self, pc: int) -> None:
        place = self._spec.line_at(pc)
        if place is None:
            return
        old, self._line = self._line, place
        if old is not None and (old.file, old.line) == (place.file, place.line):
            return
        self.lines.append(f"; {place.text.strip()} @ {PurePath(place.file).name}:{place.line}")

    def _assumed(self) -> None:
        """A global function was called: it is explored alone."""
        insn = self._executed()
        if isinstance(insn, Call) and insn.kind is CallKind.SUBPROG and type(insn.target) is int:
            target = self._pc + 1 + insn.target
            rows = sorted(self._spec.functions, key=lambda row: row.pc)
            for index, row in enumerate(rows):
                if row.pc == target:
                    told = f"Func#{index} ('{row.name}') is global and assumed valid."
                    self.lines.append(told)

    def _crossing(self, path: Path) -> None:
        """A function was called, or has returned."""
        frames = path.state.frames
        refs = tuple(held.id for held in path.state.refs)
        if len(frames) > self._depth:
            names = ("caller:", "callee:")
            other = state_text(self._spec, frames[-2], len(frames) - 2, self._ids)
        else:
            names = ("returning from callee:", f"to caller at {path.pc}:")
            other = self._last
            self._resumed = (self._pc, path.pc)
        here = state_text(self._spec, frames[-1], len(frames) - 1, self._ids, refs=refs)
        self.lines += [names[0], other, names[1], here]

    # ---- what an instruction touches

    def _scratched(self) -> set[int]:
        insn = self._spec.slots[self._pc] if self._pc >= 0 else None
        if insn is None:
            return set()
        if isinstance(insn, Call):
            return {0}
        reads, writes = registers(insn)
        return {number for number in range(11) if (reads | writes) >> number & 1}

    def _changed(self, path: Path) -> set[int]:
        """The stack slots that are shown: written, or read at a constant offset."""
        insn = self._executed()
        if not isinstance(insn, Store | Atomic | Call | Load):
            return set()
        before = self._before
        changed = set()
        for index, slot in enumerate(path.state.frames[-1].stack):
            old = before[index] if index < len(before) else None
            if slot is old and index not in self._touched:
                continue
            if isinstance(insn, Call) and not (_is_object(old) or _is_object(slot)):
                continue  # plain bytes that a helper wrote
            changed.add(index)
        return changed

    def _executed(self) -> Instruction | None:
        return self._spec.slots[self._pc] if self._pc >= 0 else None

    def _accessed(self, path: Path, pc: int) -> set[int]:
        """The stack slots that the instruction accesses at a constant offset."""
        insn = self._spec.slots[pc]
        match insn:
            case Load(src=base, offset=offset, size=size):
                pass
            case Store(dst=base, offset=offset, size=size):
                pass
            case Atomic(dst=base, offset=offset, size=size):
                pass
            case _:
                return set()
        pointer = path.regs[base]
        if pointer is None or pointer.kind is not RegKind.STACK or not pointer.scalar.is_const:
            return set()
        if pointer.frame != len(path.state.frames) - 1:
            return set()
        low = pointer.off + pointer.scalar.smin + offset
        return {(-at - 1) // 8 for at in (low, low + size.value.bytes - 1) if at < 0}

    def _inherit_ids(self, path: Path) -> None:
        if not isinstance(self._executed(), JumpIf | Alu | Store) and not self._full:
            return
        for frame in path.state.frames:
            held = [*frame.regs, *(slot.reg for slot in frame.stack if slot is not None)]
            for value in held:
                if value is not None and value.kind is RegKind.SCALAR and value.p1 is not None:
                    made_by = self._spec.slots[value.pc] if value.pc >= 0 else None
                    if isinstance(made_by, JumpIf):
                        self._ids.inherit(value, value.p1)
                    elif isinstance(made_by, Store) or (
                        isinstance(made_by, Alu) and made_by.op is AluOp.MOV and value.p1.off
                    ):
                        self._ids.copy(value)  # it left the numbers a constant away

    def _note_copies(self, path: Path, pc: int) -> None:
        """Numbers that are copied have an identity from then on."""
        insn = self._spec.slots[pc]
        match insn:
            case Alu(op=AluOp.MOV, src=RegNumber() as src, wide=True):
                value = path.regs[src]
            case Alu(op=AluOp.MOV, src=RegNumber() as src, wide=False):
                value = path.regs[src]
                if value is not None and value.scalar.umax >> 32:
                    value = None
            case Store(src=RegNumber() as src, dst=dst, offset=offset, size=size):
                value, base = path.regs[src], path.regs[dst]
                on_stack = base is not None and base.kind is RegKind.STACK
                if base is None or not on_stack or (base.off + base.scalar.smin + offset) % 8:
                    return
                if value is not None and value.scalar.umax >> 8 * size.value.bytes:
                    return
            case _:
                return
        if value is not None and value.kind is RegKind.SCALAR and not value.scalar.is_const:
            self._ids.copy(value)


def _is_object(slot: Slot | None) -> bool:
    """Whether the slot is of a dynptr, an iterator or interrupt flags."""
    return slot is not None and slot.kinds[0] in (DYNPTR, ITER, IRQ)


def header(spec: ProgramSpec) -> list[str]:
    """What stands before the exploration: the functions, and which registers live where."""
    try:
        shape = shape_of(spec)
    except Refusal:  # which the report tells
        return []
    out = [f"func#{index} @{start}" for index, start in enumerate(shape.starts)]
    out.append("Live regs before insn:")
    found = components(spec)
    numbers = {root: number for number, root in enumerate(dict.fromkeys(found.values()), 1)}
    loops = {pc: numbers[root] for pc, root in found.items()}
    for pc, insn in enumerate(spec.slots):
        if insn is not None:
            live = "".join(str(n) if shape.live[pc] >> n & 1 else "." for n in range(10))
            loop = f"{loops[pc]:3} " if loops.get(pc) else "    "
            out.append(f"{loop}{pc:3}: {live} {insn_text(insn, spec)}")
    return out


def _refused(finding: Finding) -> list[str]:
    """The line before the last one, where Linux has two, and the last one."""
    out = []
    found = finding.evidence
    if found is not None and found.start is not None and found.low >= 0:
        if finding.code == "packet-bounds":
            out.append(
                f"invalid access to packet, off={found.start} size={found.size}, "
                f"R{found.reg}(id=0,off={found.start},r={found.limit})"
            )
        elif finding.code == "map-value-bounds":
            at = found.start + found.low
            at = found.start + found.high if at + found.size <= found.limit else at
            out.append(
                f"invalid access to map value, value_size={found.limit} off={at} size={found.size}"
            )
    return [*out, finding.kernel_message] if finding.kernel_message else out
