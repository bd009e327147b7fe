"""``--set MAP[KEY]=VALUE``: maps filled from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Beebox = Callable[..., Any]
ACL = ("examples/lpm_acl.py", "examples/capture.pcap")
LOOKUP = """
.license "GPL"
.map table percpu_hash key=4 value=4 max_entries=8
.section "xdp"
look:
    *(u32 *)(r10 - 4) = 7
    r1 = map[table] ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem#1
    if r0 == 0 goto none
    r0 = *(u32 *)(r0 + 0)
    exit
none:
    r0 = 0
    exit
"""


def test_a_prefix_and_a_struct(beebox: Beebox) -> None:
    told = beebox("replay", "-j", "--set", 'rules[203.0.113.0/24]={"action": 1}', *ACL).json
    (rule,) = told["maps"]["rules"]
    assert rule["value"]["packets"] == told["verdicts"]["DROP"] > 100


@pytest.mark.parametrize("key", ["7", "0x7", "hex 07 00 00 00"])
@pytest.mark.parametrize("kernel", ["userspace", pytest.param("linux", marks=pytest.mark.linux)])
def test_numbers_and_bytes(
    beebox: Beebox, tmp_path: Path, packet: Path, key: str, kernel: str
) -> None:
    source = tmp_path / "look.s"
    source.write_text(LOOKUP)
    words = ["prog", "run", "-j", source, "data_in", packet, "--kernel", kernel]
    assert beebox(*words).json["retval"] == 0
    assert beebox(*words, "--set", f"table[{key}]=3").json["retval"] == 3


@pytest.mark.parametrize(
    "knob",
    [
        "nothing[1]=1",
        "rules[203.0.113.0/24]=5",
        'rules[203.0.113.0/24]={"colour": 1}',
        "rules[2001:db8::/32]=1",
        "rules[203.0.113.0/33]={}",
        "rules[hex 00]={}",
        'rules[203.0.113.0/24]={"action": 4294967296}',
    ],
)
def test_what_does_not_fit_is_refused_with_its_text(beebox: Beebox, knob: str) -> None:
    done = beebox("replay", "--set", knob, *ACL)
    assert done.status == 2
    assert knob in done.err
