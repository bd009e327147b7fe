"""What `beebox compile prog.c` adds to the compiler's own time.

    python benchmarks/compile_c.py [FILE.c]

Runs both in turns, takes minima and asserts nothing. Without FILE: 200 lines written here.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from beebox.clang import process
from beebox.clang.run import compile_c

ROUNDS = 25
BLOCK = """
struct {{
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
}} map_{0} SEC(".maps");

SEC("xdp") int program_{0}(struct xdp_md *ctx)
{{
	__u32 key = {0};
	__u64 *value = bpf_map_lookup_elem(&map_{0}, &key);
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if (data + sizeof(*eth) > end)
		return XDP_DROP;
	if (value && eth->h_proto == bpf_htons(ETH_P_IP))
		*value += end - data;
	return XDP_PASS;
}}
"""
HEAD = """#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
char LICENSE[] SEC("license") = "GPL";
"""


def seconds(command: list[str]) -> tuple[float, float]:
    """One run of a command: by the clock, and of processors (its children included)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    took = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, used


def clang_command(source: Path) -> list[str]:
    """How beebox starts the compiler for this source."""
    seen: list[list[str]] = []
    real = process.run

    def note(command: list[str], **_: float) -> process.Ended:
        seen.append(list(command))
        return real(command)

    process.run = note  # type: ignore[assignment]
    compile_c(source)
    process.run = real
    return seen[0]


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 1:
            source = Path(sys.argv[1])
        else:
            source = Path(folder, "lines.c")
            source.write_text(HEAD + "".join(BLOCK.format(n) for n in range(9)))
        target = os.path.join(folder, "out.o")  # noqa: PTH118 -- a word of a command
        clang = [*clang_command(source)[:-1], target]
        ours = [sys.executable, "-m", "beebox", "compile", str(source), "-o", target]
        python = [sys.executable, "-c", "pass"]
        rows = {"clang": clang, "beebox compile": ours, "python alone": python}
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
        for _ in range(ROUNDS):
            for name, command in rows.items():
                runs[name].append(seconds(command))
        best = {
            name: [min(column) * 1e3 for column in zip(*each, strict=True)]
            for name, each in runs.items()
        }
        pairs = zip(best["beebox compile"], best["clang"], strict=True)
        best["beebox over clang"] = [ours - theirs for ours, theirs in pairs]
        lines = source.read_text().count("\n")
        print(f"{source.name}: {lines} lines, compiled by {clang[0]}")
        print(f"{'ms':<24}{'clock':>8}{'cpu':>8}")
        for name, (clock, cpu) in best.items():
            print(f"{name:<24}{clock:8.1f}{cpu:8.1f}")


if __name__ == "__main__":
    main()
