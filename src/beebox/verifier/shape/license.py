"""Licenses that Linux takes for compatible with its own."""

from __future__ import annotations

from typing import Final

GPL: Final = frozenset(
    {"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"}
)
"""Programs under these may call helpers and read structs that others may not."""
