"""Instructions that stand for what a target does not have: calls of helpers that no kernel has."""

from __future__ import annotations

from typing import Final

POISON: Final = 195896080
"""The helper that a poisoned instruction calls: 0xbad2310, as libbpf has it."""

POISONED_MAP: Final = 2_001_000_000
"""What a reference to a map that is not made becomes, twice, plus the map's number."""

POISONED_KFUNC: Final = 2_002_000_000
"""What a call of a function that the kernel does not have becomes, plus the extern's number."""
