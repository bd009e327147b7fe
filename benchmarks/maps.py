"""ns per map operation from a program, beside Linux's JIT running the same object.

Each run of a program does 32 operations, one after the other, on keys of a pseudo-random sequence
that goes on from run to run (its state is in an array), so that neither kernel meets the same key
twice in a row. Both run it by BPF_PROG_TEST_RUN with `repeat`, in turns; minima are shown, less
those of the same program without the operation (rows `loop`). The last column says how much the
rounds of either side differed (median over minimum). Without the right to use bpf(2) our side
stands alone.

    .venv/bin/python benchmarks/maps.py [--rounds N] [--only WORD]
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
from dataclasses import dataclass

from beebox.backend import Map
from beebox.linux.features import why_not
from beebox.linux.kernel import LinuxKernel
from beebox.linux.objects import possible_cpus
from beebox.obj.assembly.source import read_assembly
from beebox.userspace.kernel import UserspaceKernel

ENTRIES = 8192
OPERATIONS = 32
REPEAT = 2000
FRAME = bytes(64)
NOWHERE = float("inf")

KEYS = {  # from the number in r1 to a key at r10 - 32
    4: "*(u32 *)(r10 - 32) = r1\n",
    16: "*(u64 *)(r10 - 32) = r1\n*(u64 *)(r10 - 24) = r1\n",
    "ipv4": """
    w1 *= -1640531535
    *(u32 *)(r10 - 32) = 32
    w1 &= 0xffffff
    r2 = r7
    r2 >>= 20
    w2 <<= 24
    w1 |= w2
    *(u32 *)(r10 - 28) = r1
""",
    "ipv6": """
    w1 *= -1640531535
    *(u32 *)(r10 - 32) = 128
    *(u32 *)(r10 - 28) = 32
    *(u32 *)(r10 - 24) = r1
    *(u32 *)(r10 - 20) = r7
    *(u64 *)(r10 - 16) = r7
""",
    0: "*(u64 *)(r10 - 32) = r1\n",  # no key: the number is the value
}
ADDRESS = "r1 = map[m] ll\nr2 = r10\nr2 += -32\n"
VALUE = "r3 = r10\nr3 += -40\nr4 = 0\n"
READ = "if r0 == 0 goto next\nr1 = *(u64 *)(r0 + 0)\nr9 += r1\n"
LOOKUP = ADDRESS + "call 1\n" + READ
UPDATE = ADDRESS + VALUE + "call 2\nr9 += r0\n"
RENEW = UPDATE + ADDRESS + "call 3\nr9 += r0\n"
PUSH_POP = ADDRESS + "r3 = 0\ncall 87\n" + ADDRESS + "call 88\nr9 += r0\n"
OTHER = f"r1 += {ENTRIES}\n"  # a number that the map does not have
INSIDE = (
    "*(u32 *)(r10 - 36) = 1\n"
    "r1 = map[m] ll\nr2 = r10\nr2 += -36\ncall 1\nif r0 == 0 goto next\n"
    "r1 = r0\nr2 = r10\nr2 += -32\ncall 1\n" + READ
)
REDIRECT = "r1 = map[m] ll\nr2 = *(u32 *)(r10 - 32)\nr2 &= 63\nr3 = 2\ncall 51\nr9 += r0\n"


@dataclass(frozen=True)
class Row:
    """An operation on a map."""

    label: str
    maps: str  # in assembly, with "m" the map
    key: int | str
    operation: str
    fill: str = "m"  # the map to fill first, if any
    before: str = ""  # what changes r1 before it becomes a key


SIZE = f"value=8 max_entries={ENTRIES}"
LPM = f"{SIZE} flags=1"
INNER = f".inner m {{0}} {SIZE}\n.map i {{0}} {SIZE}\n.slot m 1 i"
ROWS = [
    Row("hash lookup, 4-byte key", f".map m hash key=4 {SIZE}", 4, LOOKUP),
    Row("hash lookup, 16-byte key", f".map m hash key=16 {SIZE}", 16, LOOKUP),
    Row("hash lookup, missing key", f".map m hash key=4 {SIZE}", 4, LOOKUP, before=OTHER),
    Row("hash update of existing", f".map m hash key=4 {SIZE}", 4, UPDATE),
    Row("hash insert and delete", f".map m hash key=4 {SIZE}", 4, RENEW, fill=""),
    Row("percpu_hash lookup", f".map m percpu_hash key=4 {SIZE}", 4, LOOKUP),
    Row("lru_hash lookup, 4-byte key", f".map m lru_hash key=4 {SIZE}", 4, LOOKUP),
    Row("lru_hash lookup, 16-byte key", f".map m lru_hash key=16 {SIZE}", 16, LOOKUP),
    Row("lru_hash update of existing", f".map m lru_hash key=4 {SIZE}", 4, UPDATE),
    Row("lru_hash insert that evicts", f".map m lru_hash key=4 {SIZE}", 4, UPDATE,
        before="r1 = r7\nr1 >>= 24\n"),
    Row("lpm_trie lookup, IPv4", f".map m lpm_trie key=8 {LPM}", "ipv4", LOOKUP),
    Row("lpm_trie lookup, IPv6", f".map m lpm_trie key=20 {LPM}", "ipv6", LOOKUP),
    Row("lpm_trie update of existing", f".map m lpm_trie key=8 {LPM}", "ipv4", UPDATE),
    Row("array lookup", f".map m array {SIZE}", 4, LOOKUP),
    Row("percpu_array lookup", f".map m percpu_array {SIZE}", 4, LOOKUP),
    Row("queue push and pop", f".map m queue {SIZE}", 0, PUSH_POP, fill=""),
    Row("stack push and pop", f".map m stack {SIZE}", 0, PUSH_POP, fill=""),
    Row("bloom_filter peek, present", f".map m bloom_filter {SIZE}", 0,
        ADDRESS + "call 89\nr9 += r0\n"),
    Row("bloom_filter peek, absent", f".map m bloom_filter {SIZE}", 0,
        ADDRESS + "call 89\nr9 += r0\n", before=OTHER),
    Row("array_of_maps, array inside", ".map m array_of_maps max_entries=4\n"
        + INNER.format("array"), 4, INSIDE, fill="i"),
    Row("hash_of_maps, hash inside", ".map m hash_of_maps key=4 max_entries=4\n"
        + INNER.format("hash key=4"), 4, INSIDE, fill="i"),
    Row("devmap redirect_map", ".map m devmap value=4 max_entries=64", 4, REDIRECT, fill=""),
]  # fmt: skip

LOOP = """
.license "GPL"
.map state array value=8 max_entries=1
{maps}
.section "xdp"
main:
    *(u32 *)(r10 - 4) = 0
    *(u64 *)(r10 - 40) = 5
    r1 = map[state] ll
    r2 = r10
    r2 += -4
    call 1
    if r0 == 0 goto done
    r6 = r0
    r7 = *(u64 *)(r6 + 0)
    r8 = 0
    r9 = 0
again:
    r1 = 6364136223846793005 ll
    r7 *= r1
    r1 = 1442695040888963407 ll
    r7 += r1
    r1 = r7
    r1 >>= 40
    r1 &= {mask}
    r9 += r1
    {before}
    {key}
    {operation}
next:
    r8 += 1
    if r8 < {operations} goto again
    r7 += r9
    *(u64 *)(r6 + 0) = r7
done:
    r0 = 2
    exit
"""

TAIL_CALL = """
.license "GPL"
.map m prog_array max_entries=4
.slot m 2 again
.section "xdp"
main:
    r2 = map[m] ll
    r3 = {index}
    call 12
    r0 = 1
    exit
again:
    r2 = map[m] ll
    r3 = 2
    call 12
    r0 = 2
    exit
"""
TAIL_CALLS = 33  # as many as a run may make


def program(maps: str, key: int | str, operation: str = "", before: str = "") -> str:
    """The loop over one operation."""
    return LOOP.format(
        maps=maps,
        mask=ENTRIES - 1,
        before=before,
        key=KEYS[key],
        operation=operation,
        operations=OPERATIONS,
    )


def key_of(index: int, key: int | str, source: random.Random) -> bytes:
    """The key that the program makes of a number; of an LPM trie a prefix that covers it."""
    spread = (index * 2654435761 & 0xFFFFFFFF).to_bytes(4, "little")
    if key == "ipv4":
        length = source.choices([16, 20, 22, 24], [1, 2, 3, 10])[0]
        return length.to_bytes(4, "little") + spread
    if key == "ipv6":
        length = source.choices([40, 48, 56, 64], [1, 4, 1, 10])[0]
        return length.to_bytes(4, "little") + (32).to_bytes(4, "little") + spread + bytes(8)
    assert isinstance(key, int)
    return (index.to_bytes(8, "little") * 2)[:key]


def populate(live: Map, key: int | str, cpus: int) -> None:
    """Put every number in."""
    source = random.Random(1)
    if not live.spec.type.value.user_ops.LOOKUP & live.spec.type.value.user_ops:
        for index in range(ENTRIES):
            live.push(index.to_bytes(8, "little"))
        return
    slots = cpus if live.spec.type.value.per_cpu else 1
    items = {key_of(index, key, source): bytes(8 * slots) for index in range(ENTRIES)}
    live.update_batch(list(items.items()))


def measure(
    text: str, key: int | str, fill: str, rounds: int, operations: int = OPERATIONS
) -> tuple[float, float, float]:
    """Minimal ns per operation here and on Linux, and how much the rounds differed."""
    spec = read_assembly(text)
    ours: list[float] = []
    theirs: list[float] = []
    linux = LinuxKernel().load(spec) if why_not() is None else None
    with UserspaceKernel().load(spec) as loaded:
        if fill:
            populate(loaded.maps[fill], key, 1)
            if linux is not None:
                populate(linux.maps[fill], key, possible_cpus())
        for _ in range(rounds):
            run = loaded.programs["main"].test_run(FRAME, repeat=REPEAT)
            ours.append(run.duration_ns / operations)
            if linux is not None:
                run = linux.programs["main"].test_run(FRAME, repeat=REPEAT)
                theirs.append(run.duration_ns / operations)
    if linux is not None:
        linux.close()
    spread = max(statistics.median(times) / min(times) for times in (ours, theirs or ours))
    return min(ours), min(theirs, default=NOWHERE), spread


def show(label: str, ours: float, theirs: float, spread: float) -> None:
    """One line of the table."""
    ratio = f"{theirs / ours:6.1f}x" if ours > 0.05 else "     -"
    print(f"{label:30} {ours:7.2f} {theirs:7.1f} {ratio} {spread:7.2f}", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", default="", help="rows whose label has this word")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{ENTRIES} entries; load average {load:.1f} on {os.cpu_count()} CPUs")
    print(f"{'operation':30} {'ns':>7} {'linux':>7} {'ratio':>7} {'noise':>7}")
    base: dict[int | str, tuple[float, float]] = {}
    for key in KEYS:
        here, there, spread = measure(program("", key), key, "", options.rounds)
        base[key] = here, there
        show(f"loop, key {key}", here, there, spread)
    for row in ROWS:
        if options.only not in row.label:
            continue
        text = program(row.maps, row.key, row.operation, row.before)
        here, there, spread = measure(text, row.key, row.fill, options.rounds)
        less = base[row.key]
        show(row.label, here - less[0], there - less[1], spread)
    if options.only in "tail call":
        none = measure(TAIL_CALL.format(index=1), 0, "", options.rounds, TAIL_CALLS)
        here, there, spread = measure(TAIL_CALL.format(index=2), 0, "", options.rounds, TAIL_CALLS)
        show("tail call", here - none[0], there - none[1], spread)


if __name__ == "__main__":
    main()
