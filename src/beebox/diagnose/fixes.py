"""Suggested changes, made and verified: what is offered has been tried on the instructions.

A change that ends the program where a check fails answers 0 there, or the smallest result that its
type allows: what is tried is whether the check is what lacks, not what the program should do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from beebox.diagnose.patch import insert
from beebox.diagnose.trace import Trace, trace
from beebox.errors import BeeboxError
from beebox.isa.assembler import assemble
from beebox.isa.instruction import Alu, Call, Instruction, Load, Store
from beebox.isa.instruction import Reg as RegNumber
from beebox.obj.model import ProgramSpec
from beebox.tables.contexts import FieldKind
from beebox.tables.helpers import HELPER_BY_NAME, HELPERS
from beebox.tables.limits import MAX_PACKET_OFFSET, MAX_STACK_BYTES
from beebox.verifier.options import Options
from beebox.verifier.reports.advice import capacity
from beebox.verifier.reports.history import was_pointer
from beebox.verifier.reports.report import hint_of
from beebox.verifier.result import Evidence, Finding, RegKind, Report, Suggestion
from beebox.verifier.shape.cfg import registers, shape
from beebox.verifier.shape.rights import attach_type
from beebox.verifier.states.state import UNWRITTEN
from beebox.verifier.states.value import Reg
from beebox.verifier.verify import verify

_MOST_ROUNDS: Final = 3
_LIMIT_NS: Final = 2_000_000_000  # for each verification of a changed program
_SCRATCH: Final = (0, 5, 4, 3, 2, 1, 9, 8, 7, 6)
_RELEASE: Final = {
    "ringbuf_reserve": ("ringbuf_discard", ("r2 = 0",)),
    "sk_lookup_tcp": ("sk_release", ()),
    "sk_lookup_udp": ("sk_release", ()),
    "skc_lookup_tcp": ("sk_release", ()),
}


class _Change:
    """Where instructions are put, and which.

    ``saves``: R1 is kept on the stack from the start. ``instead``: of the one that is there.
    """

    def __init__(
        self, pc: int, lines: tuple[str, ...], *, saves: int = 0, instead: bool = False
    ) -> None:
        self.pc = pc
        self.lines = lines
        self.saves = saves
        self.instead = instead


class _Site:
    """The refused instruction in its program, and what the registers held there."""

    def __init__(self, report: Report, found: Trace) -> None:
        assert found.path is not None
        self.spec = report.spec
        self.finding = report.findings[0]
        self.path = found.path
        self.held = found.held
        self.regs = found.path.regs
        self.insn = self.spec.slots[self.finding.pc]

    def free(self, pc: int, count: int) -> tuple[int, ...]:
        """Registers that nothing reads from ``pc`` on."""
        live = shape(self.spec).live[pc]
        insn = self.spec.slots[pc]
        if insn is not None:
            live |= registers(insn)[0]
        return tuple(number for number in _SCRATCH if not live >> number & 1)[:count]

    def holding(self, kind: RegKind, pc: int) -> int | None:
        """A register that held a pointer of this kind at ``pc``, unmoved."""
        regs = self.regs if pc == self.finding.pc else self.held.get(pc, ())
        for number, value in enumerate(regs):
            if value is not None and value.kind is kind and not value.off and value.scalar.is_const:
                return number
        return None

    def context(self, number: int) -> tuple[tuple[str, ...], int] | None:
        """How to get the context into a register here, and where R1 is kept for that, 0 for not."""
        held = self.holding(RegKind.CTX, self.finding.pc)
        if held is not None:
            return (f"r{number} = r{held}",), 0
        used = max(self.path.stack_bytes.values(), default=0) + 8
        if len(self.path.state.frames) > 1 or used > MAX_STACK_BYTES:
            return None
        return (f"r{number} = *(u64 *)(r10 - {used})",), used

    def leave(self) -> tuple[str, ...]:
        """End the function: two instructions."""
        attach = attach_type(self.spec)
        for row in self.spec.type.value.returns:
            if not row.attach_types or attach in row.attach_types:
                return (f"r0 = {_least(row.low, row.high)}", "exit")
        return ("r0 = 0", "exit")


def suggestions(report: Report, options: Options, found: Trace) -> tuple[Suggestion, ...]:
    """The changes that make the program safe; else the first that ends this finding.

    Empty where beebox cannot make a change of its own: the table's hint remains.
    """
    tried = [
        result
        for change in _changes(_Site(report, found))
        if (result := _try(report, options, change, _MOST_ROUNDS)) is not None
    ]
    good = [each for each in tried if each.accepted]
    return tuple(good[:2] or tried[:1])


def _try(report: Report, options: Options, change: _Change, rounds: int) -> Suggestion | None:
    """Make the change and verify; where the next finding can be changed, too, do that as well."""
    finding = report.findings[0]
    try:
        spec = _applied(report.spec, change)
    except BeeboxError:
        return None
    limited = replace(options, deadline_ns=time.monotonic_ns() + _LIMIT_NS)
    after = verify(spec, limited)
    text = hint_of(finding)
    if after.accepted:
        return Suggestion(text, tried=True, accepted=True, pc=change.pc, insns=change.lines)
    following = after.findings[0]
    inserted = change.pc + (1 if change.saves else 0)
    if inserted <= following.pc < inserted + len(_assembled(change.lines)):
        return None  # the change itself does not fit here
    if (following.code, following.message) == (finding.code, finding.message):
        return None  # nothing is gained
    if rounds > 1 and following.code == finding.code:
        there = trace(after, limited, _watched(after))
        for more in _changes(_Site(after, there)) if there is not None else ():
            result = _try(after, options, more, rounds - 1)
            if result is not None and result.accepted:
                lines = (*change.lines, *result.insns)
                return replace(result, text=text, pc=change.pc, insns=lines)
    moved = len(after.spec.slots) - len(report.spec.slots) if change.pc <= finding.pc else 0
    if (following.code, following.pc) == (finding.code, finding.pc + moved):
        return None  # it fails as before, with other numbers
    return Suggestion(
        text, tried=True, pc=change.pc, insns=change.lines,
        then=following.code, then_pc=following.pc,
    )  # fmt: skip


def _applied(spec: ProgramSpec, change: _Change) -> ProgramSpec:
    changed = insert(spec, change.pc, _assembled(change.lines), instead=change.instead)
    if change.saves:
        changed = insert(changed, 0, _assembled((f"*(u64 *)(r10 - {change.saves}) = r1",)))
    return changed


def _assembled(lines: tuple[str, ...]) -> tuple[Instruction, ...]:
    return assemble("\n".join(lines))


def _watched(report: Report) -> tuple[int, ...]:
    """Where the registers must be known to make a change."""
    found = report.findings[0].evidence
    return (found.origin,) if found is not None and found.origin >= 0 else ()


def watched(report: Report) -> tuple[int, ...]:
    """For :func:`beebox.diagnose.trace.trace`: the pcs that changes need to know about."""
    return _watched(report)


def _changes(site: _Site) -> Iterator[_Change]:
    maker = _MAKERS.get(site.finding.code)
    found = site.finding.evidence
    if maker is not None and found is not None:
        yield from maker(site, found)
    elif site.finding.code == "reference-leak":
        yield from _release(site)
    elif site.finding.code == "uninitialised-register":
        yield from _set(site)


def _unless(site: _Site, *conditions: str) -> tuple[str, ...]:
    """Leave unless all conditions hold."""
    out: list[str] = []
    for index, condition in enumerate(conditions):
        last = index == len(conditions) - 1
        if last:
            out.append(f"if {condition} goto +2")
        else:  # a failing one jumps to the way out
            out += [f"if {condition} goto +1", f"goto +{2 * (len(conditions) - index - 1) - 1}"]
    return (*out, *site.leave())


def _packet(site: _Site, found: Evidence) -> Iterator[_Change]:
    """Compare the end of the access with the packet's."""
    insn, pc = site.insn, site.finding.pc
    need = insn.offset + found.size if isinstance(insn, Load | Store) else found.size
    if found.start is None or need <= 0 or found.low < 0:
        return
    if found.high + found.start + found.size > MAX_PACKET_OFFSET + found.size:
        yield from _bounded_offset(site, found, 4095)
        return
    end = site.holding(RegKind.PACKET_END, pc)
    free = site.free(pc, 2)
    if not free:
        return
    at = (f"r{free[0]} = r{found.reg}", f"r{free[0]} += {need}")
    if end is not None:
        yield _Change(pc, (*at, *_unless(site, f"r{free[0]} <= r{end}")))
        return
    row = site.spec.type.value.context
    field = next(
        (each for each in row.fields if each.kind is FieldKind.PACKET_END), None
    ) if row is not None else None  # fmt: skip
    if field is None or len(free) < 2:
        return
    got = site.context(free[1])
    if got is not None:
        load = f"r{free[1]} = *(u{field.size * 8} *)(r{free[1]} + {field.offset})"
        lines = (*got[0], load, *at, *_unless(site, f"r{free[0]} <= r{free[1]}"))
        yield _Change(pc, lines, saves=got[1])


def _region(site: _Site, found: Evidence) -> Iterator[_Change]:
    """Bound the number before it is added to the pointer."""
    if found.start is None:
        return
    most = found.limit - found.start - found.size
    if most >= 0:
        yield from _bounded_offset(site, found, most)


def _bounded_offset(site: _Site, found: Evidence, most: int) -> Iterator[_Change]:
    """Bound what the addition at ``found.origin`` adds."""
    number = _added(site, found.origin)
    if number is not None:
        yield _Change(found.origin, _unless(site, f"r{number} <= {most}"))
        value = site.held[found.origin][number]
        step = value.scalar.mask & -value.scalar.mask or 1 if value is not None else 1
        mask = ((1 << (most // step + 1).bit_length() - 1) - 1) * step
        if mask:
            yield _Change(found.origin, (f"r{number} &= {mask}",))


def _added(site: _Site, pc: int) -> int | None:
    """The register with the number, where a pointer and a number are added."""
    insn = site.spec.slots[pc] if 0 <= pc < len(site.spec.slots) else None
    regs = site.held.get(pc, ())
    if not isinstance(insn, Alu) or not isinstance(insn.src, RegNumber) or not regs:
        return None
    for number in (insn.src, insn.dst):
        value = regs[number]
        if value is not None and value.kind is RegKind.SCALAR:
            return int(number)
    return None


def _null(site: _Site, found: Evidence) -> Iterator[_Change]:
    """Leave where the pointer is NULL."""
    yield _Change(site.finding.pc, _unless(site, f"r{found.reg} != 0"))


def _size(site: _Site, found: Evidence) -> Iterator[_Change]:
    """Bound the size on both sides."""
    room = capacity(site.spec, site.regs[found.reg - 1])
    if room is None:
        room = 1
    r = f"r{found.reg}"
    yield _Change(site.finding.pc, _unless(site, f"{r} != 0", f"{r} <= {room}"))


def _unbounded(site: _Site, found: Evidence) -> Iterator[_Change]:
    """Bound the offset before the addition."""
    number = _added(site, site.finding.pc)
    if number is None:
        insn = site.insn
        if not isinstance(insn, Alu) or not isinstance(insn.src, RegNumber):
            return
        number = next(
            (
                int(each)
                for each in (insn.src, insn.dst)
                if (value := site.regs[each]) is not None and value.kind is RegKind.SCALAR
            ),
            None,
        )
    if number is None:
        return
    pointer = _other(site, number)
    room = capacity(site.spec, pointer) if pointer is not None else None
    most = (room - 8 if room > 8 else 0) if room is not None else 4095
    yield _Change(site.finding.pc, _unless(site, f"r{number} <= {most}"))
    del found


def _other(site: _Site, number: int) -> Reg | None:
    insn = site.insn
    if isinstance(insn, Alu) and isinstance(insn.src, RegNumber):
        return site.regs[insn.src if insn.dst == number else insn.dst]
    return None


def _result(site: _Site, found: Evidence) -> Iterator[_Change]:
    """Answer with the smallest legal result where the computed one is not legal."""
    if found.start is None:
        return
    lines: tuple[str, ...] = (f"r0 = {_least(found.start, found.limit)}",)
    if found.start == 0:
        lines = (f"if r0 <= {found.limit} goto +1", *lines)
    yield _Change(site.finding.pc, lines)


def _field(site: _Site, found: Evidence) -> Iterator[_Change]:
    """Load the whole field of the context, and cut out what was wanted."""
    insn, row = site.insn, site.spec.type.value.context
    if not isinstance(insn, Load) or row is None or found.off or found.low or found.high:
        return
    size = insn.size.value.bytes
    for field in row.fields:
        end = field.offset + field.size
        if not field.offset <= insn.offset or insn.offset + size > end or insn.signed:
            continue
        whole = field.kind is FieldKind.SCALAR and field.size in field.reads
        if whole and field.size in (1, 2, 4, 8):
            d = f"r{insn.dst}"
            lines = [f"{d} = *(u{field.size * 8} *)(r{insn.src} + {field.offset})"]
            if insn.offset > field.offset:
                lines.append(f"{d} >>= {8 * (insn.offset - field.offset)}")
            if size < field.size:
                lines.append(f"{d} &= {(1 << 8 * size) - 1}")
            yield _Change(site.finding.pc, tuple(lines), instead=True)
        return


def _packet_again(site: _Site, found: Evidence) -> Iterator[_Change]:
    """Load a packet pointer again that a call has ended, and compare again."""
    insn, value = site.insn, site.regs[found.reg]
    old = was_pointer(value) if value is not None else None
    free = [n for n in site.free(site.finding.pc, 3) if n != found.reg]
    row = site.spec.type.value.context
    if old is None or old.kind is not RegKind.PACKET or not old.scalar.is_const or row is None:
        return
    fields = {each.kind: each for each in row.fields}
    data, end = fields.get(FieldKind.PACKET), fields.get(FieldKind.PACKET_END)
    if data is None or end is None or len(free) < 2:
        return
    got = site.context(free[1])
    if got is None or not isinstance(insn, Load | Store) or old.off < 0:
        return
    p, t, e = f"r{found.reg}", f"r{free[0]}", f"r{free[1]}"
    lines = [
        *got[0],
        f"{p} = *(u{data.size * 8} *)({e} + {data.offset})",
        f"{e} = *(u{end.size * 8} *)({e} + {end.offset})",
    ]
    lines += [f"{p} += {old.off}"] if old.off else []
    lines += [f"{t} = {p}", f"{t} += {insn.offset + insn.size.value.bytes}"]
    yield _Change(site.finding.pc, (*lines, *_unless(site, f"{t} <= {e}")), saves=got[1])


def _least(low: int, high: int) -> int:
    """The legal result that says least: 0, if it is legal."""
    return 0 if low <= 0 <= high else low


def _set(site: _Site) -> Iterator[_Change]:
    """Give the register a value."""
    insn = site.insn
    if insn is None:
        return
    for number in range(10):
        if registers(insn)[0] >> number & 1 and site.regs[number] is None:
            yield _Change(site.finding.pc, (f"r{number} = 0",))
            return


def _written(site: _Site, found: Evidence) -> Iterator[_Change]:
    """Write 0 to the bytes from the one that is read on which nothing was written to."""
    if found.start is None or len(site.path.state.frames) > 1:
        return
    stack = site.path.state.frames[0].stack
    lines: list[str] = []
    for index in range((-found.start - 1) // 8, -1, -1):
        slot = stack[index] if index < len(stack) else None
        kinds = slot.kinds if slot is not None else UNWRITTEN * 8
        at = 8 * (index + 1)
        first = max(found.start + at, 0)  # of the slot's bytes, those from the one that is read on
        if kinds == UNWRITTEN * 8 and first == 0:
            lines.append(f"*(u64 *)(r10 - {at}) = 0")
            continue
        empty = [byte for byte in range(first, 8) if kinds[byte] == UNWRITTEN]
        lines += [f"*(u8 *)(r10 - {at - byte}) = 0" for byte in empty]
    if lines:
        yield _Change(site.finding.pc, tuple(lines))


def _release(site: _Site) -> Iterator[_Change]:
    """Give the reference back where the program ends."""
    refs = site.path.state.refs
    call = site.spec.slots[refs[0].pc] if refs else None
    if not isinstance(call, Call) or not isinstance(call.target, int):
        return
    row = HELPERS.get(call.target)
    found = _RELEASE.get(row.name) if row is not None else None
    if found is None:
        return
    name, more = found
    held = next(
        (n for n, value in enumerate(site.regs) if value is not None and value.ref == refs[0].id),
        None,
    )
    kept = next((n for n in (9, 8, 7, 6) if n != held), None)
    if held is None or held == 0 or kept is None:
        return
    release = f"call {HELPER_BY_NAME[name].id}"
    lines = (f"r{kept} = r0", f"r1 = r{held}", *more, release, f"r0 = r{kept}")
    yield _Change(site.finding.pc, lines)


_MAKERS: Final[dict[str, Callable[[_Site, Evidence], Iterator[_Change]]]] = {
    "packet-bounds": _packet,
    "map-value-bounds": _region,
    "memory-bounds": _region,
    "null-pointer": _null,
    "argument-size": _size,
    "unbounded-offset": _unbounded,
    "return-range": _result,
    "context-access": _field,
    "not-a-pointer": _packet_again,
    "stack-uninitialised": _written,
}


def untried(finding: Finding) -> bool:
    """Whether the finding is of a kind for which beebox makes no change."""
    return finding.code not in (*_MAKERS, "reference-leak", "uninitialised-register")
