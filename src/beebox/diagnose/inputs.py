"""What a run is given: the packet, the context's fields, what maps hold, what helpers answer.

A run asks for what it needs, and gets zeros where nothing was chosen. A place names one number in
all that, so that a search can change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

PACKET: Final = "packet"
CONTEXT: Final = "context"
ANSWER: Final = "answer"
LENGTH: Final = "length"
MEMORY: Final = "memory"
MOST_PACKET_BYTES: Final = 2048


class Place(NamedTuple):
    """``kind`` is one of the words above; ``offset`` of an ANSWER is the number of the call."""

    kind: str
    name: str = ""
    offset: int = 0
    size: int = 8


@dataclass(frozen=True)
class Inputs:
    """``memory``: by name, the bytes of a map's value or of what a helper filled."""

    packet: bytes = bytes(64)
    context: Mapping[str, int] = field(default_factory=dict)
    memory: Mapping[str, bytes] = field(default_factory=dict)
    answers: tuple[int, ...] = ()

    def answer(self, index: int) -> int:
        """What was chosen for the ``index``-th call, 0 by default."""
        return self.answers[index] if index < len(self.answers) else 0

    def bytes_of(self, name: str, size: int) -> bytes:
        """``size`` bytes of a memory."""
        return self.memory.get(name, b"").ljust(size, b"\0")[:size]

    def with_number(self, place: Place, number: int, *, big: bool = False) -> Inputs:
        """The same with another number in a place, cut to its size."""
        data = (number & ((1 << place.size * 8) - 1)).to_bytes(
            place.size, "big" if big else "little"
        )
        match place.kind:
            case "packet":
                end = place.offset + place.size
                if end > len(self.packet):
                    return self
                return replace(self, packet=self.packet[: place.offset] + data + self.packet[end:])
            case "context":
                cut = number & ((1 << place.size * 8) - 1)
                return replace(self, context={**self.context, place.name: cut})
            case "answer":
                answers = [*self.answers, *([0] * (place.offset + 1 - len(self.answers)))]
                answers[place.offset] = number & ((1 << 64) - 1)
                return replace(self, answers=tuple(answers))
            case "length":
                return self.with_length(number)
            case _:
                old = self.memory.get(place.name, b"").ljust(place.offset + place.size, b"\0")
                end = place.offset + place.size
                new = old[: place.offset] + data + old[end:]
                return replace(self, memory={**self.memory, place.name: new})

    def with_length(self, length: int) -> Inputs:
        """The same with a packet of another length, cut or filled with zeros."""
        length = min(max(length, 0), MOST_PACKET_BYTES)
        return replace(self, packet=self.packet[:length].ljust(length, b"\0"))
