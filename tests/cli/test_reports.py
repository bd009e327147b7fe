"""What a replay tells beside verdicts: rates, deciding lines, costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

Beebox = Callable[..., Any]
FIREWALL = ("examples/firewall.py", "examples/capture.pcap")


def test_reasons_add_up_to_the_verdicts(beebox: Beebox) -> None:
    told = beebox("replay", "-j", *FIREWALL).json
    counted: Counter[str] = Counter()
    for reason in told["reasons"]:
        counted[reason["verdict"]] += reason["packets"]
        assert reason["source"]
        assert reason["line"] > 0
    assert counted == told["verdicts"]
    assert told["profile"] is None


def test_both_engines_give_the_same_reasons(beebox: Beebox) -> None:
    native = beebox("replay", "-j", *FIREWALL).json
    checked = beebox("replay", "-j", "--engine", "interpreter", *FIREWALL).json
    assert native["reasons"] == checked["reasons"]
    assert native["rates"] == checked["rates"]


def test_rates_add_up_to_the_verdicts(beebox: Beebox) -> None:
    told = beebox("replay", "-j", *FIREWALL).json
    counted: Counter[str] = Counter()
    for step in told["rates"]:
        counted.update(step["verdicts"])
    assert counted == told["verdicts"]
    starts = [step["time"] for step in told["rates"]]
    assert starts == sorted(set(starts))


def test_a_profile_counts_every_instruction_once(beebox: Beebox) -> None:
    told = beebox("replay", "-j", "--profile", *FIREWALL).json
    profile = told["profile"]
    assert profile["packets"] == told["packets"]
    assert sum(line["insns"] for line in profile["lines"]) == profile["insns"]
    costs = [packet["insns"] for packet in profile["slowest"]]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] * profile["packets"] > profile["insns"]
    assert max(line["executions"] for line in profile["lines"]) >= profile["packets"]


def test_reports_for_people(beebox: Beebox) -> None:
    out = beebox("replay", "--profile", *FIREWALL).out
    assert "packets over" in out
    assert "firewall.py:169" in out
    assert "insns/packet" in out


def test_without_reasons_nothing_is_written_down(beebox: Beebox) -> None:
    done = beebox("replay", "-j", "--no-reasons", *FIREWALL)
    assert done.json["reasons"] is None
    assert "decided at" not in beebox("replay", "--no-reasons", *FIREWALL).out


REDIRECTS = """
.license "GPL"
.map devices devmap key=4 value=4 max_entries=4
.section "xdp"
send:
    r1 = map[devices] ll
    r2 = 3
    r3 = 2
    call bpf_redirect_map#51
    exit
"""
TO_DEVICE = """
.license "GPL"
.section "xdp"
send:
    r1 = 7
    r2 = 0
    call bpf_redirect#23
    exit
"""


def test_redirects_are_counted_by_target(beebox: Beebox, tmp_path: Path) -> None:
    source = tmp_path / "redirects.s"
    source.write_text(TO_DEVICE)
    told = beebox("replay", "-j", source, "examples/capture.pcap").json
    assert told["redirects"] == [
        {"ifindex": 7, "map": None, "key": None, "how": None, "packets": told["packets"]}
    ]
    assert "device 7" in beebox("replay", source, "examples/capture.pcap").out


def test_a_missing_target_is_no_redirect(beebox: Beebox, tmp_path: Path) -> None:
    source = tmp_path / "missing.s"
    source.write_text(REDIRECTS)
    told = beebox("replay", "-j", source, "examples/capture.pcap").json
    assert told["verdicts"] == {"PASS": told["packets"]}
    assert told["redirects"] == []
