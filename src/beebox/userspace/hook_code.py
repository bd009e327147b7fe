"""How each hook's frames become contexts, as native code for the batch loop and for single runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from beebox.hooks.packet import PacketHook
from beebox.tables.limits import FLOW_KEYS_BYTES
from beebox.userspace.native_helpers import dialect_code, field_constants, internal, linked_hook
from beebox.userspace.network.block import INGRESS
from beebox.userspace.tunnels import CONSTANTS as TUNNEL_CONSTANTS
from beebox.vm.batch import XDP_HOOK, HookCode
from beebox.vm.contexts import SKB_LAYOUT, Layout
from beebox.vm.memory import FINISH_SIGNATURE, PREPARE_SIGNATURE, RUNTIME_FIELDS

SKB_HEADROOM_BYTES: Final = 256
SKB_TAILROOM_BYTES: Final = 1 << 14
"""Room around an skb, more than helpers can make it grow to (BPF_SKB_MAX_LEN); they move the packet
where it is short of room on one side."""


@cache
def hook_code(hook: PacketHook, layout: Layout) -> HookCode:
    """The preparation for ``vm.batch``."""
    if layout.struct != SKB_LAYOUT.struct:
        return XDP_HOOK
    return HookCode(
        f"{_stem(hook)}_prepare",
        internal(_text(hook, hook.has_socket)),
        headroom=SKB_HEADROOM_BYTES,
        reserved=0,
        zeroed=0,
        tailroom=SKB_TAILROOM_BYTES,
        room=0,
        finish=f"{_stem(hook)}_finish" if _may_tag(hook) else "",
        writes=hook.takes_tags,
    )


@cache
def skb_preparation(
    hook: PacketHook, has_socket: bool
) -> Callable[[int, int, int, int, int, int], None]:
    """The same preparation as a call: runtime block, context, frame, length, buffer's ends.

    A test run gives every packet a socket.
    """
    symbol = f"{_stem(hook)}_prepare"
    prepare: Callable[[int, int, int, int, int, int], None] = linked_hook(
        f"{_stem(hook)} {hook.name} {has_socket} {hook.takes_tags}",
        lambda: _text(hook, has_socket),
        symbol,
        PREPARE_SIGNATURE,
    )
    return prepare


@cache
def skb_finish(hook: PacketHook) -> Callable[[int, int], None] | None:
    """What makes a packet leave the hook, as a call: runtime block, context."""
    if not _may_tag(hook):
        return None
    finish: Callable[[int, int], None] = linked_hook(
        f"{_stem(hook)} {hook.name} {hook.has_socket} {hook.takes_tags}",
        lambda: _text(hook, hook.has_socket),
        f"{_stem(hook)}_finish",
        FINISH_SIGNATURE,
    )
    return finish


def _may_tag(hook: PacketHook) -> bool:
    """Whether packets may have a VLAN tag beside them that belongs into the frame."""
    return hook.start == 0 and not hook.gives_keys


def _stem(hook: PacketHook) -> str:
    """The file of ``source`` that prepares the hook's contexts."""
    return "flow_hook" if hook.gives_keys else "skb_hook"


def _text(hook: PacketHook, has_socket: bool) -> str:
    constants = {
        **field_constants(SKB_LAYOUT),
        "START": hook.start,
        "HAS_SOCKET": int(has_socket),
        "TAKES_TAGS": int(hook.takes_tags),
        **TUNNEL_CONSTANTS,
        **INGRESS,
        "NETWORK": RUNTIME_FIELDS["network"][0],
        "NEXT_KEYS": RUNTIME_FIELDS["next_keys"][0],
        "KEYS_STEP": RUNTIME_FIELDS["keys_step"][0],
        "KEYS_BYTES": FLOW_KEYS_BYTES,
    }
    stem = _stem(hook)
    return dialect_code(stem, f"{stem}_", constants)
