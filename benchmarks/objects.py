"""Opening a large object: about 1 MB with 30 programs, as clang makes it with debug information.

    python benchmarks/objects.py [--rounds N]

Reads one object again and again in this process: opening it, which decodes no instruction; making
one of its functions, with which the tables of lines and variable names are read; and making all of
them. Then opens it once in fresh processes, where imports count. The object is compiled here:
programs that parse packets, look up maps, call subprograms and read kernel structs by CO-RE.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from beebox.obj import reader

PROGRAMS: Final = 30
FIELDS: Final = 50
STEPS: Final = 16

_HEAD: Final = """
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32;
typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name
struct xdp_md { u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) =
    (void *)2;
char LICENSE[] SEC("license") = "GPL";
"""


def source() -> str:
    """The C text: many types, many maps, ``PROGRAMS`` programs of equal shape."""
    out = [_HEAD]
    for index in range(PROGRAMS):
        fields = " ".join(f"u64 field_{index}_{at};" for at in range(FIELDS))
        out.append(f"struct kernel_{index} {{ {fields} }} __attribute__((preserve_access_index));")
        out.append(f"struct value_{index} {{ u64 packets; u64 bytes; u32 last[{index + 1}]; }};")
        out.append(
            f"struct {{ __uint(type, 1); __uint(max_entries, 64); __type(key, u32);"
            f' __type(value, struct value_{index}); }} map_{index} SEC(".maps");'
        )
        out.append(f"const volatile u32 limit_{index} = {index}; u64 total_{index};")
        out.append(
            f"static __attribute__((noinline)) u64 sum_{index}(struct kernel_{index} *k)"
            "{ u64 sum = 0;"
        )
        out += [f"sum += k->field_{index}_{at} ^ {at};" for at in range(FIELDS)]
        out.append("return sum; }")
        out.append(f'SEC("xdp") int program_{index}(struct xdp_md *ctx) {{')
        out.append("u8 *data = (u8 *)(long)ctx->data; u8 *end = (u8 *)(long)ctx->data_end;")
        out.append("if (data + 256 > end) return 1;")
        for step in range(STEPS):
            out.append(f"{{ u32 key_{step} = data[{step * 7}];")
            out.append(
                f"struct value_{index} *found_{step} ="
                f" bpf_map_lookup_elem(&map_{index}, &key_{step});"
            )
            out.append(f"if (found_{step}) {{ found_{step}->packets += 1;")
            out.append(f"found_{step}->bytes += end - data + limit_{index};")
            out.append(f"total_{index} += found_{step}->bytes; }} else {{")
            out.append(f"struct value_{index} fresh_{step} = {{ 1, data[{step}] }};")
            out.append(f"bpf_map_update_elem(&map_{index}, &key_{step}, &fresh_{step}, 0); }} }}")
        out.append(f"return sum_{index}((void *)(long)ctx->data_meta) > 7; }}")
    return "\n".join(out)


def build() -> bytes:
    """The object of :func:`source`, by the compiler of the package ``ziglang``."""
    command = [sys.executable, "-m", "ziglang", "clang", "-target", "bpfel", "-g", "-O2"]
    return subprocess.run(
        [*command, "-mcpu=v3", "-x", "c", "-c", "-o", "-", "-"],
        input=source().encode(),
        check=True,
        capture_output=True,
    ).stdout


def opened(data: bytes) -> None:
    """Read it, no more."""
    reader.read(data)


def one(data: bytes) -> None:
    """Read it and make the first program: lines and variable names of all come with it."""
    spec = reader.read(data)
    spec.functions[spec.program_names[0]]


def made(data: bytes) -> None:
    """Read it and make every function."""
    dict(reader.read(data).functions)


def timed(work: Callable[[bytes], None], rounds: int, data: bytes) -> list[float]:
    """Milliseconds of each round."""
    found: list[float] = []
    for _ in range(rounds):
        started = time.perf_counter()
        work(data)
        found.append(1000 * (time.perf_counter() - started))
    return found


_FRESH: Final = """
import sys, time
data = open(sys.argv[1], "rb").read()
started = time.perf_counter()
from beebox.obj import reader
imported = time.perf_counter()
reader.read(data)
print(1000 * (imported - started), 1000 * (time.perf_counter() - imported))
"""


def main() -> None:
    """Print what the module's text says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=20)
    rounds: int = parser.parse_args().rounds
    data = build()
    spec = reader.read(data)
    insns = sum(len(row.insns) for row in spec.functions.values())
    print(f"{len(data)} bytes, {len(spec.program_names)} programs, {insns} instructions")
    for what, work in (("opened", opened), ("one function made", one), ("all made", made)):
        found = timed(work, rounds, data)
        print(f"{what}: median {statistics.median(found):.1f} ms, least {min(found):.1f} ms")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.o"
        path.write_bytes(data)
        rows = [
            subprocess.run(
                [sys.executable, "-c", _FRESH, str(path)], check=True, capture_output=True
            ).stdout.split()
            for _ in range(5)
        ]
    imports, opens = (statistics.median(float(row[at]) for row in rows) for at in (0, 1))
    print(f"in a fresh process: imports {imports:.1f} ms, opened {opens:.1f} ms (medians of 5)")


if __name__ == "__main__":
    main()
