"""Damaged objects, and everything that is done to an object before a kernel sees it.

A mutant must end in a result or one of the errors in :data:`REFUSALS`, each step within a second
of CPU time and all of them within ten times the input's size and 50 MB.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from c_objects import compile_c

from beebox.btf import codec, ext, raw_output
from beebox.btf.builder import Builder
from beebox.btf.c import output as c_output
from beebox.btf.dedup import concatenate, dedup
from beebox.btf.diff import diff
from beebox.btf.types import Btf, Linkage, Param, SectionVar
from beebox.errors import BtfError, InputError, NotSupportedError, TargetError
from beebox.isa.instruction import Call, CallKind, Exit, GlobalRef, LoadImm64, MapRef, Reg
from beebox.isa.instruction import SubprogRef as Subprog
from beebox.obj import maps, reader, writer
from beebox.obj.assembly.source import read_assembly
from beebox.obj.assembly.text import write_assembly
from beebox.obj.elf import read as read_elf
from beebox.obj.linker import link
from beebox.obj.map_descriptions import describe
from beebox.obj.minimal_types import minimal_types
from beebox.obj.model import FunctionSpec, LineInfo, MapSpec, ObjectSpec, VarRange
from beebox.obj.static_linker.link import link_objects
from beebox.obj.targets.resolution import resolve
from beebox.obj.targets.target import Target
from beebox.tables.map_types import MapType

Result = TypeVar("Result")
REFUSALS: Final = (InputError, NotSupportedError, TargetError)
SECONDS: Final = 1.0
MEMORY_BYTES: Final = 50 << 20
MEMORY_FACTOR: Final = 10
MOST_PROGRAMS: Final = 50

MAPS = """
struct value { __u32 count; struct { __u64 first, last; } times; char name[16]; };
typedef struct value value_t;
struct { __uint(type, 1); __uint(max_entries, 100); __type(key, __u32); __type(value, value_t);
         __uint(pinning, 1); __uint(map_flags, 1); __ulong(map_extra, 3); } hash SEC(".maps");
struct inner { __uint(type, 2); __uint(max_entries, 4); __uint(key_size, 4);
               __uint(value_size, 8); } one SEC(".maps"), two SEC(".maps");
struct { __uint(type, 12); __uint(max_entries, 2); __type(key, __u32);
         __array(values, struct inner); } outer SEC(".maps") = { .values = { &one, &two } };
int tail(void *ctx);
struct { __uint(type, 3); __uint(max_entries, 2); __uint(key_size, 4);
         __array(values, int(void *)); } jumps SEC(".maps") = { .values = { [1] = &tail } };
const volatile int limit = 5; static int counter; long shared[4] SEC(".data.shared") = { 1, 2 };
const char *text = "hello"; int *pointer = &counter;
SEC("tc") int tail(void *ctx) { return counter++; }
static __noinline int helper(int x) { return bpf_map_lookup_elem(&hash, &x) ? x : shared[x & 3]; }
__noinline __weak int global(int x __tag("arg:nonnull")) { return helper(x) + limit; }
SEC("xdp") int prog(void *ctx) { bpf_map_lookup_elem(&outer, &counter); return global(*pointer); }
SEC("?kprobe/do_exit") int off(void *ctx) { return helper(text[2]) + !jumps.type; }
"""
EXTERNS = """
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct inner { int a; __u64 flags : 3; }; union either { int i; long l; };
struct task { int pid; struct inner in[4]; struct task *parent; union either u; };
struct task___old { long pid; }; enum mode { OFF, ON = 7 };
#pragma clang attribute pop
enum libbpf_tristate { TRI_NO, TRI_MODULE, TRI_YES };
extern const int typed __ksym; extern const void untyped __ksym __weak;
extern __u64 call_me(void *x) __ksym; extern void maybe(__u32 x) __ksym __weak;
extern int LINUX_KERNEL_VERSION __kconfig; extern _Bool CONFIG_BPF __kconfig __weak;
extern enum libbpf_tristate CONFIG_MODULE __kconfig; extern char CONFIG_TEXT[20] __kconfig __weak;
struct ops { int (*init)(struct task *); int (*other)(void); int flags; char name[16]; };
SEC("struct_ops/init") int ops_init(__u64 *ctx) { return 0; }
SEC(".struct_ops.link") struct ops my_ops = { .init = (void *)ops_init, .flags = 3, .name = "x" };
SEC("tp_btf/sched_switch") int first(__u64 *ctx) {
    struct task *task = (void *)ctx[0]; struct task___old *old = (void *)ctx[0];
    if (maybe) maybe(1);
    if (__builtin_preserve_field_info(old->pid, 2)) return old->pid;
    return call_me(ctx) + typed + (&untyped != 0) + task->in[2].a + CONFIG_BPF + CONFIG_TEXT[1]; }
SEC("fentry/do_exit") int second(__u64 *ctx) {
    struct task *task = (void *)ctx[0];
    return task->parent->pid + __builtin_preserve_field_info(task->in[1].flags, 4) +
           __builtin_preserve_type_info(*(struct task *)0, 1) + CONFIG_MODULE + task->u.i +
           __builtin_preserve_enum_value(*(enum mode *)ON, 1) + LINUX_KERNEL_VERSION; }
"""
LEGACY = """
struct bpf_map_def { unsigned int type, key_size, value_size, max_entries, map_flags; };
struct bpf_map_def SEC("maps") old_hash = { 1, 4, 8, 10, 1 };
struct bpf_map_def SEC("maps") old_array = { 2, 4, 4, 1, 0 };
int VERSION SEC("version") = 0x61200;
SEC("socket") int prog(void *ctx) { int key = 0;
    return bpf_map_lookup_elem(&old_hash, &key) == bpf_map_lookup_elem(&old_array, &key); }
"""
ARENA = """
struct { __uint(type, 33); __uint(map_flags, 1024); __uint(max_entries, 100); } arena SEC(".maps");
int SEC(".addr_space.1") cell = 3;
struct node { struct node *next; int v; } list[3];
SEC("syscall") int prog(void *ctx) { return list[1].v + (long)&arena + cell; }
"""
OTHER = """
struct task { int pid; }; static int own; int common; extern int defined_nowhere;
__noinline int other_global(struct task *t) { return t ? t->pid + own++ : common; }
SEC("tc") int other(void *ctx) { return other_global(0) + bpf_map_lookup_elem != 0; }
"""
EVERY_SECTION = """
struct task { int pid; __u64 cookie; } __attribute__((preserve_access_index));
extern const int runqueues __ksym;
extern int LINUX_KERNEL_VERSION __kconfig;
extern int kernel_function(int) __ksym __weak;
struct inner { __uint(type, 2); __uint(max_entries, 1); __type(key, int); __type(value, int); };
struct inner one SEC(".maps");
struct { __uint(type, 12); __uint(max_entries, 8); __uint(key_size, 4);
         __array(values, struct inner); } outer SEC(".maps") = { .values = { [5] = &one } };
struct { __uint(type, 33); __uint(map_flags, 1024); __uint(max_entries, 2);
         __ulong(map_extra, 0x100000000ull); } arena SEC(".maps");
int __attribute__((address_space(1))) in_arena = 3;
struct { __u32 words[9]; } jumps SEC("maps") = { { 3, 4, 4, 9, 0, 1 } };
struct { __u32 words[9]; } old SEC("maps") = { { 1, 4, 4, 9, 0, 0, 2 } };
struct ops { int (*run)(void *); int number; };
SEC("struct_ops/run") int run(void *c) { return in_arena; }
SEC(".struct_ops.link") struct ops ops = { (void *)run, 7 };
__weak __noinline int sub(int x) { return x + kernel_function(x); }
SEC("1/4") int tail(void *c) { return bpf_map_lookup_elem(&outer, c) ? 1 : sub(3); }
SEC("?fentry.s/x") __tag("exception_callback:sub") int first(void *c)
{
    struct task *task = *(void **)c;
    return task->cookie + runqueues + LINUX_KERNEL_VERSION + (bpf_map_lookup_elem(&old, c) != 0);
}
"""
KERNEL = """
struct inner { long a; int flags : 4; }; union either { int i; long l; };
struct task { long pad; struct inner in[4]; struct task *parent; int pid; union either u; };
enum mode { ON = 70 }; struct task task; enum mode mode; const int typed = 1;
typedef void (*btf_trace_sched_switch)(void *data, int preempt);
btf_trace_sched_switch tracepoint;
struct ops { char name[16]; int (*init)(struct task *); long flags; }; struct ops ops;
struct bpf_struct_ops_ops { struct ops data; } st_ops;
__u64 call_me(void *x) { return 0; } void maybe(__u32 x) {} int do_exit(long code) { return 0; }
"""


def handmade() -> bytes:
    """An object with every section that we write, .beebox.vars too."""
    builder = Builder()
    number = builder.unsigned(4)
    variable = builder.variable("limit", number)
    builder.section(".rodata", 4, (SectionVar(variable, 0, 4),))
    typed = builder.function("main", number, (Param("ctx", builder.pointer(0)),), Linkage.GLOBAL)
    btf = describe(builder.build(), {"m": MapSpec("m", MapType.HASH, 4, 6, 9)})
    assert btf is not None
    rows = maps.defined_maps(btf, file="")
    rows[".rodata"] = maps.global_data_map(".rodata", b"\7\0\0\0", btf)
    body = (
        LoadImm64(Reg.R1, MapRef("m")),
        LoadImm64(Reg.R2, GlobalRef(".rodata", 0)),
        Call(CallKind.SUBPROG, Subprog("static")),
        Exit(),
    )
    main = FunctionSpec(
        "main",
        "xdp",
        body,
        lines=(LineInfo(0, "a.py", 3, 5, "x = 1"),),
        type_id=typed,
        variables=(VarRange(0, 3, "x", reg=6), VarRange(1, 4, "key", stack_offset=-8)),
    )
    static = FunctionSpec("static", ".text", (Exit(),), is_global=False)
    return writer.write(ObjectSpec({"main": main, "static": static}, rows, "GPL", btf))


def seeds() -> dict[str, bytes]:
    """Whole objects by what is in them."""
    return {
        "handmade": handmade(),
        "maps": compile_c(MAPS),
        "maps-big": compile_c(MAPS, target="bpfeb"),
        "externs": compile_c(EXTERNS),
        "sections": compile_c(EVERY_SECTION),
        "sections-big": compile_c(EVERY_SECTION, target="bpfeb"),
        "externs-big": compile_c(EXTERNS, target="bpfeb"),
        "legacy": compile_c(LEGACY),
        "legacy-without-types": compile_c(LEGACY, debug=False),
        "arena": compile_c(ARENA),
        "linked": link_objects([("a", compile_c(MAPS)), ("b", compile_c(EXTERNS))]).data,
    }


def others() -> list[bytes]:
    """Objects whose names are not the mutants', little-endian and big-endian."""
    return [compile_c(OTHER, target=target) for target in ("bpfel", "bpfeb")]


def kernel() -> Target:
    """What the objects are resolved against."""
    btf = btf_of(compile_c(KERNEL))
    return Target(
        "made up",
        read_btf=lambda: btf,
        read_config=lambda: {"CONFIG_BPF": "y", "CONFIG_MODULE": "m", "CONFIG_TEXT": '"some"'},
        read_version=lambda: 6 << 16,
        read_kallsyms=lambda: {"untyped": (1 << 63,)},
    )


def btf_of(data: bytes) -> Btf:
    """The types of an object that has some."""
    elf = read_elf(data)
    return codec.parse(bytes(elf.sections[elf.find(".BTF") or 0].contents))


class Damage:
    """Mutants of objects, the same ones for the same dice."""

    def __init__(self, whole: dict[str, bytes]) -> None:
        self._whole = {name: (data, _sections(data)) for name, data in whole.items()}
        self._names = list(whole)

    def mutant(self, dice: random.Random) -> tuple[str, bytes]:
        """The name of the seed and what became of it."""
        name = dice.choice(self._names)
        data, sections = self._whole[name]
        out = bytearray(data)
        for _ in range(dice.choice((1, 1, 1, 2, 3, 8, 20))):
            if dice.random() < 0.25:
                _damage_anywhere(out, dice)
                if len(out) < 64 or len(out) != len(data):
                    break
                continue
            at, size = sections[_chosen(list(sections), dice)]
            if dice.random() < 0.1:
                self._splice(out, at, size, dice)
            elif size >= 4:
                _damage_word(out, at, size, dice, "big" if data[5] == 2 else "little")
        return name, bytes(out)

    def _splice(self, out: bytearray, at: int, size: int, dice: random.Random) -> None:
        """Bytes of some section of some object in the place of others."""
        other, sections = self._whole[dice.choice(self._names)]
        start, length = sections[dice.choice(list(sections))]
        count = min(size, length, dice.choice((8, 24, 64, 1 << 20)))
        to = at + dice.randrange(size - count + 1)
        out[to : to + count] = other[start : start + count]


_OFTEN: Final = {".BTF": 30, ".BTF.ext": 20, ".symtab": 10, "headers": 15, "ELF header": 3}


def _chosen(names: list[str], dice: random.Random) -> str:
    weights = [12 if name.startswith(".rel") else _OFTEN.get(name, 3) for name in names]
    return dice.choices(names, weights)[0]


def _sections(data: bytes) -> dict[str, tuple[int, int]]:
    """Where the contents of each section lie; its header table and the ELF header, too."""
    elf = read_elf(data)
    order = ">" if data[5] == 2 else "<"
    (headers,) = struct.unpack_from(order + "Q", data, 40)
    count = len(elf.sections)
    found = {"ELF header": (0, 64), "headers": (headers, 64 * count)}
    for index, section in enumerate(elf.sections):
        at, size = struct.unpack_from(order + "QQ", data, headers + 64 * index + 24)
        if size and at + size <= len(data) and bytes(section.contents[:1]):
            found[section.name] = (at, size)
    return found


_EXTREMES: Final = (0, 1, 2, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF8)


def _damage_word(
    out: bytearray, at: int, size: int, dice: random.Random, order: codec.ByteOrder
) -> None:
    """One word of a section becomes an extreme, a neighbour, a small number or another's copy."""
    place = at + 4 * dice.randrange(size // 4)
    old = int.from_bytes(out[place : place + 4], order)
    other = at + 4 * dice.randrange(size // 4)
    match dice.randrange(7):
        case 0:
            new = dice.choice(_EXTREMES)
        case 1:
            new = old + dice.choice((-1, 1, -4, 4, 8, 1 << 16, 1 << 24))
        case 2:
            new = old ^ 1 << dice.randrange(32)
        case 3:
            new = dice.randrange(64)
        case 4:
            new = int.from_bytes(out[other : other + 4], order)
        case 5:  # of a type: another kind and count
            new = dice.randrange(1, 20) << 24 | dice.choice((0, 1, 2, 3, old & 0xFFFF))
        case _:
            new = dice.getrandbits(32)
    out[place : place + 4] = (new & 0xFFFFFFFF).to_bytes(4, order)


def _damage_anywhere(out: bytearray, dice: random.Random) -> None:
    """Bytes changed, dropped, repeated or swapped; the end cut off."""
    at = dice.randrange(len(out))
    match dice.randrange(6):
        case 0:
            out[at] = dice.randrange(256)
        case 1:
            out[at] ^= 1 << dice.randrange(8)
        case 2:
            del out[at : at + dice.randrange(1, 64)]
        case 3:
            out[at : at + 8] = dice.choice((b"\xff" * 8, bytes(8), b"\0\0\0\x80" * 2))
        case 4:
            other = dice.randrange(len(out))
            out[at : at + 16] = out[other : other + 16]
        case _:
            del out[at:]


@dataclass
class Steps:
    """All that is done to one mutant; ``slow`` and ``large`` collect what broke the bounds."""

    target: Target
    others: list[bytes]
    """What mutants are linked with: one little-endian, one big-endian."""
    done: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    def run(self, data: bytes, dice: random.Random) -> None:
        """Every step; raises what is none of :data:`REFUSALS`, or :exc:`TooMuchError`."""
        spec = self._timed("read", lambda: _read(data))
        raw = _types_of(data)
        if raw is not None:
            self._types(raw, dice.randrange(5))
        if dice.random() < 0.3:
            is_big = data[5:6] == b"\2"
            other = self.others[is_big if dice.random() < 0.9 else not is_big]
            self._linked([("mutant", data), ("whole", other)][:: dice.choice((1, -1))])
        if spec is None:
            return
        self._resolved(spec)
        self._written(spec)
        if dice.random() < 0.2:
            text = self._timed("assembly", lambda: write_assembly(spec))
            if text is not None:
                self._timed("assemble", lambda: read_assembly(text))
        if dice.random() < 0.2 and self.target.btf is not None:
            whole = self.target.btf
            self._timed("minimise", lambda: minimal_types([spec], whole))

    def all(self, data: bytes) -> None:
        """Every step that an object or its types go through, but for assembly text."""
        spec = self._timed("read", lambda: _read(data))
        raw = _types_of(data)
        for step in range(5) if raw is not None else ():
            self._types(raw or b"", step)
        self._linked([("mutant", data), ("whole", self.others[0])])
        if spec is not None:
            self._resolved(spec)
            self._written(spec)

    def _linked(self, pair: list[tuple[str, bytes]]) -> None:
        linked = self._timed("static link", lambda: link_objects(pair))
        if linked is not None:
            self._timed("read linked", lambda: _read(linked.data))

    def _resolved(self, spec: ObjectSpec) -> None:
        """Against a kernel and against its own types; one by one where not all can be."""
        names = list(spec.program_names)
        for target in (self.target, Target("own", read_btf=lambda: spec.btf)):
            for some in (names, *([name] for name in names[:MOST_PROGRAMS])):
                ready = self._timed("resolve", lambda: resolve(spec, target, some))  # noqa: B023 -- called at once
                if ready is not None:
                    for name in some[:MOST_PROGRAMS]:
                        self._timed("link", lambda: link(ready, name))  # noqa: B023 -- called at once
                    break

    def _written(self, spec: ObjectSpec) -> None:
        written = self._timed("write", lambda: writer.write(spec))
        if written is not None:
            again = self._timed("rewrite", lambda: writer.write(reader.read(written)))
            assert again == written, "written otherwise, or refused, when read again"

    def _types(self, raw: bytes, step: int) -> None:
        """Steps on types alone, whatever the rest of the object is like."""
        btf = self._timed("types", lambda: codec.parse(raw))
        late = self._timed("lazy types", lambda: codec.view(raw))
        if late is not None:
            with suppress(BtfError):
                assert btf is None or late == btf, "lazily decoded types differ"
            self._timed("names", lambda: [late.named(name) for name in ("int", "task", "")])
        if btf is None:
            return
        if step == 0:
            assert codec.parse(codec.encode(btf)) == btf, "encoded types differ"
        elif step == 1:
            self._timed("dedup", lambda: dedup(concatenate([btf, btf])[0]))
        elif step == 2 and self.target.btf is not None:
            whole = self.target.btf
            self._timed("diff", lambda: diff(whole, btf))
        elif step == 3:
            self._timed("C", lambda: c_output.header(btf))
        else:
            self._timed("rows", lambda: "".join(raw_output.text(btf)))

    def _timed(self, step: str, call: Callable[[], Result]) -> Result | None:
        """What the call gives; None where it refuses."""
        start = time.process_time()
        try:
            return call()
        except REFUSALS:
            self.refused[step] = self.refused.get(step, 0) + 1
            return None
        finally:
            self.done[step] = self.done.get(step, 0) + 1
            took = time.process_time() - start
            if took > SECONDS:
                raise TooMuchError(f"{step}: {took:.2f} s of CPU time")


class TooMuchError(AssertionError):
    """A step took too long or too much memory."""


def _read(data: bytes) -> ObjectSpec:
    """The object with every function in it: they are decoded when they are asked for."""
    spec = reader.read(data)
    for name in spec.functions:
        assert spec.functions[name].name == name
    return spec


def _types_of(data: bytes) -> bytes | None:
    """The bytes of .BTF, where there is one; those of .BTF.ext are read with it."""
    try:
        elf = read_elf(data)
        at = elf.find(".BTF")
        raw = None if at is None else bytes(elf.sections[at].contents)
        tables = elf.find(".BTF.ext")
        if raw is not None and tables is not None:
            ext.parse(bytes(elf.sections[tables].contents), codec.strings_of(codec.view(raw)))
    except InputError:
        return None
    return raw


class Memory:
    """How much memory a piece of work took at its highest; Linux tells."""

    def __init__(self) -> None:
        self._reset()
        self._before = _status("VmRSS")

    def _reset(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew

    def check(self, size: int) -> None:
        """Raise :exc:`TooMuchError` if the work on ``size`` bytes took too much; start anew."""
        peak, now = _status("VmHWM"), _status("VmRSS")
        took = peak - self._before
        if peak - now > 8 << 20:
            self._reset()
        self._before = now
        if took > MEMORY_FACTOR * size + MEMORY_BYTES:
            raise TooMuchError(f"{took >> 20} MB for {size} bytes")


def _status(name: str) -> int:
    """A line of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) << 10
    raise AssertionError(name)


def bombard(
    whole: dict[str, bytes], seed: int, numbers: Iterator[int], steps: Steps
) -> Iterator[tuple[int, str]]:
    """Run the mutants of these numbers, each of dice of its own; which seed each came from."""
    damage = Damage(whole)
    memory = Memory()
    for number in numbers:
        dice = random.Random(f"{seed}-{number}")
        name, data = damage.mutant(dice)
        try:
            steps.run(data, dice)
            memory.check(len(data))
        except TooMuchError:  # once more, in case that other work got in the way
            memory.check(1 << 30)
            dice = random.Random(f"{seed}-{number}")
            damage.mutant(dice)
            steps.run(data, dice)
            memory.check(len(data))
        yield number, name
