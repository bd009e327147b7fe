/* Arrays: plain, per CPU, for mmap, and one of typedef'd types. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

typedef __u32 index_t;
typedef struct {
	__u64 sum;
	__u32 count;
} cell_t;

enum { CELLS = 12 };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CELLS);
	__type(key, index_t);
	__type(value, cell_t);
} cells SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CELLS);
	__type(key, __u32);
	__type(value, cell_t);
} cells_here SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, int);
	__type(value, __u64);
} shared SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 33);
} odd SEC(".maps");

SEC("xdp")
int use(struct xdp_md *ctx)
{
	index_t index = ctx->rx_queue_index % CELLS;
	cell_t *cell = bpf_map_lookup_elem(&cells, &index);
	cell_t *here = bpf_map_lookup_elem(&cells_here, &index);
	cell_t *other = bpf_map_lookup_percpu_elem(&cells_here, &index, 0);
	__u64 *word = bpf_map_lookup_elem(&shared, &index);
	char *text;

	index = 0;
	text = bpf_map_lookup_elem(&odd, &index);
	if (!cell || !here || !word || !text || !other)
		return XDP_ABORTED;
	cell->sum += ctx->data_end - ctx->data;
	here->count += other->count;
	*word = cell->sum;
	return text[32] ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
