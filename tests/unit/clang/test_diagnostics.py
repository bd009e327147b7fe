"""What clang said, read: places, missing headers and targets, any bytes at all."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beebox.clang import diagnostics

SAID = [
    (b"a.c:3:5: error: no such thing\n", ("a.c", 3, 5, "no such thing")),
    (b"a.c:1:2: warning: w\nb/c.h:7:1: fatal error: x\n", ("b/c.h", 7, 1, "x")),
    (b"In file included from a.c:1:\n./b.h:2:9: error: y\n", ("./b.h", 2, 9, "y")),
    (b"error: a.c:4:6: in function f: too much stack\n",
     ("a.c", 4, 6, "in function f: too much stack")),
    (b"clang: error: no input files\n", ("a.c", 0, 0, "no input files")),
    (b"fatal error: error in backend: no\n", ("a.c", 0, 0, "error in backend: no")),
    (b"Stack dump:\n0. Program arguments\n", ("a.c", 0, 0, "the compiler crashed")),
    (b"Killed\n", ("a.c", 0, 0, "the compiler failed")),
    (b"", ("a.c", 0, 0, "the compiler failed")),
]  # fmt: skip


@pytest.mark.parametrize(("words", "expected"), SAID, ids=lambda value: repr(value)[:30])
def test_the_first_error(words: bytes, expected: tuple[str, int, int, str]):
    error = diagnostics.error(words, "a.c", "cc")
    assert (error.file, error.line, error.column, error.problem) == expected
    assert ":0:0" not in str(error)


def test_everything_is_shown_but_the_count():
    words = b"a.c:1:1: error: one\n    1 | x\n      | ^\na.c:2:1: error: two\n2 errors generated.\n"
    assert str(diagnostics.error(words, "a.c", "cc")) == words.decode().rsplit("\n", 2)[0]
    assert diagnostics.text_of(b"a.c:1:1: warning: w\n1 warning generated.\n").endswith("w")


def test_a_missing_header_and_a_missing_target():
    missing = b"a.c:1:10: fatal error: 'vmlinux.h' file not found\n"
    assert diagnostics.missing_header(missing) == "vmlinux.h"
    assert diagnostics.missing_header(b"other") is None
    assert diagnostics.lacks_target(b"error: unknown target triple 'bpfel'\n")
    assert not diagnostics.lacks_target(missing)


@given(st.binary(max_size=400))
def test_any_bytes(words: bytes):
    assert diagnostics.error(words, "a.c", "cc").problem
    diagnostics.missing_header(words)
    diagnostics.lacks_target(words)


@pytest.mark.parametrize("piece", [b"a:1:1: ", b"error: ", b"a.c:1:1: error: x\n", b"\n", b"'"])
def test_a_mebibyte_takes_no_time(piece: bytes):
    start = time.perf_counter()
    error = diagnostics.error(piece * ((1 << 20) // len(piece)), "a.c", "cc")
    assert len(str(error)) < 40_000
    assert time.perf_counter() - start < 5


def test_what_to_do_about_headers():
    missing = b"a.c:1:10: fatal error: 'my.h' file not found\n"
    assert "-I" in (diagnostics.error(missing, "a.c", "cc").hint or "")
    twice = b"/i/linux/bpf.h:5:6: error: redefinition of 'x'\n/t/vmlinux.h:7:6: note: previous\n"
    assert "vmlinux.h" in (diagnostics.error(twice, "a.c", "cc").hint or "")
    own = b"a.c:5:6: error: redefinition of 'x'\na.c:7:6: note: previous\n"
    assert diagnostics.error(own, "a.c", "cc").hint is None
