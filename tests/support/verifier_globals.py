"""Programs with a global function, and what is to be said of them, by both verifiers."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from beebox.btf.builder import Builder
from beebox.btf.types import (
    DeclTag,
    Float,
    Func,
    FuncProto,
    Fwd,
    Linkage,
    Modifier,
    Param,
    Ptr,
    Struct,
    Typedef,
)
from beebox.btf.types import Enum as BtfEnum
from beebox.isa.assembler import assemble
from beebox.obj.linker import link
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec, ProgramSpec
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import ProgramType

MAPS = {
    "values": MapSpec("values", MapType.ARRAY, 4, 16, 4),
    "constant": MapSpec("constant", MapType.ARRAY, 4, 16, 1, MapFlags.RDONLY_PROG),
    "table": MapSpec("table", MapType.HASH, 4, 16, 8),
    "ring": MapSpec("ring", MapType.RINGBUF, 0, 0, 4096),
}


def type_id(builder: Builder, word: str) -> int:
    """A type by its short name: ``pair*``, ``const int``, ``void*``."""
    if word.endswith("*"):
        return builder.add(Ptr(type_id(builder, word[:-1])))
    if word.startswith("const "):
        return builder.add(Modifier("const", type_id(builder, word[6:])))
    match word:
        case "void":
            return 0
        case "int":
            return builder.signed_int()
        case "long":
            return builder.unsigned(8)
        case "enum":
            return builder.add(BtfEnum("choice", 4, (("NO", 0), ("YES", 1))))
        case "float":
            return builder.add(Float("float", 4))
        case "pair":
            return builder.struct("pair", 16, ())
        case "forward":
            return builder.add(Fwd("forward"))
        case "number_t":
            return builder.add(Typedef("number_t", builder.signed_int()))
        case "ints":
            return builder.array(builder.signed_int(), 4)
        case "function":
            return builder.add(FuncProto(0, ()))
        case "nameless":
            return builder.add(Struct("", 4, ()))
        case _:
            return builder.struct(word, 8, ())


def program(
    main: str,
    body: str,
    *params: str,
    result: str = "int",
    type_: ProgramType = ProgramType.XDP,
    linkage: Linkage = Linkage.GLOBAL,
    **more: str,
) -> ProgramSpec:
    """``main`` calls ``func[f]``, of these parameters: ``TAG,TAG:TYPE`` or ``TYPE``.

    ``more`` are other functions of one number.
    """
    builder = Builder()
    number = builder.signed_int()
    split = [param.rpartition(":") for param in params]
    named = tuple(
        Param(f"p{index}", type_id(builder, word)) for index, (_, _, word) in enumerate(split)
    )
    f = builder.add(Func("f", builder.add(FuncProto(type_id(builder, result), named)), linkage))
    for index, (tags, _, _) in enumerate(split):
        for tag in filter(None, tags.split(",")):
            builder.add(DeclTag(f"arg:{tag}", f, index))
    proto = builder.add(FuncProto(number, (Param("p", number),)))
    ids = {name: builder.add(Func(name, proto, Linkage.GLOBAL)) for name in ("main", *more)}
    texts = {"main": main, "f": body, **more}
    specs = {
        name: FunctionSpec(
            name,
            type_.value.name if name == "main" else ".text",
            assemble(text),
            is_global=name != "f" or linkage is Linkage.GLOBAL,
            type_id={"f": f, **ids}[name],
        )
        for name, text in texts.items()
    }
    maps = {name: spec for name, spec in MAPS.items() if any(name in t for t in texts.values())}
    spec = link(ObjectSpec(specs, maps, license="GPL", btf=builder.build()), "main")
    return replace(spec, type=type_)


class Case(NamedTuple):
    name: str
    expected: str  # "accepted" or a finding's code
    spec: ProgramSpec


_CALL = "call func[f]\nr0 = 2\nexit"
_STACK = "*(u64 *)(r10 - 8) = 0\n*(u64 *)(r10 - 16) = 0\nr1 = r10\nr1 += -16\n"
_VALUE = (
    "*(u32 *)(r10 - 4) = 9\nr2 = r10\nr2 += -4\nr1 = map[values] ll\ncall bpf_map_lookup_elem\n"
    "r1 = r0\n"
)
_ZERO = "r0 = 0\nexit"
_READ = "if r1 == 0 goto out\nr2 = *(u64 *)(r1 + 8)\nout:\n" + _ZERO
_RECORD = (
    "r1 = map[ring] ll\nr2 = 16\nr3 = 0\ncall bpf_ringbuf_reserve\nif r0 == 0 goto none\n"
    "r6 = r0\nr1 = r0\ncall func[f]\nr1 = r6\nr2 = 0\ncall bpf_ringbuf_discard\nnone:\n" + _ZERO
)
_PACKET = (
    "r6 = *(u32 *)(r1 + 0)\nr2 = *(u32 *)(r1 + 4)\nr3 = r6\nr3 += 16\nif r3 > r2 goto none\n"
    "r1 = r6\ncall func[f]\nr0 = *(u8 *)(r6 + 0)\nnone:\n" + _ZERO
)
CASES = [
    Case("a number", "accepted", program("r1 = 1\n" + _CALL, "r0 = r1\nexit", "int")),
    Case("an enum and a typedef", "accepted",
         program("r1 = 1\nr2 = 2\n" + _CALL, "r0 = r1\nr0 += r2\nexit", "enum", "number_t")),
    Case("a pointer as number", "function-argument", program(_CALL, _ZERO, "long")),
    Case("nothing as number", "function-argument", program("r2 = 1\nr1 = 1\n" + _CALL, _ZERO, "int",
         "int", "int")),
    Case("the number is any number", "map-value-bounds",
         program("r1 = 1\n" + _CALL, "r1 &= 63\n*(u32 *)(r10 - 4) = 0\nr6 = r1\nr2 = r10\n"
                 "r2 += -4\n"
                 "r1 = map[values] ll\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\nr0 += r6\n"
                 "r0 = *(u8 *)(r0 + 0)\nout:\nr0 = 0\nexit", "int")),
    Case("stack as memory", "accepted", program(_STACK + _CALL, _READ, "pair*")),
    Case("too little stack", "stack-bounds",
         program("r1 = r10\nr1 += -8\n" + _CALL, _READ, "pair*")),
    Case("memory that may be NULL, unchecked", "null-pointer",
         program(_STACK + _CALL, "r0 = *(u64 *)(r1 + 0)\nexit", "pair*")),
    Case("memory never NULL", "accepted",
         program(_STACK + _CALL, "r0 = *(u64 *)(r1 + 0)\nexit", "nonnull:pair*")),
    Case("beyond the memory", "memory-bounds",
         program(_STACK + _CALL, "r0 = *(u64 *)(r1 + 16)\nexit", "nonnull:pair*")),
    Case("NULL for memory", "accepted", program("r1 = 0\n" + _CALL, _READ, "pair*")),
    Case("a number for memory", "function-argument", program("r1 = 1\n" + _CALL, _READ, "pair*")),
    Case("an unchecked map value", "accepted", program(_VALUE + _CALL, _READ, "pair*")),
    Case("an unchecked map value, never NULL", "function-argument",
         program(_VALUE + _CALL, _ZERO, "nonnull:pair*")),
    Case("a map value that is moved out", "map-value-bounds",
         program(_VALUE + "if r1 == 0 goto none\nr1 += 8\ncall func[f]\nnone:\nr0 = 0\nexit",
                 _READ, "pair*")),
    Case("memory that programs may not write", "read-only",
         program(_VALUE.replace("values", "constant") + _CALL, _READ, "pair*")),
    Case("an array and a pointer", "accepted",
         program(_STACK + "r2 = r1\n" + _CALL, _ZERO, "ints*", "int**")),
    Case("a record", "accepted", program(_RECORD, _READ, "pair*")),
    Case("a record is no record any more", "argument-type",
         program(_RECORD, "if r1 == 0 goto out\nr2 = 0\ncall bpf_ringbuf_discard\nout:\n" + _ZERO,
                 "pair*")),
    Case("the packet", "accepted", program(_PACKET, _READ, "pair*")),
    Case("too little of the packet", "packet-bounds",
         program(_PACKET.replace("r3 += 16", "r3 += 8"), _READ, "pair*")),
    Case("the packet moves", "not-a-pointer",
         program("r6 = *(u32 *)(r1 + 0)\nr2 = *(u32 *)(r1 + 4)\nr3 = r6\nr3 += 1\n"
                 "if r3 > r2 goto none\ncall func[f]\nr0 = *(u8 *)(r6 + 0)\nnone:\nr0 = 0\nexit",
                 "if r1 != 0 goto out\nr2 = 0\ncall bpf_xdp_adjust_head\nout:\nr0 = 0\nexit",
                 "xdp_md*")),
    Case("the context", "accepted", program(_CALL, "r0 = *(u32 *)(r1 + 16)\nexit", "xdp_md*")),
    Case("the kernel's name of the context", "accepted", program(_CALL, _ZERO, "xdp_buff*")),
    Case("the context by a tag", "accepted",
         program(_CALL, "r0 = *(u32 *)(r1 + 16)\nexit", "ctx:void*")),
    Case("the context as something else", "function-prototype",
         program(_CALL, _ZERO, "ctx:__sk_buff*")),
    Case("a nameless context", "function-prototype", program(_CALL, _ZERO, "ctx:nameless*")),
    Case("no context", "function-argument", program("r1 = 0\n" + _CALL, _ZERO, "xdp_md*")),
    Case("the stack as context", "function-argument",
         program("r1 = r10\n" + _CALL, _ZERO, "xdp_md*")),
    Case("words are no XDP context", "function-prototype", program(_CALL, _ZERO, "ctx:long*")),
    Case("words as context of a raw tracepoint", "accepted",
         program(_CALL, _ZERO, "ctx:long*", type_=ProgramType.RAW_TRACEPOINT)),
    Case("anything as context of a tracepoint", "accepted",
         program(_CALL, _ZERO, "ctx:pair*", type_=ProgramType.TRACEPOINT)),
    Case("registers as context of a kprobe", "accepted",
         program(_CALL, _ZERO, "ctx:pt_regs*", type_=ProgramType.KPROBE)),
    Case("untrusted memory", "accepted",
         program("r1 = 1\n" + _CALL, "r0 = *(u64 *)(r1 + 80)\nexit", "untrusted:void*")),
    Case("untrusted memory is not written", "read-only",
         program("r1 = 1\n" + _CALL, "*(u64 *)(r1 + 0) = 0\nr0 = 0\nexit", "untrusted:int*")),
    Case("untrusted memory is no helper's", "argument-type",
         program("r1 = 1\n" + _CALL, "r2 = r1\nr1 = map[table] ll\ncall bpf_map_lookup_elem\n"
                 "r0 = 0\nexit", "untrusted:int*")),
    Case("untrusted and nullable", "function-prototype",
         program(_CALL, _ZERO, "untrusted,nullable:int*")),
    Case("arena", "accepted", program("r1 = 1\n" + _CALL, _ZERO, "arena:void*")),
    Case("the stack as arena", "function-argument",
         program("r1 = r10\n" + _CALL, _ZERO, "arena:void*")),
    Case("arena and nonnull", "function-prototype", program(_CALL, _ZERO, "arena,nonnull:int*")),
    Case("an unknown tag", "function-prototype", program(_CALL, _ZERO, "other:int*")),
    Case("a tag on a number", "function-prototype",
         program("r1 = 1\n" + _CALL, _ZERO, "nonnull:int")),
    Case("nullable memory", "function-prototype", program(_CALL, _ZERO, "nullable:int*")),
    Case("ctx and nonnull", "function-prototype", program(_CALL, _ZERO, "ctx,nonnull:xdp_md*")),
    Case("dynptr and nonnull", "function-prototype", program(_CALL, _ZERO, "nonnull:bpf_dynptr*")),
    Case("trusted and nonnull", "function-prototype",
         program(_CALL, _ZERO, "trusted,nonnull:task_struct*")),
    Case("memory without a size", "function-prototype", program(_CALL, _ZERO, "void*")),
    Case("memory of an unknown struct", "function-prototype", program(_CALL, _ZERO, "forward*")),
    Case("a function as memory", "function-prototype", program(_CALL, _ZERO, "function*")),
    Case("a struct by value", "function-prototype", program(_CALL, _ZERO, "pair")),
    Case("a float", "function-prototype", program(_CALL, _ZERO, "float")),
    Case("six arguments", "function-prototype", program(_CALL, _ZERO, *["int"] * 6)),
    Case("returns a pointer", "function-prototype",
         program(_CALL, _ZERO, "xdp_md*", result="int*")),
    Case("returns nothing", "function-prototype", program(_CALL, _ZERO, "xdp_md*", result="void")),
    Case("returns an enum", "accepted", program(_CALL, _ZERO, "xdp_md*", result="enum")),
    Case("gives a pointer back", "return-value", program(_CALL, "r0 = r1\nexit", "xdp_md*")),
    Case("never sets its result", "return-value", program(_CALL, "exit", "xdp_md*")),
    Case("keeps a reference", "reference-leak",
         program(_RECORD.replace("call func[f]\n", "r1 = 1\ncall func[f]\n"),
                 "r1 = map[ring] ll\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\n" + _ZERO, "int")),
    Case("not reached", "accepted",
         program("r1 = 1\nif r1 == 1 goto out\ncall func[f]\nout:\nr0 = 2\nexit", "exit", "int")),
    Case("reached from another", "return-value",
         program("r1 = 1\ncall func[g]\nr0 = 2\nexit", "exit", "int", g=_CALL)),
    Case("static: in the caller's state", "accepted",
         program(_STACK + _CALL, "r0 = *(u64 *)(r1 + 8)\nexit", "void*", linkage=Linkage.STATIC)),
]  # fmt: skip
