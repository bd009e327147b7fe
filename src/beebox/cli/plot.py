"""Small plots for a terminal: one row of blocks per series over a shared axis of time."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Final

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_ASCII: Final = " .:-=+*#@"
COLUMNS: Final = 64


def sparkline(values: Sequence[float], peak: float, *, levels: str = _BLOCKS) -> str:
    """One character per value, from empty (0) to full (``peak``); what is not 0 shows."""
    top = len(levels) - 1
    if peak <= 0:
        return levels[0] * len(values)
    steps = (min(top, round(value / peak * top)) for value in values)
    return "".join(
        levels[max(step, 1) if value > 0 else 0] for step, value in zip(steps, values, strict=True)
    )


def resampled(values: Sequence[float], columns: int = COLUMNS) -> list[float]:
    """At most ``columns`` means of neighbouring values, equally many each but for the last."""
    per_column = -(-len(values) // columns) or 1
    groups = (values[at : at + per_column] for at in range(0, len(values), per_column))
    return [sum(group) / len(group) for group in groups]


def rates(series: Mapping[str, Sequence[float]], seconds: float, unit: str) -> list[str]:
    """Lines with one sparkline per series, all to one scale, and the axis below."""
    rows = {name: resampled(values) for name, values in series.items()}
    peak = max((max(values, default=0.0) for values in rows.values()), default=0.0)
    width = max((len(name) for name in rows), default=0)
    levels = _BLOCKS if _draws_blocks() else _ASCII
    lines = [f"{unit} over {_seconds(seconds)}, up to {quantity(peak)}/s"]
    for name, values in rows.items():
        line = sparkline(values, peak, levels=levels)
        lines.append(f"  {name:<{width}} |{line}| {quantity(max(values, default=0.0))}/s")
    return lines


def quantity(value: float) -> str:
    """A number in a few characters: 950, 12.3k, 4.56M."""
    for limit, scale, suffix in ((1e3, 1, ""), (1e6, 1e3, "k"), (1e9, 1e6, "M")):
        if value < limit:
            return f"{value / scale:.3g}{suffix}"
    return f"{value / 1e9:.3g}G"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.4g} s"


def _draws_blocks() -> bool:
    """Whether stdout is a terminal that shows them; anywhere else the text stays ASCII."""
    if not sys.stdout.isatty():
        return False
    try:
        _BLOCKS.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
