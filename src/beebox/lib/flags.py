"""Flags and codes of helpers, as linux/bpf.h names them; map flags are ``beebox.MapFlags``."""

from __future__ import annotations

from typing import Final

AF_INET: Final = 2
AF_INET6: Final = 10

# map_update_elem, map_push_elem; also beebox.UpdateFlags
BPF_ANY: Final = 0
BPF_NOEXIST: Final = 1
BPF_EXIST: Final = 2

# skb_store_bytes
BPF_F_RECOMPUTE_CSUM: Final = 1 << 0
BPF_F_INVALIDATE_HASH: Final = 1 << 1

# l4_csum_replace; the size of the field, 2 or 4, in the low four bits
BPF_F_HDR_FIELD_MASK: Final = 0xF
BPF_F_PSEUDO_HDR: Final = 1 << 4
BPF_F_MARK_MANGLED_0: Final = 1 << 5
BPF_F_MARK_ENFORCE: Final = 1 << 6
BPF_F_IPV6: Final = 1 << 7

# skb_get_tunnel_key, skb_set_tunnel_key
BPF_F_TUNINFO_IPV6: Final = 1 << 0
BPF_F_ZERO_CSUM_TX: Final = 1 << 1
BPF_F_DONT_FRAGMENT: Final = 1 << 2
BPF_F_SEQ_NUMBER: Final = 1 << 3
BPF_F_NO_TUNNEL_KEY: Final = 1 << 4
BPF_F_TUNINFO_FLAGS: Final = 1 << 4

# redirect, clone_redirect
BPF_F_INGRESS: Final = 1 << 0

# redirect_map, m.redirect(); the two lowest bits are the verdict where there is no target
BPF_F_BROADCAST: Final = 1 << 3
BPF_F_EXCLUDE_INGRESS: Final = 1 << 4

# skb_adjust_room: modes, flags
BPF_ADJ_ROOM_NET: Final = 0
BPF_ADJ_ROOM_MAC: Final = 1
BPF_F_ADJ_ROOM_FIXED_GSO: Final = 1 << 0
BPF_F_ADJ_ROOM_ENCAP_L3_IPV4: Final = 1 << 1
BPF_F_ADJ_ROOM_ENCAP_L3_IPV6: Final = 1 << 2
BPF_F_ADJ_ROOM_ENCAP_L4_GRE: Final = 1 << 3
BPF_F_ADJ_ROOM_ENCAP_L4_UDP: Final = 1 << 4
BPF_F_ADJ_ROOM_NO_CSUM_RESET: Final = 1 << 5
BPF_F_ADJ_ROOM_ENCAP_L2_ETH: Final = 1 << 6
BPF_F_ADJ_ROOM_DECAP_L3_IPV4: Final = 1 << 7
BPF_F_ADJ_ROOM_DECAP_L3_IPV6: Final = 1 << 8
BPF_ADJ_ROOM_ENCAP_L2_SHIFT: Final = 56

# skb_load_bytes_relative
BPF_HDR_START_MAC: Final = 0
BPF_HDR_START_NET: Final = 1

# fib_lookup: flags, results
BPF_FIB_LOOKUP_DIRECT: Final = 1 << 0
BPF_FIB_LOOKUP_OUTPUT: Final = 1 << 1
BPF_FIB_LOOKUP_SKIP_NEIGH: Final = 1 << 2
BPF_FIB_LOOKUP_TBID: Final = 1 << 3
BPF_FIB_LOOKUP_SRC: Final = 1 << 4
BPF_FIB_LOOKUP_MARK: Final = 1 << 5
BPF_FIB_LKUP_RET_SUCCESS: Final = 0
BPF_FIB_LKUP_RET_BLACKHOLE: Final = 1
BPF_FIB_LKUP_RET_UNREACHABLE: Final = 2
BPF_FIB_LKUP_RET_PROHIBIT: Final = 3
BPF_FIB_LKUP_RET_NOT_FWDED: Final = 4
BPF_FIB_LKUP_RET_FWD_DISABLED: Final = 5
BPF_FIB_LKUP_RET_UNSUPP_LWT: Final = 6
BPF_FIB_LKUP_RET_NO_NEIGH: Final = 7
BPF_FIB_LKUP_RET_FRAG_NEEDED: Final = 8
BPF_FIB_LKUP_RET_NO_SRC_ADDR: Final = 9

# check_mtu: flags, results
BPF_MTU_CHK_SEGS: Final = 1 << 0
BPF_MTU_CHK_RET_SUCCESS: Final = 0
BPF_MTU_CHK_RET_FRAG_NEEDED: Final = 1
BPF_MTU_CHK_RET_SEGS_TOOBIG: Final = 2

# csum_level
BPF_CSUM_LEVEL_QUERY: Final = 0
BPF_CSUM_LEVEL_INC: Final = 1
BPF_CSUM_LEVEL_DEC: Final = 2
BPF_CSUM_LEVEL_RESET: Final = 3

# lwt_push_encap
BPF_LWT_ENCAP_SEG6: Final = 0
BPF_LWT_ENCAP_SEG6_INLINE: Final = 1
BPF_LWT_ENCAP_IP: Final = 2

# skb_set_tstamp: clocks
BPF_SKB_CLOCK_REALTIME: Final = 0
BPF_SKB_CLOCK_MONOTONIC: Final = 1
BPF_SKB_CLOCK_TAI: Final = 2

# skb_change_type (linux/if_packet.h)
PACKET_HOST: Final = 0
PACKET_BROADCAST: Final = 1
PACKET_MULTICAST: Final = 2
PACKET_OTHERHOST: Final = 3
