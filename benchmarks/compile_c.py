"""What `beebox compile prog.c` adds to the compiler's own time.

    python benchmarks/compile_c.py [FILE.c]

Runs both in turns, takes minima and asserts nothing. Without FILE: 200 lines written here.
"""

from __future__ import annotations

import os
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


def seconds(command: list[str]) -> float:
    """One run of a command."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


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
        best = dict.fromkeys(rows, 9e9)
        for _ in range(ROUNDS):
            for name, command in rows.items():
                best[name] = min(best[name], seconds(command))
        lines = source.read_text().count("\n")
        print(f"{source.name}: {lines} lines, compiled by {clang[0]}")
        for name, value in best.items():
            print(f"{name:<24}{value * 1e3:7.1f} ms")
        print(f"{'beebox over clang':<24}{(best['beebox compile'] - best['clang']) * 1e3:7.1f} ms")


if __name__ == "__main__":
    main()
