"""Linking: imports and exports, callers that keep their code alive, native calls of objects."""

from __future__ import annotations

import ctypes
import gc
import threading
import weakref

import pytest

from beebox.errors import InternalError
from beebox.llvm import native, worker

CODE = """@outside = external global i64
declare ptr @PyLong_FromLong(i64)
define i64 @add(i64 %a, i64 %b) { %c = add i64 %a, %b
  ret i64 %c }
define i64 @read() { %v = load i64, ptr @outside
  ret i64 %v }
define ptr @answer(ptr %self, ptr %args, i64 %n, ptr %names) {
  %r = call ptr @PyLong_FromLong(i64 42)
  ret ptr %r }
"""


@pytest.fixture
def outside() -> ctypes.c_int64:
    return ctypes.c_int64(77)


@pytest.fixture
def code(outside: ctypes.c_int64) -> native.NativeCode:
    obj = worker.compile_native(CODE)
    imports = {"outside": ctypes.addressof(outside)}
    return native.link(obj, imports=imports, exports=["add", "read", "answer"])


def test_functions_are_called_and_imports_bound(
    code: native.NativeCode, outside: ctypes.c_int64
) -> None:
    add = code.function("add", ctypes.c_int64, [ctypes.c_int64, ctypes.c_int64])
    read = code.function("read", ctypes.c_int64, [])
    assert add(40, 2) == 42
    assert read() == 77
    outside.value = 78
    assert read() == 78


def test_one_object_links_many_times_each_with_its_own_imports() -> None:
    obj = worker.compile_native(CODE)
    numbers = [ctypes.c_int64(n) for n in range(20)]
    codes = [
        native.link(obj, imports={"outside": ctypes.addressof(n)}, exports=["read"])
        for n in numbers
    ]
    assert [c.function("read", ctypes.c_int64, [])() for c in codes] == list(range(20))


def test_callers_outlive_close(code: native.NativeCode) -> None:
    add = code.function("add", ctypes.c_int64, [ctypes.c_int64, ctypes.c_int64])
    code.close()
    gc.collect()
    assert add(1, 2) == 3
    with pytest.raises(InternalError):
        code.address("add")


class Plain:
    __slots__ = ("__weakref__", "code")

    def __init__(self, code: native.NativeCode) -> None:
        self.code = code

    def __call__(self, value: object) -> object:
        return value


def test_instances_are_called_through_native_code_or_their_own(code: native.NativeCode) -> None:
    callables = native.Callables(Plain)
    instance, other = callables.type(code), callables.type(code)
    assert isinstance(instance, Plain)
    assert instance("slow") == "slow"
    callables.set(instance, code.address("answer"))
    assert instance("quick") == 42
    assert list(map(instance, "abc")) == [42] * 3
    assert other("slow") == "slow"
    callables.set(instance, None)
    assert instance("slow") == "slow"
    with pytest.raises(TypeError):
        instance()
    with pytest.raises(InternalError):
        callables.set(Plain(code), code.address("answer"))


def test_callable_instances_are_collected(code: native.NativeCode) -> None:
    callables = native.Callables(Plain)
    instance = callables.type(code)
    callables.set(instance, code.address("answer"))
    instance.code = instance
    gone = weakref.ref(instance)
    del instance
    gc.collect()
    assert gone() is None


def test_a_missing_symbol_is_an_error() -> None:
    obj = worker.compile_native(CODE)
    with pytest.raises(InternalError, match="does not link"):
        native.link(obj, imports={}, exports=["read"])


def test_what_is_not_an_object_is_an_error() -> None:
    with pytest.raises(InternalError, match="does not link"):
        native.link(b"not an object", imports={}, exports=["read"])


def test_threads_link_at_once() -> None:
    obj = worker.compile_native(CODE)
    number = ctypes.c_int64(5)
    results: list[int] = []

    def run() -> None:
        for _ in range(10):
            imports = {"outside": ctypes.addressof(number)}
            with native.link(obj, imports=imports, exports=["read"]) as linked:
                results.append(linked.function("read", ctypes.c_int64, [])())

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [5] * 40
