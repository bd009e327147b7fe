/* Events to user space: as many buffers as there are CPUs, which no entries means. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, int);
	__type(value, int);
} all_cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 2);
	__uint(map_flags, BPF_F_PRESERVE_ELEMS);
	__uint(key_size, 4);
	__uint(value_size, 4);
} two SEC(".maps");

SEC("xdp")
int sample(struct xdp_md *ctx)
{
	__u32 size = ctx->data_end - ctx->data;
	__u64 flags = BPF_F_CURRENT_CPU | (__u64)(size > 64 ? 64 : size) << 32;

	bpf_perf_event_output(ctx, &all_cpus, flags, &size, sizeof(size));
	bpf_perf_event_output(ctx, &two, 1, &size, sizeof(size));
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
