/* Where XDP programs send packets on to: devices, CPUs, AF_XDP sockets. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 8);
	__uint(key_size, sizeof(int));
	__uint(value_size, sizeof(int));
} devices_by_index SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct bpf_cpumap_val);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

SEC("xdp")
int spread(struct xdp_md *ctx)
{
	switch (ctx->rx_queue_index) {
	case 0:
		return bpf_redirect_map(&devices, 1, BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS);
	case 1:
		return bpf_redirect_map(&devices_by_index, ctx->ingress_ifindex, XDP_PASS);
	case 2:
		return bpf_redirect_map(&cpus, 0, 0);
	default:
		return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS);
	}
}

char LICENSE[] SEC("license") = "GPL";
