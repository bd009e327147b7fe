"""What the verifier refuses by name, because no engine has it."""

from __future__ import annotations

import engines
import pytest

from beebox.isa.assembler import assemble
from beebox.isa.instruction import LoadImm64, Reg, SubprogRef
from beebox.obj.linker import link
from beebox.obj.model import FunctionSpec, ObjectSpec
from beebox.verifier.verify import verify


@pytest.mark.parametrize(
    "cast", ["r1 = addr_space_cast(r1, 0, 1)", "r1 = addr_space_cast(r1, 1, 0)"]
)
def test_address_space_casts(cast):
    report = verify(engines.program(f"r0 = 0\n{cast}\nexit", {}))
    (finding,) = report.findings
    assert (finding.code, finding.pc) == ("not-supported", 1)


def test_functions_that_the_kernel_calls():
    body = (LoadImm64(Reg.R2, SubprogRef("each")), *assemble("r0 = 0\nexit"))
    functions = {
        "p": FunctionSpec("p", "xdp", body),
        "each": FunctionSpec("each", ".text", assemble("r0 = 1\nexit"), is_global=False),
    }
    (finding,) = verify(link(ObjectSpec(functions), "p")).findings
    assert (finding.code, finding.pc) == ("not-supported", 0)
