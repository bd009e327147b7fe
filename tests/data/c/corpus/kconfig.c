/* The kernel's build: numbers, switches of three states, text, what is not set. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

extern unsigned int LINUX_KERNEL_VERSION __kconfig;
extern unsigned long CONFIG_HZ __kconfig;
extern enum libbpf_tristate CONFIG_BPF_SYSCALL __kconfig;
extern bool CONFIG_BPF_JIT __kconfig;
extern char CONFIG_DEFAULT_TCP_CONG[8] __kconfig __weak;
extern char CONFIG_CGROUP_BPF __kconfig;
extern int CONFIG_NOBODY_HAS_THIS __kconfig __weak;
extern enum libbpf_tristate CONFIG_NOR_THIS __kconfig __weak;
extern bool LINUX_HAS_BPF_COOKIE __kconfig;

unsigned long seen;

SEC("xdp")
int use(struct xdp_md *ctx)
{
	if (LINUX_KERNEL_VERSION < 0x050000)
		return XDP_ABORTED;
	seen = CONFIG_HZ + CONFIG_DEFAULT_TCP_CONG[0] + CONFIG_NOBODY_HAS_THIS;
	if (CONFIG_BPF_SYSCALL != TRI_YES || CONFIG_NOR_THIS != TRI_NO)
		return XDP_DROP;
	if (LINUX_HAS_BPF_COOKIE)
		seen++;
	return CONFIG_BPF_JIT && CONFIG_CGROUP_BPF == 'y' ? XDP_PASS : XDP_TX;
}

char LICENSE[] SEC("license") = "GPL";
