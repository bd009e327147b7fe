"""eBPF as one Python package: everything here is loaded on first use (PEP 562)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beebox.api import compile as compile
    from beebox.api import link as link
    from beebox.api import load as load
    from beebox.api import open_object as open_object
    from beebox.api import target_of as target_of
    from beebox.api import verify as verify
    from beebox.compiler.language import Array as Array
    from beebox.compiler.language import ArrayOfMaps as ArrayOfMaps
    from beebox.compiler.language import BloomFilter as BloomFilter
    from beebox.compiler.language import CgroupSkbVerdict as CgroupSkbVerdict
    from beebox.compiler.language import Constant as Constant
    from beebox.compiler.language import CpuMap as CpuMap
    from beebox.compiler.language import DevMap as DevMap
    from beebox.compiler.language import DevMapHash as DevMapHash
    from beebox.compiler.language import FlowDissectorVerdict as FlowDissectorVerdict
    from beebox.compiler.language import Global as Global
    from beebox.compiler.language import Hash as Hash
    from beebox.compiler.language import HashOfMaps as HashOfMaps
    from beebox.compiler.language import LpmTrie as LpmTrie
    from beebox.compiler.language import LruHash as LruHash
    from beebox.compiler.language import LruPerCpuHash as LruPerCpuHash
    from beebox.compiler.language import LwtVerdict as LwtVerdict
    from beebox.compiler.language import MapFlags as MapFlags
    from beebox.compiler.language import PacketContext as PacketContext
    from beebox.compiler.language import PerCpuArray as PerCpuArray
    from beebox.compiler.language import PerCpuHash as PerCpuHash
    from beebox.compiler.language import ProgArray as ProgArray
    from beebox.compiler.language import Queue as Queue
    from beebox.compiler.language import SkbContext as SkbContext
    from beebox.compiler.language import Stack as Stack
    from beebox.compiler.language import TcAction as TcAction
    from beebox.compiler.language import UpdateFlags as UpdateFlags
    from beebox.compiler.language import XdpAction as XdpAction
    from beebox.compiler.language import XdpContext as XdpContext
    from beebox.compiler.language import XskMap as XskMap
    from beebox.compiler.language import array as array
    from beebox.compiler.language import atomic as atomic
    from beebox.compiler.language import be16 as be16
    from beebox.compiler.language import be32 as be32
    from beebox.compiler.language import be64 as be64
    from beebox.compiler.language import bounded as bounded
    from beebox.compiler.language import bswap64 as bswap64
    from beebox.compiler.language import cgroup_skb_egress as cgroup_skb_egress
    from beebox.compiler.language import cgroup_skb_ingress as cgroup_skb_ingress
    from beebox.compiler.language import copied as copied
    from beebox.compiler.language import flow_dissector as flow_dissector
    from beebox.compiler.language import htonl as htonl
    from beebox.compiler.language import htons as htons
    from beebox.compiler.language import i8 as i8
    from beebox.compiler.language import i16 as i16
    from beebox.compiler.language import i32 as i32
    from beebox.compiler.language import i64 as i64
    from beebox.compiler.language import ipv4 as ipv4
    from beebox.compiler.language import lwt_in as lwt_in
    from beebox.compiler.language import lwt_out as lwt_out
    from beebox.compiler.language import lwt_seg6local as lwt_seg6local
    from beebox.compiler.language import lwt_xmit as lwt_xmit
    from beebox.compiler.language import ntohl as ntohl
    from beebox.compiler.language import ntohs as ntohs
    from beebox.compiler.language import over as over
    from beebox.compiler.language import section as section
    from beebox.compiler.language import sizeof as sizeof
    from beebox.compiler.language import socket_filter as socket_filter
    from beebox.compiler.language import struct as struct
    from beebox.compiler.language import tc as tc
    from beebox.compiler.language import tcx_egress as tcx_egress
    from beebox.compiler.language import tcx_ingress as tcx_ingress
    from beebox.compiler.language import u8 as u8
    from beebox.compiler.language import u16 as u16
    from beebox.compiler.language import u32 as u32
    from beebox.compiler.language import u64 as u64
    from beebox.compiler.language import xdp as xdp
    from beebox.compiler.language import zeroed as zeroed
    from beebox.compiler.structs import bpf_fib_lookup as bpf_fib_lookup
    from beebox.compiler.structs import bpf_flow_keys as bpf_flow_keys
    from beebox.compiler.structs import bpf_redir_neigh as bpf_redir_neigh
    from beebox.compiler.structs import bpf_tunnel_key as bpf_tunnel_key
    from beebox.compiler.stubs import csum_diff as csum_diff
    from beebox.compiler.stubs import get_numa_node_id as get_numa_node_id
    from beebox.compiler.stubs import get_prandom_u32 as get_prandom_u32
    from beebox.compiler.stubs import get_smp_processor_id as get_smp_processor_id
    from beebox.compiler.stubs import jiffies64 as jiffies64
    from beebox.compiler.stubs import ktime_get_boot_ns as ktime_get_boot_ns
    from beebox.compiler.stubs import ktime_get_coarse_ns as ktime_get_coarse_ns
    from beebox.compiler.stubs import ktime_get_ns as ktime_get_ns
    from beebox.compiler.stubs import ktime_get_tai_ns as ktime_get_tai_ns
    from beebox.compiler.stubs import map_lookup_percpu_elem as map_lookup_percpu_elem
    from beebox.compiler.stubs import tail_call as tail_call
    from beebox.compiler.stubs import trace_printk as trace_printk
    from beebox.compiler.stubs import xdp_adjust_head as xdp_adjust_head
    from beebox.compiler.stubs import xdp_adjust_meta as xdp_adjust_meta
    from beebox.compiler.stubs import xdp_adjust_tail as xdp_adjust_tail
    from beebox.compiler.stubs import xdp_get_buff_len as xdp_get_buff_len
    from beebox.compiler.stubs import xdp_load_bytes as xdp_load_bytes
    from beebox.compiler.stubs import xdp_store_bytes as xdp_store_bytes
    from beebox.compiler.stubs_kernel import check_mtu as check_mtu
    from beebox.compiler.stubs_kernel import clone_redirect as clone_redirect
    from beebox.compiler.stubs_kernel import fib_lookup as fib_lookup
    from beebox.compiler.stubs_kernel import get_cgroup_classid as get_cgroup_classid
    from beebox.compiler.stubs_kernel import get_netns_cookie as get_netns_cookie
    from beebox.compiler.stubs_kernel import get_route_realm as get_route_realm
    from beebox.compiler.stubs_kernel import get_socket_cookie as get_socket_cookie
    from beebox.compiler.stubs_kernel import get_socket_uid as get_socket_uid
    from beebox.compiler.stubs_kernel import lwt_push_encap as lwt_push_encap
    from beebox.compiler.stubs_kernel import lwt_seg6_action as lwt_seg6_action
    from beebox.compiler.stubs_kernel import lwt_seg6_adjust_srh as lwt_seg6_adjust_srh
    from beebox.compiler.stubs_kernel import lwt_seg6_store_bytes as lwt_seg6_store_bytes
    from beebox.compiler.stubs_kernel import redirect as redirect
    from beebox.compiler.stubs_kernel import redirect_map as redirect_map
    from beebox.compiler.stubs_kernel import redirect_neigh as redirect_neigh
    from beebox.compiler.stubs_kernel import redirect_peer as redirect_peer
    from beebox.compiler.stubs_kernel import skb_ancestor_cgroup_id as skb_ancestor_cgroup_id
    from beebox.compiler.stubs_kernel import skb_cgroup_classid as skb_cgroup_classid
    from beebox.compiler.stubs_kernel import skb_cgroup_id as skb_cgroup_id
    from beebox.compiler.stubs_kernel import skb_get_tunnel_key as skb_get_tunnel_key
    from beebox.compiler.stubs_kernel import skb_get_tunnel_opt as skb_get_tunnel_opt
    from beebox.compiler.stubs_kernel import skb_get_xfrm_state as skb_get_xfrm_state
    from beebox.compiler.stubs_kernel import skb_set_tunnel_key as skb_set_tunnel_key
    from beebox.compiler.stubs_kernel import skb_set_tunnel_opt as skb_set_tunnel_opt
    from beebox.compiler.stubs_kernel import (
        tcp_raw_check_syncookie_ipv4 as tcp_raw_check_syncookie_ipv4,
    )
    from beebox.compiler.stubs_kernel import (
        tcp_raw_check_syncookie_ipv6 as tcp_raw_check_syncookie_ipv6,
    )
    from beebox.compiler.stubs_kernel import (
        tcp_raw_gen_syncookie_ipv4 as tcp_raw_gen_syncookie_ipv4,
    )
    from beebox.compiler.stubs_kernel import (
        tcp_raw_gen_syncookie_ipv6 as tcp_raw_gen_syncookie_ipv6,
    )
    from beebox.compiler.stubs_skb import csum_level as csum_level
    from beebox.compiler.stubs_skb import csum_update as csum_update
    from beebox.compiler.stubs_skb import get_hash_recalc as get_hash_recalc
    from beebox.compiler.stubs_skb import l3_csum_replace as l3_csum_replace
    from beebox.compiler.stubs_skb import l4_csum_replace as l4_csum_replace
    from beebox.compiler.stubs_skb import set_hash as set_hash
    from beebox.compiler.stubs_skb import set_hash_invalid as set_hash_invalid
    from beebox.compiler.stubs_skb import skb_adjust_room as skb_adjust_room
    from beebox.compiler.stubs_skb import skb_change_head as skb_change_head
    from beebox.compiler.stubs_skb import skb_change_proto as skb_change_proto
    from beebox.compiler.stubs_skb import skb_change_tail as skb_change_tail
    from beebox.compiler.stubs_skb import skb_change_type as skb_change_type
    from beebox.compiler.stubs_skb import skb_ecn_set_ce as skb_ecn_set_ce
    from beebox.compiler.stubs_skb import skb_load_bytes as skb_load_bytes
    from beebox.compiler.stubs_skb import skb_load_bytes_relative as skb_load_bytes_relative
    from beebox.compiler.stubs_skb import skb_pull_data as skb_pull_data
    from beebox.compiler.stubs_skb import skb_set_tstamp as skb_set_tstamp
    from beebox.compiler.stubs_skb import skb_store_bytes as skb_store_bytes
    from beebox.compiler.stubs_skb import skb_vlan_pop as skb_vlan_pop
    from beebox.compiler.stubs_skb import skb_vlan_push as skb_vlan_push

_EXPORTS = {
    "beebox.api": ("compile link load open_object target_of verify"),
    "beebox.compiler.language": (
        "Array ArrayOfMaps BloomFilter CgroupSkbVerdict Constant CpuMap DevMap DevMapHash "
        "FlowDissectorVerdict Global Hash HashOfMaps LpmTrie LruHash LruPerCpuHash LwtVerdict "
        "MapFlags PacketContext PerCpuArray PerCpuHash ProgArray Queue SkbContext Stack "
        "TcAction UpdateFlags XdpAction XdpContext XskMap array atomic be16 be32 be64 bounded "
        "bswap64 cgroup_skb_egress cgroup_skb_ingress copied flow_dissector htonl htons i16 "
        "i32 i64 i8 ipv4 lwt_in lwt_out lwt_seg6local lwt_xmit ntohl ntohs over section "
        "sizeof socket_filter struct tc tcx_egress tcx_ingress u16 u32 u64 u8 xdp zeroed"
    ),
    "beebox.compiler.structs": ("bpf_flow_keys bpf_fib_lookup bpf_tunnel_key bpf_redir_neigh"),
    "beebox.compiler.stubs": (
        "csum_diff get_numa_node_id get_prandom_u32 get_smp_processor_id jiffies64 "
        "ktime_get_boot_ns ktime_get_coarse_ns ktime_get_ns ktime_get_tai_ns "
        "map_lookup_percpu_elem tail_call trace_printk xdp_adjust_head xdp_adjust_meta "
        "xdp_adjust_tail xdp_get_buff_len xdp_load_bytes xdp_store_bytes"
    ),
    "beebox.compiler.stubs_kernel": (
        "check_mtu clone_redirect fib_lookup get_cgroup_classid get_netns_cookie "
        "get_route_realm get_socket_cookie get_socket_uid lwt_push_encap lwt_seg6_action "
        "lwt_seg6_adjust_srh lwt_seg6_store_bytes redirect redirect_map redirect_neigh "
        "redirect_peer skb_ancestor_cgroup_id skb_cgroup_classid skb_cgroup_id "
        "skb_get_tunnel_key skb_get_tunnel_opt skb_get_xfrm_state skb_set_tunnel_key "
        "skb_set_tunnel_opt tcp_raw_check_syncookie_ipv4 tcp_raw_check_syncookie_ipv6 "
        "tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6"
    ),
    "beebox.compiler.stubs_skb": (
        "csum_level csum_update get_hash_recalc l3_csum_replace l4_csum_replace set_hash "
        "set_hash_invalid skb_adjust_room skb_change_head skb_change_proto skb_change_tail "
        "skb_change_type skb_ecn_set_ce skb_load_bytes skb_load_bytes_relative skb_pull_data "
        "skb_set_tstamp skb_store_bytes skb_vlan_pop skb_vlan_push"
    ),
}
_HOME = {name: module for module, names in _EXPORTS.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'beebox' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
