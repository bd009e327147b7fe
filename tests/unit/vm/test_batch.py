"""The native loop, on programs that read and that write packets."""

from __future__ import annotations

import ctypes

import engines
import numpy as np
import pytest

from beebox.llvm import native, worker
from beebox.vm.batch import (
    RUN_BATCH,
    XDP_HOOK,
    lower_batch,
    reads_only,
)
from beebox.vm.jit import lower, merge_modules
from beebox.vm.memory import Buffer, Runtime, XdpContext, address_of

HEAD = """
r2 = *(u32 *)(r1 + 0)
r3 = *(u32 *)(r1 + 4)
r4 = r2
r4 += 14
r0 = 1
if r4 > r3 goto out
"""
READ = HEAD + "r0 = *(u16 *)(r2 + 12)\nout:\nexit"
WRITE = HEAD + "r0 = *(u8 *)(r2 + 0)\n*(u8 *)(r2 + 0) = 77\nout:\nexit"
PACKETS = [bytes([n]) * size for n, size in ((1, 14), (2, 13), (3, 100), (4, 0), (5, 1500))]


def linked(text: str) -> native.NativeCode:
    verified = engines.accepted(text, {})
    parts = [lower(verified, maps={}, helpers={}), XDP_HOOK.ir]
    obj = worker.compile_native(merge_modules([*parts, lower_batch(verified)]))
    return native.link(obj, imports={}, exports=[RUN_BATCH])


def run(code: native.NativeCode, runtime: Runtime, *, times=None, outputs=True):
    capture = np.frombuffer(b"".join(PACKETS), dtype=np.uint8).copy()
    before = capture.copy()
    lengths = np.array([len(packet) for packet in PACKETS], dtype=np.uint32)
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.uint64)
    verdicts = np.zeros(len(PACKETS), dtype=np.uint32)
    out_lengths, out_moves = np.zeros_like(lengths), np.ones(len(PACKETS), dtype=np.int32)
    scratch, context = Buffer(4096), XdpContext()
    arrays = [capture, offsets, lengths, verdicts]
    code.function(RUN_BATCH, None, [ctypes.c_int64] + [ctypes.c_void_p] * 10 + [ctypes.c_int64])(
        len(PACKETS),
        *(array.ctypes.data for array in arrays),
        None if times is None else times.ctypes.data,
        address_of(context),
        address_of(runtime),
        scratch.address,
        out_lengths.ctypes.data if outputs else None,
        out_moves.ctypes.data if outputs else None,
        0,
    )
    assert (capture == before).all()
    return verdicts.tolist(), out_lengths.tolist(), out_moves.tolist()


def test_reading_programs_run_in_place():
    runtime = Runtime()
    assert reads_only(engines.accepted(READ, {}))
    with linked(READ) as code:
        verdicts, _, _ = run(code, runtime)
    assert verdicts == [0x0101, 1, 0x0303, 1, 0x0505]


@pytest.mark.parametrize("outputs", [True, False])
def test_writing_programs_get_copies(outputs):
    runtime = Runtime()
    assert not reads_only(engines.accepted(WRITE, {}))
    with linked(WRITE) as code:
        verdicts, lengths, moves = run(code, runtime, outputs=outputs)
    assert verdicts == [1, 1, 3, 1, 5]
    assert (lengths, moves) == (
        ([14, 13, 100, 0, 1500], [0] * 5) if outputs else ([0] * 5, [1] * 5)
    )


def test_the_clock_is_the_captures():
    runtime = Runtime(time_ns=5)
    with linked(READ) as code:
        run(code, runtime)
        assert runtime.time_ns == 5
        run(code, runtime, times=np.array([10, 20, 30, 40, 50], dtype=np.uint64))
        assert runtime.time_ns == 50
