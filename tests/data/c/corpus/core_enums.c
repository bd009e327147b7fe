/* Enumerators by name: their values in the kernel, of 32 bits and of 64, negative too. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>


enum bpf_map_type___mine {
	BPF_MAP_TYPE_RINGBUF___mine = 5,
};

enum huge {
	HUGE_VALUE = 0x123456789abcULL,
};

s64 values[6];

SEC("xdp")
int ask(struct xdp_md *ctx)
{
	values[0] = bpf_core_enum_value(enum bpf_attach_type, BPF_TRACE_ITER);
	values[1] = bpf_core_enum_value(enum pid_type, PIDTYPE_SID);
	values[2] = bpf_core_enum_value(enum bpf_map_type___mine, BPF_MAP_TYPE_RINGBUF___mine);
	values[3] = bpf_core_enum_value(enum bpf_adj_room_mode, BPF_ADJ_ROOM_MAC);
	values[4] = bpf_core_enum_value(enum lru_list, LRU_UNEVICTABLE);
	values[5] = bpf_core_enum_value_exists(enum huge, HUGE_VALUE);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
