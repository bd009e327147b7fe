/* Helpers without a map: clocks, random numbers, tasks, signals. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct report {
	__u64 at, boot, jiffies;
	__u32 random, cpu, node;
	__u64 uid, cgroup;
	char name[16];
} report;

SEC("tp/syscalls/sys_enter_kill")
int fill(void *ctx)
{
	report.at = bpf_ktime_get_ns();
	report.boot = bpf_ktime_get_boot_ns();
	report.jiffies = bpf_jiffies64();
	report.random = bpf_get_prandom_u32();
	report.cpu = bpf_get_smp_processor_id();
	report.node = bpf_get_numa_node_id();
	report.uid = bpf_get_current_uid_gid();
	report.cgroup = bpf_get_current_cgroup_id();
	return bpf_get_current_comm(report.name, sizeof(report.name));
}

char LICENSE[] SEC("license") = "GPL";
