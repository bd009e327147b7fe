/* A decoder of infrared pulses. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("lirc_mode2")
int decode(unsigned int *sample)
{
	return *sample & 0x00ffffff ? 0 : 1;
}

char LICENSE[] SEC("license") = "GPL";
