"""Which CPU a run gets; programs in threads are in ``tests/backend/test_calls.py``."""

from __future__ import annotations

import ctypes
import threading

import pytest

from beebox.errors import InputError
from beebox.userspace.cpus import Cpus


def busy(cpus: Cpus) -> int:
    return ctypes.c_uint32.from_address(cpus.busy_address).value


def test_the_lowest_free_one_is_taken_and_given_back():
    cpus = Cpus(3)
    assert busy(cpus) == 0
    with cpus.taken() as first:
        assert (first, busy(cpus)) == (0, 1)
        with cpus.taken() as second, cpus.taken() as third:
            assert (second, third) == (1, 2)
        with pytest.raises(KeyError), cpus.taken():
            raise KeyError
        with cpus.taken() as again:
            assert again == 1
    assert busy(cpus) == 0


def test_a_thread_that_would_wait_for_itself_is_told():
    cpus = Cpus(2)
    with cpus.taken():
        with pytest.raises(InputError), cpus.taken(first=True):
            pass
        with cpus.taken(), pytest.raises(InputError), cpus.taken():
            pass


def test_others_wait_for_their_turn():
    cpus, order = Cpus(1), []

    def run(name: str) -> None:
        with cpus.taken(first=True):
            order.append(name)

    with cpus.taken():
        threads = [threading.Thread(target=run, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        threads[0].join(timeout=0.02)
        assert order == []
    for thread in threads:
        thread.join()
    assert sorted(order) == ["a", "b", "c"]
