"""Random programs over all opcodes: interpreter, optimised native code and Linux, for a while.

``python fuzz/engines.py --seconds 60`` draws programs by their seeds, larger than those of the test
suite, and prints each one that two engines disagree on; a bug found becomes a case in
``tests/backend``.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from beebox.isa.disassembler import listing
from beebox.linux.features import why_not
from beebox.tables.program_types import ProgramType

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/support"))

from agreement import Linux, Outcome, Userspace, accepted, packets_of
from opcode_programs import OpcodeProgram

CHUNK = 50
KINDS = (ProgramType.XDP, ProgramType.SCHED_CLS)


def main() -> None:
    """Fuzz for ``--seconds``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1_000_000)
    parser.add_argument("--statements", type=int, default=20)
    parser.add_argument("--opt", type=int, default=2, choices=(0, 1, 2, 3))
    options = parser.parse_args()
    environments = {kind: Userspace(kind) for kind in KINDS}
    reason = why_not()
    if reason is not None:
        print(f"without Linux: {reason}")
    disagreed: list[int] = []
    deadline, seed = time.monotonic() + options.seconds, options.seed
    with Linux() as linux:
        while time.monotonic() < deadline:
            seeds = range(seed, seed + CHUNK)
            kind = KINDS[seed // CHUNK % len(KINDS)]
            userspace = environments[kind]
            drawn = [OpcodeProgram(number, kind, statements=options.statements) for number in seeds]
            programs = [accepted(program.insns, kind) for program in drawn]
            packets = [packets_of(number) for number in seeds]
            native = userspace.execute(programs, packets, opt=options.opt)
            for at, program in enumerate(programs):
                outcomes: dict[str, Outcome] = {"jit": native[at]}
                outcomes["interpreter"] = userspace.interpret(program, packets[at])
                if reason is None:
                    outcomes["linux"] = linux.run(program.spec, packets[at])
                if len(set(outcomes.values())) > 1:
                    disagreed.append(seeds[at])
                    code = "\n".join(f"{pc:4}: {line}" for pc, line in listing(program.spec.insns))
                    print(f"=== seed {seeds[at]}\n{code}")
                    for name, outcome in outcomes.items():
                        print(name, [(value, data.hex()) for value, data in outcome])
            seed += CHUNK
    print(f"{seed - options.seed} programs, disagreed: {disagreed[:20]}")


if __name__ == "__main__":
    main()
