/* Strings: constant ones, and addresses that are only tried at run time. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

const char format[] = "%d packets\n";
char changing[] = "%d packets\n";

SEC("tc")
int ok_any_address(struct __sk_buff *skb)
{
	return bpf_strlen((const char *)(long)skb->len) == 3;
}

SEC("tc")
int ok_on_the_stack(struct __sk_buff *skb)
{
	char word[4] = "xdp";

	return bpf_strcmp(word, "xdp");
}

SEC("tc")
int ok_constant_format(struct __sk_buff *skb)
{
	u64 data = skb->len;

	return bpf_stream_vprintk_impl(1, format, &data, sizeof(data), 0);
}

SEC("tc")
int bad_format_may_change(struct __sk_buff *skb)
{
	u64 data = skb->len;

	return bpf_stream_vprintk_impl(1, changing, &data, sizeof(data), 0);
}

SEC("tc")
int bad_format_on_the_stack(struct __sk_buff *skb)
{
	char word[4] = "%d\n";
	u64 data = skb->len;

	return bpf_stream_vprintk_impl(1, word, &data, sizeof(data), 0);
}

SEC("tc")
int bad_data_size(struct __sk_buff *skb)
{
	u64 data = skb->len;

	return bpf_stream_vprintk_impl(1, format, &data, 1 << 29, 0);
}

SEC("tc")
int bad_count_is_a_pointer(struct __sk_buff *skb)
{
	return bpf_strnlen((const char *)4096, (unsigned long)skb);
}

char LICENSE[] SEC("license") = "GPL";
