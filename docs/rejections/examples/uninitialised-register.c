#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

SEC("xdp")
__attribute__((naked)) int bad(void)
{
	asm volatile("r6 = *(u32 *)(r1 + 16);"
		     "call 5;" /* bpf_ktime_get_ns */
		     "r0 = r1;"
		     "exit;");
}

SEC("xdp")
__attribute__((naked)) int good(void)
{
	asm volatile("r6 = *(u32 *)(r1 + 16);"
		     "call 5;" /* bpf_ktime_get_ns */
		     "r0 = r6;"
		     "exit;");
}
