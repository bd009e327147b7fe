"""How long a verdict takes: this verifier beside the running kernel's.

``python benchmarks/verifier.py`` measures the form that is installed: the Python source, or the
native modules of ``make wheel-fast`` (or of ``wheels/fast.py --tree DIR``, with DIR/src on
PYTHONPATH). Times are the verifiers' own, minima of interleaved runs; nothing is asserted.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Final

from beebox.api import open_object, resolved
from beebox.isa.assembler import assemble
from beebox.linux.kernel import LinuxKernel
from beebox.obj.linker import link
from beebox.obj.model import ProgramSpec
from beebox.tables.program_types import ProgramType
from beebox.verifier import explore
from beebox.verifier.verify import verify

ROUNDS: Final = 9
EXAMPLES: Final = Path(__file__).parents[1] / "examples"
LOOP: Final = """
r1 = 0
r2 = 0
r1 += 1
r2 += r1
r2 &= 255
if r1 < 100000 goto -4
r0 = 0
exit
"""
BRANCHES: Final = """
r8 = 0
call bpf_ktime_get_ns
r9 = r0
r9 &= 0xff
if r9 > 100 goto +2
r7 = r9
goto +1
r7 = 5
if r7 == 7 goto +1
r7 += 1
r8 += 1
if r8 < 3000 goto -11
r0 = 0
exit
"""
LONG: Final = {"loop": LOOP, "branches in a loop": BRANCHES}


def programs() -> dict[str, ProgramSpec]:
    """The example programs that are accepted, by file and name, and the long ones."""
    found = {}
    for file in sorted(EXAMPLES.glob("*.py")):
        if file.name == "demo.py":
            continue
        spec = resolved(open_object(file))
        found |= {f"{file.stem}:{name}": link(spec, name) for name in spec.program_names}
    return found | {
        name: ProgramSpec(name, "xdp", ProgramType.XDP, assemble(code), {})
        for name, code in LONG.items()
    }


def main() -> None:
    """Print the table."""
    kernel = LinuxKernel()
    compiled = not str(explore.__file__).endswith(".py")
    print(
        f"verifier: {'compiled' if compiled else 'Python source'}, Python {sys.version.split()[0]}"
    )
    print(
        f"{'program':28} {'insns':>8} {'Linux ms':>9} {'ours ms':>9} {'ratio':>6} {'insns/s':>10}"
    )
    ratios = []
    for name, program in programs().items():
        rounds = 3 if name in LONG else ROUNDS
        theirs, ours = [], []
        for _ in range(rounds):
            verdict, report = kernel.verdict(program), verify(program)
            theirs.append(verdict.time_ns)
            ours.append(report.time_ns)
        if not (verdict.accepted and report.accepted):
            continue
        mine, linux = min(ours), min(theirs)
        ratios.append(mine / linux)
        print(
            f"{name:28} {report.insns_processed:8} {linux / 1e6:9.3f} {mine / 1e6:9.3f} "
            f"{mine / linux:5.1f}x {report.insns_processed / mine * 1e9:10,.0f}"
        )
    print(f"median ratio {statistics.median(ratios):.1f}x")


if __name__ == "__main__":
    main()
