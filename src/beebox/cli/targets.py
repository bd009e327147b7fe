"""Where packets were sent: devices and elements of redirect maps, for people and for ``-j``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from beebox.cli.output import Output
from beebox.userspace.redirects import Target


def targets_data(counts: Iterable[tuple[Target, int]]) -> list[dict[str, Any]]:
    """Packets by target; what a target does not have is null."""
    return [
        {
            "ifindex": target.ifindex or None,
            "map": target.map_name or None,
            "key": target.key if target.map_name and target.how != "broadcast" else None,
            "how": target.how or None,
            "packets": packets,
        }
        for target, packets in counts
    ]


def show_targets(title: str, counts: Iterable[tuple[Target, int]], output: Output) -> None:
    """A table of targets; nothing where no packet was sent."""
    rows = [[_name(target), target.how, str(packets)] for target, packets in counts]
    if rows:
        output.text()
        output.table(title, ["target", "how", "packets"], rows, right=2)


def _name(target: Target) -> str:
    device = f"device {target.ifindex}" if target.ifindex else ""
    if not target.map_name:
        return device
    element = target.map_name if target.how == "broadcast" else f"{target.map_name}[{target.key}]"
    return f"{element}: {device}" if device else element
