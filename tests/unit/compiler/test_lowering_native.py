"""The native lowering: sources in the dialect, linked and called, against Python's integers."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from beebox.compiler import frontend, ir, native
from beebox.compiler.intrinsics import INTRINSICS
from beebox.errors import InternalError
from beebox.llvm import native as linker
from beebox.llvm import worker

NAMES = ["cold", "constant", "export", "inline", "ptr", "u8", "u16", "u32", "u64", "i64"]
NAMES += [name for name in INTRINSICS if name not in {"offset", "distance"}]  # spelled + and -
HEAD = f"from beebox.compiler.dialect import {', '.join(NAMES)}\n"

U64 = ctypes.c_uint64
PTR = ctypes.c_void_p


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., linker.NativeCode]:
    """Compile and link a source; every exported function under the prefix ``m_``."""

    def make(source: str, *, storage: int = 0, **constants: int) -> linker.NativeCode:
        path = tmp_path / "source.py"
        path.write_text(HEAD + source)
        made = frontend.analyze_native(path, constants=constants)
        exports = [f"m_{function.name}" for function in made.functions if function.exported]
        obj = worker.compile_native(native.lower(made, prefix="m_"))
        return linker.link(obj, imports={"m_storage": storage or 1}, exports=exports)

    return make


def test_calls_loops_and_compile_time_constants(build: Callable[..., linker.NativeCode]) -> None:
    code = build(
        """
START = constant("START")
@inline
def square(n: u64) -> u64:
    return n * n
@cold
def cube(n: u64) -> u64:
    return n * square(n)
@export
def total(n: u64) -> u64:
    result = u64(START)
    i = u64(0)
    while True:
        if i >= n:
            break
        i += 1
        if i % 2 == 0:
            continue
        result += cube(i)
    return result
""",
        START=1000,
    )
    total = code.function("m_total", U64, [U64])
    assert total(10) == 1000 + sum(n**3 for n in range(1, 11, 2))


def test_memory_is_read_and_written_at_any_alignment(
    build: Callable[..., linker.NativeCode],
) -> None:
    code = build(
        """
@export
def work(p: ptr) -> u64:
    store_u32(p + 1, 0x11223344)
    store_u16(p + 5, 0x5566)
    store_u8(p + 7, 0x77)
    copy(p + 16, p, 8)
    zero(p, 4)
    return load_u64(p + 17) + ((p + 9) - p)
"""
    )
    memory = ctypes.create_string_buffer(32)
    result = code.function("m_work", U64, [PTR])(ctypes.addressof(memory))
    image = b"\0\x44\x33\x22\x11\x66\x55\x77"
    assert memory.raw[:8] == bytes(4) + image[4:]
    assert memory.raw[16:24] == image
    assert result == int.from_bytes(memory.raw[17:25], "little") + 9


def test_storage_is_what_the_linker_was_given(build: Callable[..., linker.NativeCode]) -> None:
    memory = ctypes.create_string_buffer(b"\x2a" + bytes(7), 8)
    code = build(
        "@export\ndef first() -> u64:\n    return load_u64(storage())\n",
        storage=ctypes.addressof(memory),
    )
    assert code.function("m_first", U64, [])() == 42


@pytest.mark.parametrize("order", ["relaxed", "acquire", "release", "acq_rel"])
def test_read_modify_write(build: Callable[..., linker.NativeCode], order: str) -> None:
    code = build(
        f"""
@export
def work(p: ptr) -> u64:
    a = u64(add_u32_{order}(p, 5))
    b = u64(xchg_u32_{order}(p, 100))
    c = u64(cmpxchg_u32_{order}(p, 1, 2))
    d = u64(cmpxchg_u32_{order}(p, 100, 7))
    return a | b << 8 | c << 16 | d << 24
"""
    )
    memory = ctypes.c_uint32(3)
    result = code.function("m_work", U64, [PTR])(ctypes.addressof(memory))
    assert result.to_bytes(4, "little") == bytes([3, 8, 100, 100])
    assert memory.value == 7


def test_atomic_orders_reach_llvm(tmp_path: Path) -> None:
    path = tmp_path / "source.py"
    path.write_text(
        HEAD
        + """
@export
def work(p: ptr) -> u32:
    store_u32_release(p, 1)
    fence_acquire()
    prefetch(p)
    pause()
    if unlikely(load_u32_relaxed(p) == 0):
        return 0
    return load_u32_acquire(p)
"""
    )
    text = native.lower(frontend.analyze_native(path, constants={}), prefix="m_")
    for words in (
        "store atomic i32 1, ptr",
        "release, align 4",
        "fence acquire",
        "monotonic, align 4",
        "acquire, align 4",
        "@llvm.prefetch",
        "@llvm.expect.i1",
    ):
        assert words in text
    assert worker.compile_native(text)


def test_adds_from_threads_are_not_lost(build: Callable[..., linker.NativeCode]) -> None:
    code = build(
        """
@export
def work(p: ptr, n: u64) -> None:
    for _ in range(n):
        add_u64_relaxed(p, 1)
"""
    )
    work, memory = code.function("m_work", None, [PTR, U64]), ctypes.c_uint64(0)
    arguments = ctypes.addressof(memory), 300_000
    threads = [threading.Thread(target=work, args=arguments) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory.value == 600_000


def test_division_is_bpfs(build: Callable[..., linker.NativeCode]) -> None:
    code = build(
        """
@export
def divide(a: u64, b: u64) -> u64:
    return a // b
@export
def modulo(a: u64, b: u64) -> u64:
    return a % b
"""
    )
    divide, modulo = (code.function(f"m_{name}", U64, [U64, U64]) for name in ("divide", "modulo"))
    assert (divide(7, 2), divide(7, 0)) == (3, 0)
    assert (modulo(7, 4), modulo(7, 0)) == (3, 7)


AT = ir.Span("made.py", 1, 1, 2)


def range_module(type_: ir.IntType, step: int) -> ir.Module:
    """``def count(start, stop): n = 0; for i in range(start, stop, step): n += 1; return n``."""
    counter = ir.LocalPlace("n", ir.IntType(64, signed=False), AT)
    one = ir.Const(1, counter.type, AT)
    add = ir.Binary(ir.BinaryOp.ADD, ir.Read(counter, counter.type, AT), one, counter.type, AT)
    bounds = [ir.Read(ir.LocalPlace(name, type_, AT), type_, AT) for name in ("start", "stop")]
    loop = ir.ForRange("i", type_, *bounds, step, (ir.Assign(counter, add, AT),), AT)
    body = (
        ir.Assign(counter, ir.Const(0, counter.type, AT), AT),
        loop,
        ir.Return(ir.Read(counter, counter.type, AT), AT),
    )
    params = (ir.Param("start", type_, AT), ir.Param("stop", type_, AT))
    names = (ir.Local("n", counter.type, AT), ir.Local("i", type_, AT))
    function = ir.Function("count", params, counter.type, names, body, AT, exported=True)
    return ir.Module("made.py", (function,))


@pytest.mark.parametrize("step", [1, 2, 3, 100, 127, -1, -2, -3, -100, -128])
@pytest.mark.parametrize("signed", [False, True])
def test_ranges_count_as_pythons_to_the_ends_of_their_type(step: int, signed: bool) -> None:
    type_ = ir.IntType(8, signed=signed)
    obj = worker.compile_native(native.lower(range_module(type_, step), prefix=""))
    code = linker.link(obj, imports={"storage": 1}, exports=["count"])
    ctype = ctypes.c_int8 if signed else ctypes.c_uint8
    count = code.function("count", U64, [ctype, ctype])
    low, high = (-128, 127) if signed else (0, 255)
    edges = [low, low + 1, low + 2, 0, 1, 100, high - 2, high - 1, high]
    for start in edges:
        for stop in edges:
            assert count(start, stop) == len(range(start, stop, step)), (start, stop)


def test_maps_and_packets_are_not_for_the_native_dialect() -> None:
    access = ir.PacketLength(ir.IntType(32, signed=False), AT)
    function = ir.Function("f", (), ir.VoidType(), (), (ir.Evaluate(access, AT),), AT)
    with pytest.raises(InternalError, match="PacketLength"):
        native.lower(ir.Module("made.py", (function,)), prefix="")
