"""Fields and messages of the exceptions: what ``-j`` and people see."""

from __future__ import annotations

import errno
import pickle

import pytest

from beebox import errors


def test_every_exception_is_in_the_tree():
    classes = [row for row in vars(errors).values() if isinstance(row, type)]
    raised = [row for row in classes if issubclass(row, Exception) and not issubclass(row, Warning)]
    assert raised
    assert all(issubclass(row, errors.BeeboxError) for row in raised)


def test_fields_are_plain_data():
    error = errors.AssemblyError("what", file="x.s", line=2, column=3, hint="how")
    assert str(error) == "x.s:2:3: what; how"
    assert error.fields() == {
        "kind": "AssemblyError",
        "message": "x.s:2:3: what; how",
        "file": "x.s",
        "line": 2,
        "column": 3,
        "hint": "how",
    }


def test_a_decode_error_shows_at_most_16_bytes():
    error = errors.DecodeError("bad", pc=7, data=bytes(32))
    assert error.pc == 7
    assert str(error).count("00") == 16


def test_a_compile_error_shows_the_part_of_a_long_line():
    line = "x = " + "1 + " * 1000 + "y"
    error = errors.CompileError("bad", file="x.py", line=1, column=4005, source_line=line)
    place, shown, caret = str(error).split("\n")
    assert place == "x.py:1:4005: bad"
    assert len(shown) < 200
    assert shown[caret.index("^")] == "y"
    error = errors.CompileError("bad", file="x", line=1, column=1, source_line=line, width=4005)
    assert len(str(error)) < 400


def test_a_compile_error_puts_its_caret_under_the_column():
    error = errors.CompileError(
        "bad", file="x.py", line=3, column=5, source_line="\tab = cd", width=2, hint="write x"
    )
    first, shown, caret, hint = str(error).splitlines()
    assert first == "x.py:3:5: bad"
    assert caret.index("^") - caret.index("|") == shown.index("=") - shown.index("|")
    assert caret.endswith("^^")
    assert hint.strip() == "help: write x"


def test_a_syscall_error_is_an_oserror_with_the_last_useful_line():
    log = "0: (95) exit\nR0 !read_ok\nprocessed 1 insns\n"
    error = errors.SyscallError("prog_load", errno.EACCES, log=log)
    assert isinstance(error, OSError)
    assert str(error).endswith("R0 !read_ok")
    assert error.fields()["errno"] == errno.EACCES
    assert error.log == log


def test_a_missing_key_is_a_key_error_that_prints_plainly():
    error = errors.KeyNotFound("no such key", map_name="m", errno=errno.ENOENT)
    assert isinstance(error, KeyError)
    assert str(error) == "map m: no such key"


@pytest.mark.parametrize("kind", [errors.NotSupportedError, errors.InternalError])
def test_messages_survive_a_process_boundary(kind: type[errors.BeeboxError]):
    error = kind("something")
    assert isinstance(pickle.loads(pickle.dumps(error)), kind)


def test_the_kernels_own_errno_has_a_name():
    error = errors.SyscallError("bpf(PROG_TEST_RUN)", 524)
    assert (error.errno, str(error)) == (524, "bpf(PROG_TEST_RUN): Not supported (ENOTSUPP)")
