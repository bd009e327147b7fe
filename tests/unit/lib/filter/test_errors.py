"""Expressions that are refused: each with the column at fault."""

import contextlib
import time

import pytest

from beebox.errors import FilterError
from beebox.lib.filter import compile_filter

REFUSED = [
    ("foo", 1),
    ("host example.com", 6),
    ("tcp port", 9),
    ("tcp port 70000", 10),
    ("port 80 and", 12),
    ("(tcp", 1),
    ("tcp)", 4),
    ("tcp and and udp", 9),
    ("tcp[0:3] = 1", 7),
    ("tcp[0 = 1", 7),
    ("ip[0]", 6),
    ("ip[0] =", 8),
    ("ip[0] / 0 = 1", 7),
    ("ip[0] << 40 = 1", 7),
    ("net 10.0.0.1/8", 5),
    ("net 10.0.0.0/33", 14),
    ("net 1.2.3.4.5", 5),
    ("host 1.2.3.999", 6),
    ("host 1.2.3", 6),
    ("host 1::2::3", 6),
    ("ip host 2001:db8::1", 9),
    ("tcp host 10.0.0.1", 10),
    ("ip port 80", 9),
    ("vlan 5000", 6),
    ("ether proto 0x12345", 13),
    ("ether proto 5", 13),
    ("ip proto 256", 10),
    ("pppoes and tcp", 1),
    ("tcp or mpls", 8),
    ("proto nonsense", 7),
    ("ip broadcast", 1),
    ("gateway 10.0.0.1", 1),
    ("less tcp", 6),
    ("ether", 6),
    ("tcp 80", 5),
    ("port 09", 6),
    ("len = 5000000000", 7),
    ("portrange 10", 13),
    ("tcp # udp", 5),
    ("80", 1),
    ("vlan " * 9 + "x", 6),
]


@pytest.mark.parametrize(("text", "column"), REFUSED)
def test_a_refusal_names_its_column(text, column):
    with pytest.raises(FilterError) as refused:
        compile_filter(text)
    assert refused.value.column == column
    assert refused.value.text == text


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "tcp" + ")" * 10_000,
        "not " * 4000 + "tcp",
        "ip[" * 3000,
        "- " * 8000 + "1 = 1",
        "tcp or " * 2300 + "tcp",
        "tcp port 80 or " * 1000 + "tcp",
        "1 + " * 4000 + "1 = 1",
        "ip[0] + (" * 45 + "1" + ")" * 45 + " = 1 or " + "len + " * 499 + "1 = 1",
        "x" * 100_000,
        "1" * 16_000,
    ],
)
def test_long_and_deep_expressions_end_soon(text):
    start = time.monotonic()
    with contextlib.suppress(FilterError):
        compile_filter(text)
    assert time.monotonic() - start < 5
