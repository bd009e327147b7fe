"""Packets over time: bins widen, nothing is lost."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from beebox.userspace.observers.rates import BINS, FIRST_WIDTH_NS, Rates


def batch(times_ns, retvals, ran=None):
    times = np.array(times_ns, np.uint64)
    return SimpleNamespace(
        hook=SimpleNamespace(verdict_name=lambda value: f"V{value}"),
        frames=SimpleNamespace(times_ns=times),
        ran=np.ones(len(times), np.bool_) if ran is None else np.array(ran),
        retvals=np.array(retvals, np.uint32),
    )


def total(rates):
    return {
        name: round(float(values.sum()) * rates.width_ns / 1e9)
        for name, values in rates.per_second().items()
    }


def test_packets_are_counted_by_verdict():
    rates = Rates()
    rates.see(batch([5, 6, 7], [1, 2, 1]))
    assert total(rates) == {"V1": 2, "V2": 1}
    assert rates.rows() == [(5e-9, {"V1": 2, "V2": 1})]


def test_bins_widen_and_keep_every_packet():
    rates = Rates()
    start = 1_700_000_000 * 10**9
    times = [start + step * FIRST_WIDTH_NS for step in range(0, 5000, 7)]
    for at in range(0, len(times), 100):
        part = times[at : at + 100]
        rates.see(batch(part, [1] * len(part)))
    assert total(rates) == {"V1": len(times)}
    assert all(len(values) <= BINS for values in rates.per_second().values())
    assert rates.seconds == pytest.approx(5, rel=0.1)


def test_packets_from_before_the_first_count_in_the_first_bin():
    rates = Rates()
    rates.see(batch([10**9], [1]))
    rates.see(batch([0], [1]))
    assert [row for _, row in rates.rows()] == [{"V1": 2}]


def test_the_end_of_time_is_a_bin_like_any_other():
    rates = Rates()
    rates.see(batch([0, (1 << 64) - 1], [1, 1]))
    assert total(rates) == {"V1": 2}


def test_packets_that_did_not_run_do_not_count():
    rates = Rates()
    rates.see(batch([1, 2], [0, 1], ran=[False, True]))
    assert total(rates) == {"V1": 1}
    rates.see(batch([3], [0], ran=[False]))
    assert total(rates) == {"V1": 1}
