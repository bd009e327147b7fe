"""Programs with functions that helpers call: cases, and random ones."""

from __future__ import annotations

import random
from typing import NamedTuple

from beebox.btf.builder import Builder
from beebox.btf.types import Func, FuncProto, Linkage
from beebox.isa.assembler import assemble
from beebox.obj.linker import link
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec, ProgramSpec
from beebox.tables.map_types import MapType

MAPS = {
    "table": MapSpec("table", MapType.HASH, 4, 16, 8),
    "ring": MapSpec("ring", MapType.RINGBUF, 0, 0, 4096),
    "user": MapSpec("user", MapType.USER_RINGBUF, 0, 0, 4096),
    "programs": MapSpec("programs", MapType.PROG_ARRAY, 4, 4, 4),
    ".data": MapSpec(".data", MapType.ARRAY, 4, 16, 1, contents=bytes(16)),
}


def program(
    main: str,
    *,
    linkage: Linkage = Linkage.STATIC,
    of_main: Linkage = Linkage.GLOBAL,
    typed: bool = True,
    section: str = "xdp",
    **functions: str,
) -> ProgramSpec:
    """A program and the functions that it names with ``func[NAME]``."""
    builder = Builder()
    proto = builder.add(FuncProto(builder.signed_int(), ()))
    specs = {}
    for name, text in {"main": main, **functions}.items():
        kind = of_main if name == "main" else linkage
        type_id = builder.add(Func(name, proto, kind)) if typed else 0
        specs[name] = FunctionSpec(
            name,
            section if name == "main" else ".text",
            assemble(text),
            is_global=name == "main" or kind is Linkage.GLOBAL,
            type_id=type_id,
        )
    types = builder.build() if typed else None
    return link(ObjectSpec(specs, MAPS, license="GPL", btf=types), "main")


def looping(
    body: str, rounds: str = "100", *, before: str = "", after: str = "", **more
) -> ProgramSpec:
    """``bpf_loop`` over a function that gets a pointer to 16 bytes of stack, both words 0."""
    main = (
        f"*(u64 *)(r10 - 8) = 0\n*(u64 *)(r10 - 16) = 0\nr6 = r1\n{before}\nr1 = {rounds}\n"
        f"r2 = func[each] ll\nr3 = r10\nr3 += -16\nr4 = 0\ncall bpf_loop\n{after}\nr0 = 2\nexit"
    )
    return program(main, each=body, **more)


def over_elements(body: str, **more) -> ProgramSpec:
    """``bpf_for_each_map_elem``, in the same way."""
    main = (
        "*(u64 *)(r10 - 8) = 0\n*(u64 *)(r10 - 16) = 0\nr1 = map[table] ll\n"
        "r2 = func[each] ll\nr3 = r10\nr3 += -16\nr4 = 0\ncall bpf_for_each_map_elem\n"
        "r0 = 2\nexit"
    )
    return program(main, each=body, **more)


def draining(body: str, *, before: str = "", after: str = "", **more) -> ProgramSpec:
    """``bpf_user_ringbuf_drain``, in the same way; R7 is a map's value or the program ends."""
    main = (
        f"r6 = r1\n*(u64 *)(r10 - 8) = 0\n*(u64 *)(r10 - 16) = 0\n{before}\nr1 = map[user] ll\n"
        "r2 = func[each] ll\nr3 = r10\nr3 += -16\nr4 = 0\ncall bpf_user_ringbuf_drain\n"
        f"{after}\nr0 = 2\nexit"
    )
    return program(main, each=body, **more)


class Case(NamedTuple):
    name: str
    expected: str  # "accepted" or a finding's code
    spec: ProgramSpec


GO_ON = "r0 = 0\nexit"
COUNT = "r1 = *(u64 *)(r2 + 0)\nr1 += 1\n*(u64 *)(r2 + 0) = r1\n" + GO_ON
RESERVE = "r1 = map[ring] ll\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\n"
SUBMIT = "r1 = r0\nr2 = 0\ncall bpf_ringbuf_submit\n"
READ = "r6 = r2\nr3 = r1\nr1 = r2\nr2 = 8\nr4 = 0\nr5 = 0\ncall bpf_dynptr_read\n"
DATA = "r2 = 0\nr3 = 8\ncall bpf_dynptr_data\n"
DYNPTR = "r1 = map[ring] ll\nr2 = 8\nr3 = 0\nr4 = r10\nr4 += -16\ncall bpf_ringbuf_reserve_dynptr\n"
SUBMIT_DYNPTR = "r1 = r10\nr1 += -16\nr2 = 0\ncall bpf_ringbuf_submit_dynptr\n"
KEEP = "*(u64 *)(r10 - 16) = r1"
CLASSIC = "r6 = *(u64 *)(r2 + 0)\nr0 = *(u8 *)skb[0]\n"
TAIL_CALL = "r1 = *(u64 *)(r2 + 0)\nr2 = map[programs] ll\nr3 = 0\ncall bpf_tail_call\n"
USE = "if r0 == 0 goto out\n*(u64 *)(r0 + 0) = 1\nout:\n"
INDEX = "r1 = global[.data] ll\nr2 = *(u64 *)(r10 - 16)\nr1 += r2\nr1 = *(u8 *)(r1 + 0)\n"
SOMETIMES_TWO = (
    "r6 = r2\ncall bpf_get_prandom_u32\nif r0 == 0 goto compare\n*(u64 *)(r6 + 0) = r0\n"
    "compare:\nr5 = *(u64 *)(r6 + 0)\nif r5 == 2 goto use\n*(u64 *)(r6 + 0) = 1\n"
)
USE_BELOW_17 = (
    "if r5 > 16 goto out\nr4 = global[.data] ll\nr4 += r5\nr5 = *(u8 *)(r4 + 0)\nout:\n" + GO_ON
)


def three_kinds(rounds: str) -> ProgramSpec:
    """Each round sets one of three words; setting the first two takes two, and is not allowed."""
    return looping(
        "r6 = r2\ncall bpf_get_prandom_u32\nif r0 == 1 goto first\nif r0 == 2 goto second\n"
        "*(u64 *)(r6 - 8) = 42\nr0 = 0\nexit\nfirst:\n*(u64 *)(r6 + 0) = 42\nr0 = 0\nexit\n"
        "second:\n*(u64 *)(r6 + 8) = 42\nr0 = 0\nexit",
        rounds,
        before="*(u64 *)(r10 - 24) = 7",
        after="r1 = *(u64 *)(r10 - 16)\nif r1 != 42 goto out\nr1 = *(u64 *)(r10 - 8)\n"
        "if r1 != 42 goto out\nr1 = *(u64 *)(r10 - 24)\nif r1 != 7 goto out\n"
        "r1 = global[.data] ll\nr1 = *(u8 *)(r1 + 16)\nout:",
    )


CASES = [
    Case("nothing", "accepted", looping(GO_ON)),
    Case("counts", "accepted", looping(COUNT)),
    Case("any number of rounds", "accepted", looping(COUNT, "*(u32 *)(r6 + 16)")),
    Case("returns 1", "accepted", looping("r0 = 1\nexit")),
    Case("returns 0 or 1", "accepted", looping("r0 = r1\nr0 &= 1\nexit")),
    Case("returns 2", "return-range", looping("r0 = 2\nexit")),
    Case("returns -1", "return-range", looping("r0 = -1\nexit")),
    Case("returns its index", "return-range", looping("r0 = r1\nexit")),
    Case("returns a pointer", "return-value", looping("r0 = global[.data] ll\nexit")),
    Case("returns its stack", "return-value", looping("r0 = r10\nexit")),
    Case("returns nothing", "return-value", looping("exit")),
    Case("reads a third argument", "uninitialised-register", looping("r0 = r3\nr0 = 0\nexit")),
    Case("beyond what it was given", "stack-bounds", looping("*(u64 *)(r2 + 16) = 0\n" + GO_ON)),
    Case("a count as an index", "map-value-bounds", looping(COUNT, after=INDEX)),
    Case("3 rounds: the count as an index", "accepted", looping(COUNT, "3", after=INDEX)),
    Case("15 rounds: the count as an index", "accepted", looping(COUNT, "15", after=INDEX)),
    Case("16 rounds: the count as an index", "map-value-bounds", looping(COUNT, "16", after=INDEX)),
    Case(
        "its index as an index", "unbounded-offset",
        looping("r3 = global[.data] ll\nr3 += r1\n*(u8 *)(r3 + 0) = 0\n" + GO_ON),
    ),
    Case(
        "its index as an index, checked", "accepted",
        looping(
            "if r1 > 15 goto out\nr3 = global[.data] ll\nr3 += r1\n*(u8 *)(r3 + 0) = 0\nout:\n"
            + GO_ON
        ),
    ),
    Case(
        "an index that the function makes worse", "map-value-bounds",
        looping(
            "r3 = *(u64 *)(r2 + 0)\nr4 = global[.data] ll\nr4 += r3\n*(u8 *)(r4 + 0) = 0\n"
            "r3 += 1\n*(u64 *)(r2 + 0) = r3\n" + GO_ON
        ),
    ),
    Case(
        "a pointer that the function replaces", "not-a-pointer",
        looping(
            "r3 = 7\n*(u64 *)(r2 + 0) = r3\n" + GO_ON,
            before="r1 = global[.data] ll\n*(u64 *)(r10 - 16) = r1",
            after="r1 = *(u64 *)(r10 - 16)\n*(u8 *)(r1 + 0) = 0",
        ),
    ),
    Case(
        "a record, submitted", "accepted",
        looping(RESERVE + "if r0 == 0 goto out\n" + SUBMIT + "out:\n" + GO_ON),
    ),
    Case("a record, kept", "reference-leak", looping(RESERVE + GO_ON)),
    Case(
        "a record of the caller's, submitted perhaps", "reference-leak",
        looping(
            "r1 = *(u64 *)(r2 + 0)\nr2 = 0\ncall bpf_ringbuf_submit\nr0 = 1\nexit",
            before=RESERVE + "if r0 == 0 goto out\n*(u64 *)(r10 - 16) = r0", after="out:",
        ),
    ),
    Case(
        "a function in a function", "accepted",
        looping(
            "r1 = 10\nr3 = r2\nr2 = func[inner] ll\nr4 = 0\ncall bpf_loop\n" + GO_ON, inner=COUNT
        ),
    ),
    Case("a function that is not static", "callback", looping(GO_ON, linkage=Linkage.GLOBAL)),
    Case("a function without types", "callback", looping(GO_ON, typed=False)),
    Case("two rounds of three kinds, all that happened", "map-value-bounds", three_kinds("2")),
    Case("one round of three kinds, all that happened", "accepted", three_kinds("1")),
    Case(
        "an index that the function makes worse on another path", "unbounded-offset",
        looping(
            "r6 = r2\ncall bpf_get_prandom_u32\nif r0 == 7 goto use\nr1 = *(u64 *)(r6 + 0)\n"
            "r1 += 1\n*(u64 *)(r6 + 0) = r1\nr0 = 0\nexit\nuse:\nr1 = *(u64 *)(r6 + 0)\n"
            "r2 = global[.data] ll\nr2 += r1\n*(u8 *)(r2 + 0) = 0\n" + GO_ON
        ),
    ),
    Case("a pointer for the number of rounds", "argument-type", looping(GO_ON, "r6")),
    Case(
        "a number for a function", "argument-type",
        program("r1 = 1\nr2 = 7\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 = 2\nexit"),
    ),
    Case(
        "the address of a function, moved", "argument-type",
        program(
            "r1 = 1\nr2 = func[each] ll\nr2 += 8\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 = 2\nexit",
            each=GO_ON,
        ),
    ),
    Case(
        "the address of a function, read", "not-a-pointer",
        program("r2 = func[each] ll\nr0 = *(u8 *)(r2 + 0)\nexit", each=GO_ON),
    ),
    Case(
        "a context that is no stack", "argument-type",
        program(
            "r3 = r1\nr1 = 1\nr2 = func[each] ll\nr4 = 0\ncall bpf_loop\nr0 = 2\nexit", each=GO_ON
        ),
    ),
    Case(
        "no context", "accepted",
        program(
            "r1 = 1\nr2 = func[each] ll\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 = 2\nexit", each=GO_ON
        ),
    ),
    Case(
        "a word that changed, compared, then loaded again", "map-value-bounds",
        looping(SOMETIMES_TWO + "use:\nr5 = *(u64 *)(r6 + 0)\n" + USE_BELOW_17),
    ),
    Case(
        "a word that changed, compared, then used", "accepted",
        looping(SOMETIMES_TWO + "r5 = 1\nuse:\n" + USE_BELOW_17),
    ),
    Case("elements: nothing", "accepted", over_elements(GO_ON)),
    Case(
        "elements: key and value", "accepted",
        over_elements(
            "r2 = *(u32 *)(r2 + 0)\nr5 = *(u64 *)(r3 + 8)\nr5 += r2\n*(u64 *)(r3 + 0) = r5\n"
            "*(u64 *)(r4 + 0) = r5\n" + GO_ON
        ),
    ),
    Case("elements: a key, written", "read-only", over_elements("*(u32 *)(r2 + 0) = 1\n" + GO_ON)),
    Case(
        "elements: beyond the key", "memory-bounds",
        over_elements("r0 = *(u64 *)(r2 + 0)\n" + GO_ON),
    ),
    Case(
        "elements: beyond the value", "map-value-bounds",
        over_elements("r0 = *(u64 *)(r3 + 16)\n" + GO_ON),
    ),
    Case(
        "elements: deleted", "accepted", over_elements("call bpf_map_delete_elem\n" + GO_ON)
    ),
    Case(
        "elements: a key filled by a helper", "read-only",
        over_elements("r1 = r2\nr2 = 4\nr3 = 0\ncall bpf_probe_read_kernel\n" + GO_ON),
    ),
    Case("elements: returns 2", "return-range", over_elements("r0 = 2\nexit")),
    Case("samples: nothing", "accepted", draining(GO_ON)),
    Case("samples: read into the caller's stack", "accepted", draining(READ + GO_ON)),
    Case("samples: returns 2", "return-range", draining("r0 = 2\nexit")),
    Case("samples: a slice", "accepted", draining(DATA + USE + GO_ON)),
    Case(
        "samples: a slice, not checked", "null-pointer",
        draining(DATA + "r0 = *(u8 *)(r0 + 0)\n" + GO_ON),
    ),
    Case(
        "samples: written", "accepted",
        draining(
            "r3 = r2\nr2 = 0\nr4 = 8\nr5 = 0\ncall bpf_dynptr_write\n" + GO_ON
        ),
    ),
    Case(
        "samples: the dynptr itself", "not-a-pointer", draining("r0 = *(u64 *)(r1 + 0)\n" + GO_ON)
    ),
    Case(
        "samples: the dynptr itself, written", "not-a-pointer",
        draining("*(u64 *)(r1 + 0) = 0\n" + GO_ON),
    ),
    Case("samples: the dynptr, moved", "argument-type", draining("r1 += 8\n" + DATA + GO_ON)),
    Case(
        "samples: the dynptr, moved and back", "accepted",
        draining("r1 += 8\nr1 += -8\n" + DATA + GO_ON),
    ),
    Case(
        "samples: the dynptr, discarded", "dynptr",
        draining("r2 = 0\ncall bpf_ringbuf_discard_dynptr\n" + GO_ON),
    ),
    Case(
        "samples: another dynptr in its place", "dynptr",
        draining(
            "r4 = r1\nr1 = map[ring] ll\nr2 = 8\nr3 = 0\n"
            "call bpf_ringbuf_reserve_dynptr\n" + GO_ON
        ),
    ),
    Case(
        "samples: the dynptr, as memory", "argument-type",
        draining("r2 = 8\nr3 = r1\ncall bpf_probe_read_kernel\n" + GO_ON),
    ),
    Case(
        "samples: the dynptr, kept by the caller", "accepted",
        draining(
            "*(u64 *)(r2 + 0) = r1\n" + GO_ON,
            after="r1 = *(u64 *)(r10 - 16)\nif r1 == 0 goto out\nout:",
        ),
    ),
    Case(
        "samples: the dynptr, used by the caller", "argument-type",
        draining(
            "*(u64 *)(r2 + 0) = r1\n" + GO_ON,
            after="r1 = *(u64 *)(r10 - 16)\n" + DATA,
        ),
    ),
    Case(
        "samples: the context is no stack", "argument-type",
        program(
            "r3 = r1\nr1 = map[user] ll\nr2 = func[each] ll\nr4 = 0\n"
            "call bpf_user_ringbuf_drain\nr0 = 2\nexit", each=GO_ON,
        ),
    ),
    Case(
        "samples: of another map", "map-type",
        program(
            "r1 = map[ring] ll\nr2 = func[each] ll\nr3 = 0\nr4 = 0\n"
            "call bpf_user_ringbuf_drain\nr0 = 2\nexit", each=GO_ON,
        ),
    ),
    Case("a record's dynptr, submitted", "accepted", looping(DYNPTR + SUBMIT_DYNPTR + GO_ON)),
    Case("a record's dynptr, kept", "reference-leak", looping(DYNPTR + GO_ON)),
    Case(
        "a record's dynptr of the caller's, submitted perhaps", "reference-leak",
        looping(
            "r1 = r2\nr2 = 0\ncall bpf_ringbuf_submit_dynptr\n" + GO_ON,
            before="r1 = map[ring] ll\nr2 = 8\nr3 = 0\nr4 = r10\nr4 += -16\n"
            "call bpf_ringbuf_reserve_dynptr",
        ),
    ),
    Case(
        "a classic load", "early-end", looping(CLASSIC + GO_ON, section="socket", before=KEEP),
    ),
    Case(
        "a classic load, R0 set before", "early-end",
        looping("r0 = 7\n" + CLASSIC + GO_ON, section="socket", before=KEEP),
    ),
    Case(
        "a classic load in a function of the function", "accepted",
        looping(
            "r1 = r2\ncall inner\n" + GO_ON, inner="r2 = r1\n" + CLASSIC + GO_ON,
            section="socket", before=KEEP,
        ),
    ),
    Case(
        "a classic load, a record held", "reference-leak",
        draining(
            "r6 = *(u64 *)(r2 + 0)\n" + RESERVE + "r7 = r0\nr0 = *(u8 *)skb[0]\n" + GO_ON,
            section="socket", before=KEEP,
        ),
    ),
    Case(
        "a classic load, without the context", "legacy-load",
        looping("r6 = r1\nr0 = *(u8 *)skb[0]\n" + GO_ON, section="socket"),
    ),
    Case("a tail call", "early-end", looping(TAIL_CALL + GO_ON, before=KEEP)),
    Case(
        "samples: a classic load, R0 set before", "accepted",
        draining("r0 = 7\n" + CLASSIC + GO_ON, section="socket", before=KEEP),
    ),
    Case(
        "samples: a tail call, R0 set before", "return-range",
        draining("r0 = 7\n" + TAIL_CALL + GO_ON, before=KEEP),
    ),
    Case(
        "the program itself", "call-depth",
        program(
            "r1 = 1\nr2 = func[main] ll\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 = 0\nexit",
            of_main=Linkage.STATIC,
        ),
    ),
    Case(
        "the program itself, global", "callback",
        program("r1 = 1\nr2 = func[main] ll\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 = 0\nexit"),
    ),
    Case(
        "a function that calls itself", "call-depth",
        looping("r1 = 1\nr2 = func[each] ll\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 = 0\nexit"),
    ),
]  # fmt: skip


def random_program(seed: int) -> ProgramSpec:
    """A loop over a function that changes two words of its caller, and what follows from them."""
    pick = random.Random(seed)

    def statements(base: str, count: int) -> list[str]:
        lines = []
        for _ in range(count):
            at = pick.choice((0, 8))
            size = pick.choice(("u64", "u64", "u32"))
            op = pick.choice(("+=", "-=", "&=", "|=", "^=", ">>=", "="))
            number = pick.choice((0, 1, 1, 2, 3, 7, 15, 16, -1)) if op != ">>=" else 1
            label = f"l{pick.randrange(1 << 30)}"
            match pick.randrange(7):
                case 0:
                    test = pick.choice(("==", "!=", ">", "<", "s>"))
                    lines += [f"r5 = *({size} *)({base} + {at})"]
                    lines += [f"if r5 {test} {number} goto {label}"]
                    lines += [f"*({size} *)({base} + {at}) = {pick.choice((0, 3, 9))}", f"{label}:"]
                case 1:
                    lines += [f"r5 = *({size} *)({base} + {at})"]
                    lines += [f"if r5 > {pick.choice((7, 15, 16))} goto {label}"]
                    lines += ["r4 = global[.data] ll", "r4 += r5", "r5 = *(u8 *)(r4 + 0)"]
                    lines += [f"{label}:"]
                case 2 if pick.random() < 0.5:
                    lines += [f"r5 = *({size} *)({base} + {at})", "r4 = global[.data] ll"]
                    lines += ["r4 += r5", "*(u8 *)(r4 + 0) = 1"]
                case _:
                    lines += [f"r5 = *({size} *)({base} + {at})", f"r5 {op} {number}"]
                    lines += [f"*({size} *)({base} + {at}) = r5"]
        return lines

    body = statements("r2", pick.randint(1, 4))
    body += [pick.choice(("r0 = 0", "r0 = 0", "r0 = 1", "r0 = r1\nr0 &= 1")), "exit"]
    after = ["r2 = r10", "r2 += -16", *statements("r2", pick.randint(1, 3))]
    if pick.random() < 0.3:
        return over_elements("\n".join(["r2 = r4", *body]))
    return looping(
        "\n".join(body),
        pick.choice(("1", "2", "3", "5", "100", "*(u32 *)(r6 + 16)")),
        after="\n".join(after),
    )
