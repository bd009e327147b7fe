"""``beebox helpers``, ``kfuncs``, ``program-types``, ``map-types`` and ``insns``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Beebox = Callable[..., Any]
LISTS = {
    "helpers": ("helpers", 211),
    "kfuncs": ("kfuncs", 274),
    "program-types": ("program_types", 32),
    "map-types": ("map_types", 33),
    "insns": ("instructions", 57),
}


@pytest.mark.parametrize("table", LISTS)
def test_a_list_has_every_row(beebox: Beebox, table: str) -> None:
    key, count = LISTS[table]
    done = beebox(table, "-j")
    assert done.status == 0
    assert len(done.json[key]) == count
    text = beebox(table).out.splitlines()
    assert text[0] == f"{count} {key.replace('_', ' ')}"
    assert len(text) == count + 2


@pytest.mark.parametrize("name", ["fib_lookup", "bpf_fib_lookup", "BPF_FUNC_fib_lookup"])
def test_a_helper_by_any_of_its_names(beebox: Beebox, name: str) -> None:
    row = beebox("helpers", name, "-j").json
    assert (row["id"], row["gpl_only"], row["ret"]) == (69, True, "integer")
    assert [arg["name"] for arg in row["args"]] == ["ctx", "params", "plen", "flags"]
    assert row["program_types"] == ["sched_act", "sched_cls", "xdp"]


def test_a_helper_as_a_program_type_sees_it(beebox: Beebox) -> None:
    free = beebox("helpers", "get_cgroup_classid", "--program-type", "xdp", "-j").json
    bound = beebox("helpers", "get_cgroup_classid", "--program-type", "sched_cls", "-j").json
    assert (len(free["args"]), len(bound["args"])) == (0, 1)
    refused = beebox("helpers", "skb_vlan_pop", "--program-type", "xdp")
    assert (refused.status, refused.out) == (2, "")


def test_filters(beebox: Beebox) -> None:
    rows = beebox("helpers", "--program-type", "xdp", "--map-type", "xskmap", "-j").json["helpers"]
    assert [row["name"] for row in rows] == ["map_lookup_elem", "redirect_map"]
    rows = beebox("helpers", "--family", "sockets", "-j").json["helpers"]
    assert {"sk_lookup_tcp", "bind"} <= {row["name"] for row in rows}
    rows = beebox("kfuncs", "--program-type", "xdp", "-j").json["kfuncs"]
    assert all("xdp" in row["program_types"] for row in rows)


def test_an_older_kernel_has_less(beebox: Beebox) -> None:
    old = beebox("helpers", "--kernel-version", "4.9", "-j").json["helpers"]
    assert {row["name"] for row in old} >= {"map_lookup_elem", "csum_diff"}
    assert "fib_lookup" not in {row["name"] for row in old}
    types = beebox("program-types", "--kernel-version=5.10.3-generic", "-j").json["program_types"]
    assert "xdp" in {row["name"] for row in types}
    assert "netfilter" not in {row["name"] for row in types}
    assert "may_goto" not in beebox("insns", "--kernel-version", "6.8").out


def test_a_program_type_with_its_context(beebox: Beebox) -> None:
    row = beebox("program-types", "BPF_PROG_TYPE_SCHED_CLS", "-j").json
    mark = next(field for field in row["context"]["fields"] if field["name"] == "mark")
    assert (mark["offset"], mark["reads"], mark["writes"]) == (8, [1, 2, 4], [4])
    assert row["verdicts"]["SHOT"] == 2
    assert "tc_classid" in beebox("program-types", "sched-cls").out


def test_a_map_type(beebox: Beebox) -> None:
    row = beebox("map-types", "lpm_trie", "-j").json
    assert row["required"] == ["no_prealloc"]
    assert "5 to 260" in beebox("map-types", "lpm_trie").out


def test_an_instruction(beebox: Beebox) -> None:
    row = beebox("insns", "sdiv", "-j").json
    assert (row["since"], row["forms"][0]["assembly"]) == ("6.6", "r1 s/= r2")
    assert row["forms"][0]["bytes"] == "3f 21 01 00 00 00 00 00"


def test_a_kfunc(beebox: Beebox) -> None:
    done = beebox("kfuncs", "bpf_dynptr_from_skb")
    assert done.out.startswith("int bpf_dynptr_from_skb(struct __sk_buff *s, u64 flags,")


@pytest.mark.parametrize(
    ("words", "close"),
    [
        (("helpers", "bpf_fib_lookp"), "fib_lookup"),
        (("program-types", "xpd"), "xdp"),
        (("map-types", "hsh"), "hash"),
        (("insns", "jump"), ""),
        (("kfuncs", "bpf_task_aquire"), "bpf_task_acquire"),
        (("helpers", "--program-type", "sched_cl"), "sched_cls"),
        (("map-types", "--kernel-version", "new"), "6.1"),
    ],
)
def test_unknown_names(beebox: Beebox, words: tuple[str, ...], close: str) -> None:
    done = beebox(*words)
    assert (done.status, done.out) == (2, "")
    assert close in done.err


def test_an_unknown_name_as_json(beebox: Beebox) -> None:
    done = beebox("helpers", "bpf_fib_lookp", "-j")
    assert (done.status, done.json["error"]["kind"]) == (2, "InputError")


@pytest.mark.parametrize(
    ("words", "since"),
    [
        (("helpers", "--kernel-version", "4.17", "bpf_fib_lookup"), "4.18"),
        (("map-types", "--kernel-version", "4.10", "lpm_trie"), "4.11"),
        (("program-types", "--kernel-version", "4.7", "xdp"), "4.8"),
        (("insns", "--kernel-version", "6.8", "may_goto"), "6.9"),
    ],
)
def test_what_a_kernel_does_not_have_yet_is_not_shown(
    beebox: Beebox, words: tuple[str, ...], since: str
) -> None:
    done = beebox(*words)
    assert done.status == 2
    assert since in done.err
    assert beebox(*words[:2], since, words[3]).status == 0
