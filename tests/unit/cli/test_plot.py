"""Plots as text: scale, shape, and what must never be lost."""

from __future__ import annotations

import pytest

from beebox.cli.plot import quantity, rates, resampled, sparkline


def test_a_sparkline_has_a_character_per_value():
    assert sparkline([0, 4, 8], 8) == " ▄█"


def test_small_is_not_nothing():
    assert sparkline([0, 0.001, 1000], 1000) == " ▁█"


def test_without_a_peak_all_is_empty():
    assert sparkline([0, 0], 0) == "  "


def test_resampling_keeps_the_mean():
    values = [float(number) for number in range(128)]
    short = resampled(values, 64)
    assert len(short) == 64
    assert sum(short) / 64 == pytest.approx(sum(values) / 128)
    assert resampled([1.0, 2.0], 64) == [1.0, 2.0]


def test_all_rows_share_one_scale():
    lines = rates({"PASS": [10.0, 10.0], "DROP": [5.0, 0.0]}, 2.0, "packets")
    assert lines[0] == "packets over 2 s, up to 10/s"
    assert lines[1].split("|")[1] in {"██", "@@"}
    assert lines[2].split("|")[1] in {"▄ ", "= "}


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (950, "950"), (12_345, "12.3k"), (4.56e6, "4.56M"), (2e9, "2G")]
)
def test_quantities_are_short(value, text):
    assert quantity(value) == text
