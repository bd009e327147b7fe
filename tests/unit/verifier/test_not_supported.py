"""What the verifier refuses by name, because no engine has it."""

from __future__ import annotations

import engines
import pytest

from beebox.verifier.verify import verify


@pytest.mark.parametrize(
    "cast", ["r1 = addr_space_cast(r1, 0, 1)", "r1 = addr_space_cast(r1, 1, 0)"]
)
def test_address_space_casts(cast):
    report = verify(engines.program(f"r0 = 0\n{cast}\nexit", {}))
    (finding,) = report.findings
    assert (finding.code, finding.pc) == ("not-supported", 1)
