"""The proved lowering: a verified program as one LLVM module for the host.

No access is checked here and nothing counts instructions: the verifier has shown that every access
is inside its object and that the program ends. Where its facts leave a case out (a pc it never
reached), the code returns -1. Map and helper code becomes part of the module, so LLVM inlines it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, assert_never

from beebox.errors import NotSupportedError
from beebox.isa.instruction import (
    AddrSpaceCast,
    Alu,
    Atomic,
    Call,
    CallKind,
    Exit,
    Instruction,
    Jump,
    JumpIf,
    Load,
    LoadImm64,
    LoadPacket,
    MayGoto,
    Reg,
    Store,
    Swap,
)
from beebox.maps.code import MapCode
from beebox.tables.limits import MAX_RUN_LOOPS
from beebox.verifier.result import SubprogramFact, VerifiedProgram
from beebox.vm.body import UNREACHED, Body, form_of
from beebox.vm.contexts import layout_of
from beebox.vm.lowering_alu import condition, lower_alu, lower_swap
from beebox.vm.lowering_calls import HelperCode, Signature, lower_helper, lower_subprogram
from beebox.vm.lowering_memory import lower_atomic, lower_imm64, lower_load, lower_store
from beebox.vm.memory import REDIRECT_BYTES, RUNTIME_BYTES, RUNTIME_FIELDS
from beebox.vm.observe import Notes, Observe, body_symbol, starts_afresh
from beebox.vm.packet_load import PACKET_LOAD_IR, lower_packet_load
from beebox.vm.switches import recover

_INTRINSICS: Final = (
    "declare void @llvm.memset.p0.i64(ptr writeonly, i8, i64, i1 immarg)",
    "declare void @llvm.memcpy.p0.p0.i64(ptr noalias writeonly, ptr noalias readonly, i64, i1)",
    "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1 immarg)",
    "declare i64 @llvm.umin.i64(i64, i64)",
    *(f"declare i{bits} @llvm.bswap.i{bits}(i{bits})" for bits in (16, 32, 64)),
)


def lower(
    verified: VerifiedProgram,
    *,
    maps: Mapping[str, MapCode],
    helpers: Mapping[int, HelperCode],
    observe: Observe = Observe.NOTHING,
) -> str:
    """LLVM IR text with the program as ``i64 @bpf_program(ptr ctx, ptr rt)``.

    ``observe`` makes it write down how it ran. ``maps`` holds the code of every map the program
    names, ``helpers`` of every helper that is not in a map's code. Open symbols: the maps'
    storages. Tail calls enter at ``observe.body_symbol``. Raises :exc:`NotSupportedError`.
    """
    lowering = _Lowering(verified, maps, helpers, Notes(verified, observe), observe)
    functions = [lowering.function(fact) for fact in verified.subprograms]
    used_maps = [maps[name] for name in sorted(verified.maps)]
    used_helpers = [helpers[id_] for id_ in sorted(verified.helpers) if id_ in helpers]
    parts = [*(code.ir for code in used_maps), *(code.ir for code in used_helpers), *functions]
    if any(isinstance(insn, LoadPacket) for insn in verified.spec.insns):
        parts.append(PACKET_LOAD_IR)
    fresh = _FRESH_RUN.format(program=lowering.notes.program, body=lowering.body, **_PER_RUN)
    wrappers = [fresh if starts_afresh(verified) else "", lowering.notes.wrapper()]
    return merge_modules([*parts, *wrappers, "\n".join(_INTRINSICS)])


_PER_RUN: Final = {
    name: RUNTIME_FIELDS[name][0]
    for name in ("tail_calls", "loops_left", "redirect_map", "redirect_kind", "targets")
} | {"record": REDIRECT_BYTES, "loops": MAX_RUN_LOOPS}
_FRESH_RUN: Final = """\
define i64 @{program}(ptr noalias nonnull align 8 %a1, ptr noalias nonnull align 8 %rt) nounwind {{
entry:
  %tail_calls = getelementptr i8, ptr %rt, i64 {tail_calls}
  store i32 0, ptr %tail_calls, align 4
  %loops_left = getelementptr i8, ptr %rt, i64 {loops_left}
  store i64 {loops}, ptr %loops_left, align 8
  %redirect_map = getelementptr i8, ptr %rt, i64 {redirect_map}
  store i64 0, ptr %redirect_map, align 8
  %redirect_kind = getelementptr i8, ptr %rt, i64 {redirect_kind}
  store i32 0, ptr %redirect_kind, align 4
  %result = call i64 @{body}(ptr %a1, ptr %rt)
  %targets_in = getelementptr i8, ptr %rt, i64 {targets}
  %target = load ptr, ptr %targets_in, align 8
  %unwanted = icmp eq ptr %target, null
  br i1 %unwanted, label %done, label %record
record:
  call void @llvm.memcpy.p0.p0.i64(ptr %target, ptr %redirect_map, i64 {record}, i1 false)
  %next = getelementptr i8, ptr %target, i64 {record}
  store ptr %next, ptr %targets_in, align 8
  br label %done
done:
  ret i64 %result
}}
"""


def _giving_back(lines: list[str]) -> list[str]:
    """A function's lines in which every return gives the run back what its frame did not use."""
    out: list[str] = []
    for number, line in enumerate(lines):
        if line.startswith("  ret "):
            name = f"%back{number}"
            out += [
                f"  {name}.mine = load i64, ptr %loops",
                f"  {name}.left = load i64, ptr %loops.at, align 8",
                f"  {name} = add i64 {name}.mine, {name}.left",
                f"  store i64 {name}, ptr %loops.at, align 8",
            ]
        out.append(line)
    return out


def merge_modules(parts: Iterable[str]) -> str:
    """One module text: declarations and external globals that several parts repeat stand once.

    A declaration of what another part defines is dropped.
    """
    texts = list(dict.fromkeys(parts))
    defined = {
        _symbol(line) for text in texts for line in text.splitlines() if line.startswith("define ")
    }
    seen: set[str] = set()
    out = []
    for text in texts:
        for line in text.splitlines():
            if line.startswith("declare ") or (line.startswith("@") and " external " in line):
                name = _symbol(line)
                if name in seen or name in defined:
                    continue
                seen.add(name)
            out.append(line)
    return "\n".join(out) + "\n"


def _symbol(line: str) -> str:
    name = line.partition("@")[2]
    for end in "( =":
        name = name.partition(end)[0]
    return name


class _Lowering:
    def __init__(
        self,
        verified: VerifiedProgram,
        maps: Mapping[str, MapCode],
        helpers: Mapping[int, HelperCode],
        notes: Notes,
        observe: Observe,
    ) -> None:
        self.notes = notes
        self.body = body_symbol(verified, observe)
        self.verified = verified
        self.maps = maps
        self.helpers = helpers
        self.slots = verified.spec.slots
        self.absorbed: frozenset[int] = frozenset()  # comparisons that a switch has replaced
        self.signatures = {
            fact.start: self._signature(number, fact)
            for number, fact in enumerate(verified.subprograms)
        }

    def _signature(self, number: int, fact: SubprogramFact) -> Signature:
        if fact.start == 0:
            return Signature(self.body, ((1, "ptr"),), "i64")
        facts = self.verified.regs[fact.start] or (None,) * 11
        args = tuple(
            (reg, "ptr" if form.pointer else "i64")
            for reg in range(1, 6)
            if (form := form_of(facts[reg])) is not None
        )
        returns = [
            form_of(at[0])
            for pc in range(fact.start, fact.end)
            if isinstance(self.slots[pc], Exit) and (at := self.verified.regs[pc]) is not None
        ]
        pointer = any(form is not None and form.pointer for form in returns)
        return Signature(f"bpf_subprogram_{number}", args, "ptr" if pointer else "i64")

    def function(self, fact: SubprogramFact) -> str:
        """One function's definition."""
        signature = self.signatures[fact.start]
        pcs = [
            pc
            for pc in range(fact.start, fact.end)
            if self.slots[pc] is not None and self.verified.regs[pc] is not None
        ]
        body = Body(self.verified, fact)
        body.leaders = self._leaders(fact, pcs)
        if not pcs:
            body.unreached = True
        visited = frozenset(pcs)
        for pc in pcs:
            if pc in body.leaders:
                body.lines.append(f"L{pc}:")
            insn = self.slots[pc]
            assert insn is not None
            body.written = {}
            body.lines += self.notes.before(pc)
            open_block = self._insn(body, pc, insn, signature)
            body.lines += self.notes.after(pc)
            after = pc + (2 if isinstance(insn, LoadImm64) else 1)
            if open_block and (after in body.leaders or after not in visited):
                body.line(f"br label {body.edge(pc, after)}")
            elif open_block:
                body.edge(pc, after)
        return self._assemble(body, signature, pcs)

    def _assemble(self, body: Body, signature: Signature, pcs: list[int]) -> str:
        main = body.function.start == 0
        args = [f"{kind} %a{reg}" for reg, kind in signature.args]
        if main:
            size = layout_of(self.verified.spec.type.value.context).size
            args = [f"ptr noalias nonnull align 8 dereferenceable({size}) %a1"]
        args.append(f"ptr noalias nonnull align 8 dereferenceable({RUNTIME_BYTES}) %rt")
        linkage = "" if main else "internal "
        head = f"define {linkage}{signature.result} @{signature.symbol}({', '.join(args)})"
        entry = [
            f"  store {kind} %a{reg}, ptr %r{reg}.{'p' if kind == 'ptr' else 'i'}"
            for reg, kind in signature.args
        ]
        first = f"%L{body.function.start}" if pcs else f"%{UNREACHED}"
        lines = [f"{head} nounwind mustprogress willreturn {{", "entry:", *body.prologue(), *entry]
        lines += [f"  br label {first}", *body.lines]
        if body.unreached:
            result = "null" if signature.result == "ptr" else "-1"
            lines += [f"{UNREACHED}:", f"  ret {signature.result} {result}"]
        if body.loops:
            lines = _giving_back(lines)
        return "\n".join([*lines, "}"])

    def _leaders(self, fact: SubprogramFact, pcs: list[int]) -> frozenset[int]:
        leaders = {fact.start}
        for pc in pcs:
            insn = self.slots[pc]
            if isinstance(insn, Jump | JumpIf | MayGoto):
                leaders |= {pc + 1, pc + 1 + insn.offset}
            elif isinstance(insn, Exit):
                leaders.add(pc + 1)
        return frozenset(leaders)

    def _insn(self, body: Body, pc: int, insn: Instruction, signature: Signature) -> bool:
        """Lower one instruction; whether control goes on to the next."""
        match insn:
            case Alu():
                lower_alu(body, pc, insn)
            case Swap():
                lower_swap(body, pc, insn)
            case LoadImm64():
                lower_imm64(body, pc, insn, self.maps)
            case Load():
                lower_load(body, pc, insn)
            case Store():
                lower_store(body, pc, insn)
            case Atomic():
                lower_atomic(body, pc, insn)
            case Call(kind=CallKind.HELPER, target=int(target)):
                lower_helper(body, pc, target, self.maps, self.helpers, signature.result)
            case Call(kind=CallKind.SUBPROG, target=int(target)):
                lower_subprogram(body, pc, self.signatures[pc + 1 + target])
            case Jump():
                body.line(f"br label {body.edge(pc, pc + 1 + insn.offset)}")
                return False
            case JumpIf():
                self._jump_if(body, pc, insn)
                return False
            case Exit():
                pointer = signature.result == "ptr"
                value = body.pointer(pc, Reg.R0) if pointer else body.integer(pc, Reg.R0)
                body.line(f"ret {signature.result} {value}")
                return False
            case MayGoto(offset=offset):
                self._may_goto(body, pc, pc + 1 + offset)
                return False
            case LoadPacket():
                lower_packet_load(body, pc, insn, signature.result)
            case AddrSpaceCast() | Call():
                raise NotSupportedError(f"{type(insn).__name__} at insn {pc} in native code")
            case _:
                assert_never(insn)
        return True

    def _may_goto(self, body: Body, pc: int, target: int) -> None:
        """Fall through while the frame's budget lasts; after it ``target`` is the way out."""
        body.loops = True
        left = body.value("load i64, ptr %loops")
        spent = body.value(f"icmp eq i64 {left}, 0")
        out = body.edge(pc, target)
        body.line(f"br i1 {spent}, label {out}, label %goto{pc}")
        body.lines.append(f"goto{pc}:")
        fewer = body.value(f"sub i64 {left}, 1")
        body.line(f"store i64 {fewer}, ptr %loops")
        body.line(f"br label {body.edge(pc, pc + 1)}")

    def _jump_if(self, body: Body, pc: int, insn: JumpIf) -> None:
        target = pc + 1 + insn.offset
        taken = self.verified.edges.get(pc, 3)
        if taken in {1, 2}:  # only the fall-through, only the jump
            body.line(f"br label {body.edge(pc, pc + 1 if taken == 1 else target)}")
            return
        if not body.form(pc, insn.dst).pointer and self._switch(body, pc, insn):
            return
        test = condition(body, pc, insn)
        yes, no = body.edge(pc, target), body.edge(pc, pc + 1)
        body.line(f"br i1 {test}, label {yes}, label {no}")

    def _switch(self, body: Body, pc: int, insn: JumpIf) -> bool:
        """A whole tree of comparisons at once, where there is one."""
        if isinstance(insn.src, Reg) or pc in self.absorbed or self.notes.counts:
            return False
        switch = recover(self.verified, pc)
        if switch is None:
            return False
        self.absorbed |= switch.comparisons
        kind, value = "i64", body.integer(pc, insn.dst)
        if not insn.wide:
            kind, value = "i32", body.value(f"trunc i64 {value} to i32")
        targets = {target for _, target in switch.cases} | {switch.default}
        labels = {target: body.edge(pc, target) for target in sorted(targets)}
        cases = " ".join(f"{kind} {case}, label {labels[to]}" for case, to in switch.cases)
        body.line(f"switch {kind} {value}, label {labels[switch.default]} [ {cases} ]")
        return True
