"""Random operations of user space on map types of random sizes, here and on Linux, for a while.

``python fuzz/maps.py --seconds 60`` prints each operation whose result or errno differs; a bug
found becomes a case in ``tests/backend``. Keys of an LRU stay below its capacity, where both are
exact.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from beebox.backend import Map
from beebox.errors import MapError, SyscallError
from beebox.linux.features import why_not
from beebox.linux.kernel import LinuxKernel
from beebox.linux.objects import possible_cpus
from beebox.maps.view import LiveMap
from beebox.obj.model import MapSpec, ObjectSpec
from beebox.tables.map_types import MapFlags, MapOp, MapType, UpdateFlags

KEYED = (
    MapType.HASH,
    MapType.PERCPU_HASH,
    MapType.LRU_HASH,
    MapType.LRU_PERCPU_HASH,
    MapType.LPM_TRIE,
    MapType.ARRAY,
    MapType.PERCPU_ARRAY,
)
RINGS = (MapType.QUEUE, MapType.STACK)
STEPS = 400


def random_spec(source: random.Random) -> MapSpec:
    """A map that can be."""
    kind = source.choice((*KEYED, *RINGS))
    row = kind.value
    key = row.key_size if row.key_size is not None else source.randrange(1, 24)
    spec = MapSpec("m", kind, key, source.randrange(1, 40), source.randrange(1, 40))
    if kind is MapType.LPM_TRIE:
        return replace(spec, key_size=4 + source.randrange(1, 20), flags=MapFlags.NO_PREALLOC)
    if row.lru:
        return replace(spec, max_entries=512)
    return spec


def random_keys(spec: MapSpec, source: random.Random) -> list[bytes]:
    """Few keys, so that they meet again."""
    count = source.randrange(2, 60)
    if spec.key_size == 0:
        return [b""]
    if spec.type in {MapType.ARRAY, MapType.PERCPU_ARRAY}:
        return [source.randrange(45).to_bytes(4, "little") for _ in range(count)]
    if spec.type is not MapType.LPM_TRIE:
        return [source.randbytes(spec.key_size) for _ in range(count)]
    size = spec.key_size - 4
    base = int.from_bytes(source.randbytes(size), "big")
    keys = []
    for _ in range(count):
        low = source.getrandbits(8 * size) & ((1 << source.randrange(8 * size + 1)) - 1)
        length = source.randrange(8 * size + 2)
        keys.append(length.to_bytes(4, "little") + (base ^ low).to_bytes(size, "big"))
    return keys


def outcome(action: Callable[..., Any], *arguments: Any) -> Any:
    """What an operation gives: a value, or the kind of error and its errno."""
    try:
        return action(*arguments)
    except MapError as error:
        return type(error).__name__, error.errno


def operation(
    spec: MapSpec, source: random.Random, keys: list[bytes]
) -> tuple[str, tuple[Any, ...]]:
    """A method of a map and its arguments."""
    row = spec.type.value
    slots = possible_cpus() if row.per_cpu else 1
    width = (spec.value_size + 7) // 8 * 8 if row.per_cpu else spec.value_size
    value = source.randbytes(spec.value_size).ljust(width, b"\0") * slots
    flags = UpdateFlags(source.choice([0, 0, 0, 0, 1, 2, 3, 4, 5, 8]))
    if row.user_ops & MapOp.POP:
        choices: list[tuple[str, tuple[Any, ...]]] = [
            ("push", (value, flags)), ("push", (value, flags)), ("pop", ()), ("peek", ()),
        ]  # fmt: skip
        return source.choice(choices)
    key = source.choice(keys)
    choices = [("update", (key, value, flags))] * 3
    choices += [("delete", (key,)), ("lookup", (key,)), ("lookup_and_delete", (key,))]
    if spec.type is MapType.LPM_TRIE:
        choices.append(("next_key", (key,)))
    return source.choice(choices)


def compare(seed: int) -> list[str]:
    """The differences of one random map's life."""
    source = random.Random(seed)
    spec = random_spec(source)
    keys = random_keys(spec, source)
    found: list[str] = []
    try:
        linux = LinuxKernel().load(ObjectSpec({}, {"m": spec}))
    except SyscallError as error:
        return [f"seed {seed}: {spec}: {error}"]
    with linux, LiveMap(spec, cpus=possible_cpus()) as ours:
        theirs: Map = linux.maps["m"]
        for step in range(STEPS):
            name, arguments = operation(spec, source, keys)
            here, there = (outcome(getattr(each, name), *arguments) for each in (ours, theirs))
            if here != there:
                found.append(f"seed {seed}, step {step}: {name}{arguments}: {here}, Linux {there}")
        if spec.key_size and sorted(ours.items()) != sorted(theirs.items()):
            found.append(f"seed {seed}: other contents")
    return found


def main() -> None:
    """Fuzz for ``--seconds``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    reason = why_not()
    if reason is not None:
        sys.exit(f"this needs Linux's maps: {reason}")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # LRU lists of Linux are per CPU
    end = time.monotonic() + options.seconds
    seed, differences = options.seed, 0
    while time.monotonic() < end:
        for line in compare(seed):
            print(line)
            differences += 1
        seed += 1
    print(f"{seed - options.seed} maps, {differences} differences")
    sys.exit(differences > 0)


if __name__ == "__main__":
    main()
