"""The first process of the virtual machine: answers what ``questions`` asks of its kernel.

Programs are loaded, maps created; each answer is an errno (0: done) and the end of the log.
"""

from __future__ import annotations

import ctypes
import json
import pickle
import platform
import sys
import traceback
from pathlib import Path

from beebox.errors import BeeboxError, SyscallError
from beebox.linux.kernel import LinuxKernel
from beebox.linux.load import verdict
from beebox.obj.model import MapSpec, ObjectSpec, ProgramSpec

BEGIN, END = "=== answers", "=== end of answers"
_POWER_OFF = 0x4321FEDC
_LOG_END = 300


def answer(question: ProgramSpec | MapSpec) -> tuple[int, str, int]:
    """The errno, the end of the log, the instructions processed."""
    try:
        if isinstance(question, MapSpec):
            LinuxKernel().load(ObjectSpec({}, {question.name: question})).close()
            return 0, "", 0
        found = LinuxKernel().verdict(question) if question.maps else verdict(question, {})
    except SyscallError as error:
        return error.errno or -1, error.log[-_LOG_END:], 0
    except BeeboxError as error:
        return -1, str(error), 0
    lines = [line for line in found.log.splitlines() if not line.startswith("verification time")]
    return found.errno, "\n".join(lines)[-_LOG_END:], found.insns_processed


def main() -> None:
    """Answer everything, then switch the machine off."""
    try:
        questions = pickle.loads(Path("/questions").read_bytes())
        answers = [answer(question) for question in questions]
        found = json.dumps({"release": platform.release(), "answers": answers})
        sys.stdout.write(f"{BEGIN} {found} {END}\n")
    except BaseException:  # noqa: BLE001 -- nobody else would print it
        traceback.print_exc()
    sys.stdout.flush()
    ctypes.CDLL(None).reboot(_POWER_OFF)


if __name__ == "__main__":
    main()
