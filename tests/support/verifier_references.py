"""Statements of generated programs that acquire and release: sockets, ring buffer records."""

from __future__ import annotations

import random
from typing import Final, Protocol

from beebox.tables.program_types import ProgramType

_SIZES: Final = ("u8", "u16", "u32", "u64")


class Text(Protocol):
    """What a statement needs of the program under construction."""

    random: random.Random
    type: ProgramType

    def emit(self, *lines: str) -> None: ...
    def label(self) -> str: ...
    def chance(self, share: float) -> bool: ...
    def key(self, at: int) -> None: ...


def socket(text: Text, names: set[str]) -> None:
    """The context's socket, or one that is looked up, and some fields of it."""
    pick = text.random
    context = text.type.value.context
    out = text.label()
    looked_up = "sk_lookup_tcp" in names and text.chance(0.6)
    if looked_up:
        text.key(-16)
        text.key(-8)
        text.emit(
            "r1 = r6", "r2 = r10", "r2 += -16", f"r3 = {pick.choice((12, 12, 12, 16, 17))}",
            "r4 = 0", "r5 = 0",
            "call bpf_" + pick.choice(("sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp")),
            "r8 = r0",
        )  # fmt: skip
    elif context is not None and context.field("sk") is not None:
        text.emit(f"r8 = *(u64 *)(r6 + {context.field('sk').offset})")
    else:
        return
    if text.chance(0.95):
        text.emit(f"if r8 == 0 goto {out}")
    for _ in range(pick.randint(0, 2)):
        _use(text, "r8", names)
    if looked_up == text.chance(0.95):
        text.emit("r1 = r8", "call bpf_sk_release")
    if text.chance(0.1):
        text.emit("r9 = *(u32 *)(r8 + 4)")
    text.emit(f"{out}:", "r8 = global[.data] ll")


def _use(text: Text, reg: str, names: set[str]) -> None:
    pick = text.random
    casts = [name for name in ("sk_fullsock", "tcp_sock", "get_listener_sock") if name in names]
    if casts and text.chance(0.5):
        skip = text.label()
        text.emit(f"r1 = {reg}", f"call bpf_{pick.choice(casts)}")
        if text.chance(0.95):
            text.emit(f"if r0 == 0 goto {skip}")
        _field_load(text, "r0")
        text.emit(f"{skip}:")
        if text.chance(0.05):
            text.emit("r1 = r0", "call bpf_sk_release")
    else:
        _field_load(text, reg)


def _field_load(text: Text, reg: str) -> None:
    pick = text.random
    if text.chance(0.85):
        offset = pick.choice((4, 24, 28, 44, 52, 56, 72, 76))
        text.emit(f"r9 = *(u32 *)({reg} + {offset})")
    else:
        size = pick.choice(_SIZES)
        text.emit(f"r2 = *({size} *)({reg} + {pick.randrange(0, 120, pick.choice((1, 4)))})")


def record(text: Text) -> None:
    """A ring buffer record: reserved, written, submitted."""
    pick = text.random
    out = text.label()
    size = pick.choice((8, 16, 24))
    text.emit(
        "r1 = map[ring] ll", f"r2 = {size}" if text.chance(0.97) else "r2 = r9", "r3 = 0",
        "call bpf_ringbuf_reserve",
    )  # fmt: skip
    if text.chance(0.97):
        text.emit(f"if r0 == 0 goto {out}")
    text.emit("r8 = r0")
    for _ in range(pick.randint(0, 2)):
        kind = pick.random()
        if kind < 0.5:
            text.emit(f"*(u64 *)(r8 + {pick.choice((0, 0, 4, size - 8))}) = r9")
        elif kind < 0.7:
            text.emit(f"r9 = *(u32 *)(r8 + {size - pick.choice((4, 4, 4, 4, 3))})")
        elif kind < 0.85:
            text.emit("r9 &= 7", "r2 = r8", "r2 += r9", "*(u8 *)(r2 + 0) = 1")
        else:
            text.emit("lock *(u64 *)(r8 + 0) += r9")
    if text.chance(0.97):
        end = pick.choice(("submit", "discard"))
        text.emit("r1 = r8", "r2 = 0", f"call bpf_ringbuf_{end}")
    text.emit("r8 = global[.data] ll", f"{out}:", "r8 = global[.data] ll")
