"""The worker process: reads requests on stdin, answers with objects on stdout.

Runs by path, knows nothing of beebox and is replaceable at any time: LLVM's fatal errors end this
process, never the user's. Frames are a 4-byte little-endian length and as many bytes. A request is
two frames, options as JSON and LLVM IR as text; the answer is one frame, whose first byte is
``OBJECT`` or ``DIAGNOSTIC``. The end of stdin ends the process.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from typing import Any, BinaryIO, Final

import llvmlite.binding as llvm

OBJECT: Final = b"o"
DIAGNOSTIC: Final = b"d"
MEMORY_BYTES: Final = 8 << 30  # address space: LLVM runs out before the machine does


def _frame(stream: BinaryIO) -> bytes | None:
    """The next frame, or None at the end of the stream."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack("<I", head)
    data = stream.read(length)
    return data if len(data) == length else None


def _machine(options: dict[str, Any]) -> Any:
    if options["kind"] == "bpf":
        return llvm.Target.from_triple("bpfel").create_target_machine(
            cpu=options["cpu"],
            features="",  # no misaligned accesses: Linux refuses those to the stack
            opt=options["opt"],
            reloc="pic",
            codemodel="default",
        )
    return llvm.Target.from_triple(options["triple"]).create_target_machine(
        cpu=options["cpu"],
        features=options["features"],
        opt=options["opt"],
        reloc="pic",
        codemodel="default",
    )


def _compile(options: dict[str, Any], ir: str) -> bytes:
    """Parse, optimise and emit. Raises RuntimeError with LLVM's words for IR that is not valid."""
    machine = _machine(options)
    with llvm.create_context() as context, llvm.parse_assembly(ir, context) as module:
        if options["kind"] == "native":
            module.triple = options["triple"]
            module.data_layout = str(machine.target_data)
        module.verify()
        tuning = llvm.create_pipeline_tuning_options(options["opt"])
        if options["kind"] == "native":
            tuning.slp_vectorization = True
        passes = llvm.create_pass_builder(machine, tuning)
        passes.getModulePassManager().run(module, passes)
        return bytes(machine.emit_object(module))


def main() -> None:
    """Serve until stdin ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever LLVM prints must not mix with the frames
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    memory = MEMORY_BYTES if most == resource.RLIM_INFINITY else min(MEMORY_BYTES, most)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    while True:
        head = _frame(sys.stdin.buffer)
        text = _frame(sys.stdin.buffer)
        if head is None or text is None:
            return
        options = json.loads(head)
        signal.alarm(options["seconds"])  # also when the parent is gone and nobody would kill us
        try:
            answer = OBJECT + _compile(options, text.decode())
        except (RuntimeError, ValueError) as error:
            answer = DIAGNOSTIC + str(error).encode()
        signal.alarm(0)
        answers.write(struct.pack("<I", len(answer)) + answer)
        answers.flush()


if __name__ == "__main__":
    main()
