"""The worker: crashes, hangs, forks and threads end in an answer or an exception, never worse."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from beebox.errors import CodegenError, InputError
from beebox.llvm import worker

BPF = """target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
target triple = "bpfel"
"""
ADD = BPF + "define i64 @f(i64 %a, i64 %b) { %c = add i64 %a, %b\n ret i64 %c }\n"


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEEBOX_CACHE_DIR", "")


def stack_of(size: int) -> str:
    return (
        BPF
        + f"""define i64 @f(i64 %i) {{
  %p = alloca [{size} x i8]
  %q = getelementptr i8, ptr %p, i64 %i
  store volatile i8 1, ptr %q
  %v = load volatile i8, ptr %p
  %w = zext i8 %v to i64
  ret i64 %w
}}
"""
    )


NESTED = BPF + "@g = global " + "{" * 300_000 + "}" * 300_000 + " zeroinitializer\n"


@pytest.mark.parametrize(
    ("ir", "diagnostic"),
    [
        (ADD.replace("add", "sdiv"), "unsupported signed division"),
        (stack_of(600), "stack"),
        (BPF + 'module asm "r0 = 1"\n' + ADD.removeprefix(BPF), "LLVM ERROR"),
        (NESTED, "LLVM's process ended with signal 11"),
    ],
    ids=["division", "stack", "assembly", "recursion"],
)
def test_death_of_llvm_is_an_exception_and_the_next_request_works(ir: str, diagnostic: str) -> None:
    with pytest.raises(CodegenError) as caught:
        worker.compile_bpf(ir)
    assert diagnostic in caught.value.diagnostic
    assert worker.compile_bpf(ADD).startswith(b"\x7fELF")


def test_invalid_ir_is_a_diagnostic_and_the_worker_lives_on() -> None:
    worker.compile_bpf(ADD)
    pid = worker._WORKER.pid
    with pytest.raises(CodegenError) as caught:
        worker.compile_bpf(ADD.replace("add", "sum"))
    assert "expected instruction opcode" in caught.value.diagnostic
    worker.compile_bpf(ADD)
    assert worker._WORKER.pid == pid


def test_code_is_for_the_instruction_set_asked_for() -> None:
    assert worker.compile_bpf(ADD.replace("add", "sdiv"), cpu="v4").startswith(b"\x7fELF")


def test_a_request_that_takes_too_long_is_given_up() -> None:
    body = "".join(f"  %x{n} = add i64 %x{n - 1}, {n}\n" for n in range(1, 200_000))
    slow = f"{BPF}define i64 @f(i64 %x0) {{\n{body}  ret i64 %x199999\n}}\n"
    started = time.monotonic()
    with pytest.raises(CodegenError) as caught:
        worker.compile_bpf(slow, deadline=0.2)
    assert "0.2 seconds" in caught.value.diagnostic
    assert time.monotonic() - started < 10
    assert worker.compile_bpf(ADD).startswith(b"\x7fELF")


def test_requests_have_a_size_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MAX_IR_BYTES", 100)
    with pytest.raises(InputError):
        worker.compile_bpf(ADD)


def test_a_worker_that_was_killed_is_replaced() -> None:
    worker.compile_bpf(ADD)
    pid = worker._WORKER.pid
    assert pid is not None
    os.kill(pid, 9)
    while True:  # until the death is seen, so that the next request starts anew
        process = worker._WORKER._process
        if process is None or process.poll() is not None:
            break
        time.sleep(0.001)
    assert worker.compile_bpf(ADD).startswith(b"\x7fELF")
    assert worker._WORKER.pid != pid


def test_threads_take_turns() -> None:
    answers: dict[int, bytes] = {}

    def run(number: int) -> None:
        answers[number] = worker.compile_bpf(ADD.replace("add i64 %a, %b", f"add i64 %a, {number}"))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(8):
        assert answers[number] == worker.compile_bpf(
            ADD.replace("add i64 %a, %b", f"add i64 %a, {number}")
        )


def test_a_forked_child_starts_its_own_worker_and_leaves_the_parents_alone() -> None:
    worker.compile_bpf(ADD)
    parents = worker._WORKER.pid
    child = os.fork()
    if child == 0:
        status = 1
        try:
            answer = worker.compile_bpf(ADD)
            status = 0 if answer[:4] == b"\x7fELF" and worker._WORKER.pid != parents else 2
        finally:
            worker._WORKER.close()
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert worker.compile_bpf(ADD).startswith(b"\x7fELF")
    assert worker._WORKER.pid == parents


USE_AND_EXIT = """
import os, signal, sys
from beebox.llvm import worker
worker.compile_bpf(sys.argv[1])
print(worker._WORKER.pid, flush=True)
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("how", ["returns", "killed"])
def test_the_worker_ends_with_its_parent(how: str) -> None:
    command = [sys.executable, "-W", "error", "-c", USE_AND_EXIT, ADD, how]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    pid = int(done.stdout)
    for _ in range(500):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if _is_zombie(pid):  # an orphan that a slow init has not waited for
            return
        time.sleep(0.01)
    pytest.fail("the worker outlived its parent")


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_importing_beebox_loads_no_llvmlite() -> None:
    code = "import sys, beebox; print('llvmlite' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_bpf_from_the_cache_loads_no_llvmlite(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEEBOX_CACHE_DIR", str(tmp_path))
    worker.compile_bpf(ADD)
    code = (
        "import sys; from beebox.llvm import worker; worker.compile_bpf(sys.argv[1]);"
        "print('llvmlite' in sys.modules, worker._WORKER.pid)"
    )
    command = [sys.executable, "-c", code, ADD]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "None"]
