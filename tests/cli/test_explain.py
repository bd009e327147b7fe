"""``beebox explain`` and ``beebox verify`` for rejections: what they print and how they exit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Beebox = Callable[..., Any]

LOGS = "tests/data/kernel_logs"
FINDING = {
    "code", "category", "insn", "file", "line", "path", "missing", "hint", "kernel_message",
    "program", "insns_processed",
}  # fmt: skip
C = """
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
char _license[] SEC("license") = "GPL";
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64[4]);
} counts SEC(".maps");
SEC("xdp")
int index_of(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex;
	__u64 *value = bpf_map_lookup_elem(&counts, &key);
	if (!value)
		return XDP_PASS;
	__u32 queue = ctx->rx_queue_index;
	if (queue > 4)
		return XDP_DROP;
	value[queue] += 1;
	return XDP_PASS;
}
"""


def test_a_log_is_read_in_both_notations(beebox: Beebox) -> None:
    for name in ("5.15", "6.18"):
        done = beebox("explain", "-j", f"{LOGS}/{name}.txt")
        assert done.status == 0
        assert done.json["verdict"] == "rejected"
        finding = done.json["finding"]
        assert set(finding) == FINDING
        assert (finding["code"], finding["insn"]) == ("map-value-bounds", 13)
        assert done.json["same"] is None


def test_a_log_on_standard_input_for_people(beebox: Beebox, repository: Path) -> None:
    done = beebox("explain", "-", data=(repository / LOGS / "6.18.txt").read_bytes())
    assert done.status == 0
    assert "[map-value-bounds]" in done.out
    assert "ranges.c:67" in done.out
    assert "\x1b[" not in done.out


def test_what_is_no_log_is_wrong_use(beebox: Beebox, tmp_path: Path) -> None:
    path = tmp_path / "none.log"
    path.write_text("hello\n")
    assert beebox("explain", path).status == 2
    assert beebox("explain", tmp_path / "missing.log").status == 2


def test_the_object_at_hand_gives_the_whole_explanation(beebox: Beebox, tmp_path: Path) -> None:
    source = tmp_path / "ranges.c"
    source.write_text(C)
    rejected = beebox("verify", "-j", source)
    assert rejected.status == 1
    (program,) = rejected.json["programs"]
    (finding,) = program["findings"]
    assert finding["code"] == "map-value-bounds"
    assert finding["counterexample"]["outcome"] == "found"
    assert finding["counterexample"]["context"] == {"rx_queue_index": 4}
    assert finding["suggestions"][0]["accepted"]
    verbose = beebox("verify", "-v", source)
    log = tmp_path / "our.log"
    log.write_text(verbose.out.partition("error: ")[0])
    done = beebox("explain", "-j", log, f"{source}:index_of")
    assert done.status == 0, done.err
    assert done.json["same"] is True
    assert done.json["beebox"]["line"] == finding["line"]
    other = beebox("explain", log, "examples/count.py")
    assert other.status == 2
    assert "no program with the instructions" in other.err
