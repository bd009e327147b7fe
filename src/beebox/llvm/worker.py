"""Code generation in a process of its own: LLVM IR goes in, objects come out.

LLVM ends the process it runs in on many inputs (a BPF stack that is too large, a division the
target lacks), so nothing but linking happens in the user's process. One worker serves the whole
process: started at the first request, killed when a request overruns its deadline, started anew
when it died. Threads take turns. A forked child starts its own.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from beebox import cache
from beebox.errors import CodegenError, InputError, NotSupportedError
from beebox.llvm import cache_keys

MAX_IR_BYTES: Final = 64 << 20
DEADLINE_SECONDS: Final = 60.0
_STDERR_BYTES: Final = 64 << 10  # of the newest diagnostics are kept
_SERVER: Final = Path(__file__).with_name("serve.py")


def compile_bpf(ir: str, *, cpu: str = "v3", deadline: float = DEADLINE_SECONDS) -> bytes:
    """A BPF ELF object from LLVM IR, for instruction set ``cpu`` (``v1`` to ``v4``); cached.

    Raises :exc:`CodegenError` with LLVM's diagnostic when LLVM refuses the IR, dies or is not
    done after ``deadline`` seconds; :exc:`InputError` for IR over ``MAX_IR_BYTES``.
    """
    return _compile(ir, {"kind": "bpf", "cpu": cpu, "opt": 2}, deadline)


def compile_native(ir: str, *, opt: int = 2, deadline: float = DEADLINE_SECONDS) -> bytes:
    """A relocatable object for this machine's CPU from LLVM IR, at level ``opt``; cached.

    Raises as :func:`compile_bpf`.
    """
    return _compile(ir, _native_options("native", opt), deadline)


def compile_native_for(identity: bytes, make_ir: Callable[[], str]) -> bytes:
    """As ``compile_native(make_ir())``, found in the cache by what the IR is made from.

    ``identity`` must determine the IR together with beebox's own sources; a hit makes no IR.
    """
    options = {**_native_options("identity", 2), "package": cache.package_fingerprint()}
    key = cache_keys.key(identity, options)
    found = cache.get(key)
    if found is None:
        found = compile_native(make_ir())
        cache.put(key, found)
    return found


def _native_options(kind: str, opt: int) -> dict[str, str | int]:
    from beebox.llvm import host  # noqa: PLC0415 -- loads llvmlite, which BPF from the cache spares

    target = host.target()
    return {
        "kind": kind,
        "triple": target.triple,
        "cpu": target.cpu,
        "features": target.features,
        "opt": opt,
    }


def _compile(ir: str, options: dict[str, str | int], deadline: float) -> bytes:
    text = ir.encode()
    if len(text) > MAX_IR_BYTES:
        raise InputError(f"a program of {len(text)} bytes of LLVM IR; at most {MAX_IR_BYTES}")
    key = cache_keys.key(text, options)
    cached = cache.get(key)
    if cached is not None:
        return cached
    options = {**options, "seconds": int(deadline) + 1}
    head = json.dumps(options).encode()
    request = struct.pack("<I", len(head)) + head + struct.pack("<I", len(text)) + text
    answer = _WORKER.request(request, deadline)
    kind, body = answer[:1], answer[1:]
    if kind != b"o":
        raise CodegenError(body.decode(errors="replace").strip())
    cache.put(key, body)
    return body


class Worker:
    """One server process, at most: started when needed, one request at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def request(self, request: bytes, deadline: float) -> bytes:
        """The answer to one request, in at most ``deadline`` seconds once it is its turn."""
        with self._lock:
            process = self._process
            if process is None or process.poll() is not None:
                self._end()
                process = self._process = _start()
            try:
                return _exchange(process, request, deadline)
            except BaseException:  # also an interrupt: half a frame may be under way
                self._end()
                raise

    def close(self) -> None:
        """End the server; the next request starts another."""
        with self._lock:
            self._end()

    @property
    def pid(self) -> int | None:
        """The server's process id, if there is one."""
        return self._process.pid if self._process is not None else None

    def forget(self) -> None:
        """Give up the parent's server in a forked child, without a word to it."""
        process, self._process = self._process, None
        self._lock = threading.Lock()
        if process is not None:
            _close_pipes(process)
            process.returncode = 0  # the parent's to wait for

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            _close_pipes(process)


def _start() -> subprocess.Popen[bytes]:
    if not sys.executable:
        raise NotSupportedError("code generation without a Python executable")
    places = [place for place in sys.path if place]
    process = subprocess.Popen(  # noqa: S603 -- our own file, by our own interpreter
        [sys.executable, "-P", "-S", "-W", "ignore", str(_SERVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        process_group=0,  # a Ctrl-C in the terminal is for the user's process
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places), "PYTHONUTF8": "1"},
    )
    for stream in _pipes(process):
        os.set_blocking(stream, False)
    return process


def _pipes(process: subprocess.Popen[bytes]) -> tuple[int, int, int]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdin.fileno(), process.stdout.fileno(), process.stderr.fileno()


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _exchange(process: subprocess.Popen[bytes], request: bytes, deadline: float) -> bytes:
    """Send a request, take its answer; all three pipes at once, so that none can block another."""
    stdin, stdout, stderr = _pipes(process)
    until = time.monotonic() + deadline
    unsent = memoryview(request)
    answer, diagnostics = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(stdin, selectors.EVENT_WRITE)
        selector.register(stdout, selectors.EVENT_READ)
        selector.register(stderr, selectors.EVENT_READ)
        while True:
            events = selector.select(max(0.0, until - time.monotonic()))
            if not events and time.monotonic() >= until:
                raise CodegenError(f"LLVM was not done after {deadline:g} seconds")
            for key, _ in events:
                if key.fd == stdin:
                    try:
                        unsent = unsent[os.write(stdin, unsent) :]
                    except BrokenPipeError:
                        unsent = unsent[:0]
                    if not unsent:
                        selector.unregister(stdin)
                    continue
                data = os.read(key.fd, 1 << 20)
                if key.fd == stderr:
                    diagnostics += data
                    del diagnostics[:-_STDERR_BYTES]
                    if not data:
                        selector.unregister(stderr)
                elif data:
                    answer += data
                else:
                    raise CodegenError(_last_words(process, diagnostics))
            if len(answer) >= 4 and len(answer) == 4 + int.from_bytes(answer[:4], "little"):
                return bytes(answer[4:])


def _last_words(process: subprocess.Popen[bytes], diagnostics: bytearray) -> str:
    """What a dead server said last: LLVM's diagnostic line, or its signal where it said none."""
    _, _, stderr = _pipes(process)
    status = process.wait()
    with contextlib.suppress(BlockingIOError):
        diagnostics += os.read(stderr, _STDERR_BYTES)
    lines = diagnostics.decode(errors="replace").splitlines()
    told = [line for line in lines if "error:" in line or "LLVM ERROR" in line]
    if told:
        return told[0].strip()
    how = f"signal {-status}" if status < 0 else f"status {status}"
    last = f": {lines[-1].strip()}" if lines else ""
    return f"LLVM's process ended with {how}{last}"


_WORKER: Final = Worker()
atexit.register(_WORKER.close)
os.register_at_fork(after_in_child=_WORKER.forget)
