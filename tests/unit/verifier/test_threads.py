"""Verification in several threads at once: one after the other, for numbers are interned."""

from __future__ import annotations

import sys
import threading
import time

import engines

from beebox.verifier.verify import verify

MODULE = sys.modules["beebox.verifier.verify"]


def test_threads_take_turns(monkeypatch):
    explored, inside, most = MODULE._explored, [], []

    def slow(spec, profile, cpus):
        inside.append(1)
        time.sleep(0.01)
        most.append(len(inside))
        inside.pop()
        return explored(spec, profile, cpus)

    monkeypatch.setattr(MODULE, "_explored", slow)
    spec = engines.program("r0 = 1\nexit", {})
    found = []
    threads = [threading.Thread(target=lambda: found.append(verify(spec))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.accepted for report in found] == [True] * 4
    assert most == [1] * 4
