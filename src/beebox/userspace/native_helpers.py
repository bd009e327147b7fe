"""Helper functions as native code: which source has each body, for which context struct.

The JIT takes a body as IR, to be inlined (:func:`helper_code`); the interpreter calls the same
body, compiled once for the process (:func:`helper_call`). A new helper is a function in a file of
``source`` and its name in a row here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from beebox.errors import NotSupportedError
from beebox.llvm import native as linker
from beebox.llvm import worker
from beebox.maps import abi
from beebox.tables.helpers import HELPER_BY_NAME, ArgKind
from beebox.userspace.network.block import CONSTANTS as NETWORK_CONSTANTS
from beebox.userspace.redirects import CLONE_ENTRIES
from beebox.userspace.trace import MAX_TEXT_BYTES, MAX_WIDTH
from beebox.userspace.tunnels import FIELDS as TUNNEL_FIELDS
from beebox.vm.contexts import SKB_LAYOUT, XDP_LAYOUT, Layout
from beebox.vm.memory import RUNTIME_FIELDS, helper_signature

if TYPE_CHECKING:
    from beebox.vm.lowering_calls import HelperCode


@dataclass(frozen=True, slots=True)
class HelperSource:
    """A file of ``source``: the helpers it exports, and the context struct they work on, if any."""

    stem: str
    helpers: tuple[str, ...]
    layout: Layout | None = None

    @property
    def prefix(self) -> str:
        """What its symbols start with."""
        return f"{self.stem}_"


SOURCES: Final = (
    HelperSource(
        "helpers", ("ktime_get_ns", "get_prandom_u32", "get_smp_processor_id", "csum_diff")
    ),
    HelperSource("trace", ("trace_printk",)),
    HelperSource("strings", ("strncmp", "strtol", "strtoul")),
    HelperSource("xdp_net", ("fib_lookup", "redirect"), XDP_LAYOUT),
    HelperSource(
        "skb_net",
        ("fib_lookup", "redirect", "redirect_peer", "redirect_neigh", "clone_redirect"),
        SKB_LAYOUT,
    ),
    HelperSource(
        "tunnel",
        (
            "skb_get_tunnel_key",
            "skb_set_tunnel_key",
            "skb_get_tunnel_opt",
            "skb_set_tunnel_opt",
            "skb_get_xfrm_state",
        ),
        SKB_LAYOUT,
    ),
    HelperSource(
        "task",
        (
            "ktime_get_boot_ns",
            "ktime_get_coarse_ns",
            "ktime_get_tai_ns",
            "jiffies64",
            "get_numa_node_id",
            "get_current_pid_tgid",
            "get_current_uid_gid",
            "get_current_comm",
            "get_current_cgroup_id",
            "get_cgroup_classid",
            "get_current_ancestor_cgroup_id",
        ),
    ),
    HelperSource(
        "sockets",
        (
            "sk_lookup_tcp",
            "sk_lookup_udp",
            "skc_lookup_tcp",
            "sk_release",
            "sk_assign",
            "sk_fullsock",
            "tcp_sock",
            "get_listener_sock",
            "sk_cgroup_id",
            "sk_ancestor_cgroup_id",
        ),
    ),
    HelperSource(
        "xdp",
        (
            "xdp_adjust_head",
            "xdp_adjust_tail",
            "xdp_adjust_meta",
            "xdp_get_buff_len",
            "xdp_load_bytes",
            "xdp_store_bytes",
            "check_mtu",
        ),
        XDP_LAYOUT,
    ),
    HelperSource(
        "skb_bytes",
        ("skb_load_bytes", "skb_load_bytes_relative", "skb_store_bytes", "skb_pull_data"),
        SKB_LAYOUT,
    ),
    HelperSource(
        "skb_checksum",
        ("l3_csum_replace", "l4_csum_replace", "csum_update", "csum_level"),
        SKB_LAYOUT,
    ),
    HelperSource("lwt", ("lwt_push_encap",), SKB_LAYOUT),
    HelperSource("skb_vlan", ("skb_vlan_push", "skb_vlan_pop"), SKB_LAYOUT),
    HelperSource(
        "skb_room",
        ("skb_change_proto", "skb_change_tail", "skb_change_head", "skb_adjust_room"),
        SKB_LAYOUT,
    ),
    HelperSource(
        "skb_fields",
        (
            "set_hash",
            "set_hash_invalid",
            "get_hash_recalc",
            "skb_change_type",
            "skb_set_tstamp",
            "skb_ecn_set_ce",
            "check_mtu",
            "skb_cgroup_classid",
            "get_route_realm",
            "skb_cgroup_id",
            "skb_ancestor_cgroup_id",
            "get_socket_cookie",
            "get_socket_uid",
            "get_netns_cookie",
        ),
        SKB_LAYOUT,
    ),
)

IN_MAP_CODE: Final = frozenset({*abi.HELPERS, abi.TAIL_CALL})
"""Helpers that ``maps.code`` brings with each map."""

_FOLDER: Final = Path(__file__).with_name("source")
_EXTERNAL: Final = re.compile(r"^define (?!internal)", re.MULTILINE)
_CONSTANTS: Final = {
    "TIME": RUNTIME_FIELDS["time_ns"][0],
    "PRANDOM": RUNTIME_FIELDS["prandom_state"][0],
    "MAX_TEXT": MAX_TEXT_BYTES,
    "MAX_WIDTH": MAX_WIDTH,
    **{name.upper(): offset for name, (offset, _) in RUNTIME_FIELDS.items()},
    **NETWORK_CONSTANTS,
    **TUNNEL_FIELDS,
    "CLONE_ENTRIES": CLONE_ENTRIES,
}
_VARIADIC: Final = (ArgKind.ANYTHING,) * 3


def native_helpers(layout: Layout) -> frozenset[int]:
    """The ids of helpers with native code for programs whose context is ``layout``."""
    return frozenset(
        HELPER_BY_NAME[name].id
        for source in SOURCES
        if source.layout is None or source.layout.struct == layout.struct
        for name in source.helpers
    )


@cache
def helper_code(name: str, struct: str) -> HelperCode:
    """The code of one helper; its ``ir`` may define others too."""
    from beebox.vm.lowering_calls import HelperCode  # noqa: PLC0415 -- cached code needs no lowering

    source = _source(name, struct)
    text = _EXTERNAL.sub("define internal ", _text(source))
    return HelperCode(f"{source.prefix}{name}", text, helper_args(name))


@cache
def helper_call(name: str, struct: str) -> Callable[..., int]:
    """One helper as a call from Python: the runtime block's address, then its registers.

    Nothing is checked: addresses must be what the verifier saw. The GIL is released meanwhile.
    """
    source = _source(name, struct)
    signature = helper_signature(len(helper_args(name)))
    return _linked(source).function(f"{source.prefix}{name}", *signature)


def dialect_code(stem: str, prefix: str, constants: dict[str, int]) -> str:
    """A file of ``source`` as IR with its exported functions visible, given named constants."""
    from beebox.compiler import frontend, native  # noqa: PLC0415 -- cached code needs no compiler

    module = frontend.analyze_native(_FOLDER / f"{stem}.py", constants=constants)
    return native.lower(module, prefix=prefix)


def field_constants(layout: Layout) -> dict[str, int]:
    """A context's offsets as constants of the dialect: ``DATA_END`` and so on."""
    return {name.upper(): offset for name, (offset, _) in layout.fields.items()}


def internal(ir: str) -> str:
    """The IR with nothing visible outside its module."""
    return _EXTERNAL.sub("define internal ", ir)


def helper_args(name: str) -> tuple[ArgKind, ...]:
    """What a helper's code takes of R1-R5."""
    row = HELPER_BY_NAME[name]
    return tuple(arg.kind for arg in row.args) + (_VARIADIC if row.variadic else ())


def _source(name: str, struct: str) -> HelperSource:
    for source in SOURCES:
        fits = source.layout is None or source.layout.struct == struct
        if fits and name in source.helpers:
            return source
    raise NotSupportedError(f"helper {name} on {struct} in userspace")


@cache
def _text(source: HelperSource) -> str:
    layout = source.layout
    fields = field_constants(layout) if layout is not None else {}
    return dialect_code(source.stem, source.prefix, {**_CONSTANTS, **fields})


@cache
def _linked(source: HelperSource) -> linker.NativeCode:
    obj = worker.compile_native_for(f"helpers {source.stem}".encode(), lambda: _text(source))
    return linker.link(
        obj, imports={}, exports=[f"{source.prefix}{name}" for name in source.helpers]
    )


def linked_hook(identity: str, ir: Callable[[], str], symbol: str, signature: Any) -> Any:
    """Native code that is no helper, as a call: compiled once, kept by the cache on disk."""
    obj = worker.compile_native_for(f"hook {identity}".encode(), ir)
    return linker.link(obj, imports={}, exports=[symbol]).function(symbol, *signature)
