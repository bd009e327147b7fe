/* Tracepoints by their record, by their raw arguments, and both names of each section. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sched_switch_record {
	unsigned short common_type;
	unsigned char common_flags;
	unsigned char common_preempt_count;
	int common_pid;
	char prev_comm[16];
	int prev_pid;
	int prev_prio;
	long prev_state;
	char next_comm[16];
	int next_pid;
	int next_prio;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, int);
	__type(value, __u64);
} switches SEC(".maps");

SEC("tp/sched/sched_switch")
int on_switch(struct sched_switch_record *record)
{
	__u64 one = 1, *count;
	int pid = record->next_pid;

	count = bpf_map_lookup_elem(&switches, &pid);
	if (count)
		*count += 1;
	else
		bpf_map_update_elem(&switches, &pid, &one, BPF_NOEXIST);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_openat")
int on_open(void *record)
{
	char name[16];

	bpf_get_current_comm(name, sizeof(name));
	bpf_printk("%s opens (%d, %u)", name, (int)bpf_get_current_pid_tgid(), bpf_get_smp_processor_id());
	return 0;
}

SEC("raw_tp/sys_enter")
int on_enter(struct bpf_raw_tracepoint_args *ctx)
{
	return ctx->args[1] == 59;
}

SEC("raw_tracepoint/sched_process_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 start;

	bpf_probe_read_kernel(&start, sizeof(start), (void *)ctx->args[0]);
	return start != 0;
}

SEC("raw_tp.w/bpf_test_finish")
int on_finish(struct bpf_raw_tracepoint_args *ctx)
{
	return 0;
}

SEC("raw_tracepoint.w/bpf_test_finish")
int on_finish_too(struct bpf_raw_tracepoint_args *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
