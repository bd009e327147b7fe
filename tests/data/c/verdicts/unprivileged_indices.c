/* Loaded without CAP_PERFMON: a variable offset has one limit, which a CPU is kept in. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct row {
	u8 bytes[64];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, struct row);
} rows SEC(".maps");

static struct row *row_of(struct __sk_buff *skb)
{
	u32 key = skb->ifindex;

	return bpf_map_lookup_elem(&rows, &key);
}

SEC("socket")
int ok_masked(struct __sk_buff *skb)
{
	struct row *row = row_of(skb);
	u64 index = skb->len & 63;

	return row ? row->bytes[index] : 0;
}

SEC("socket")
int bad_either_sign(struct __sk_buff *skb)
{
	struct row *row = row_of(skb);
	u64 index = skb->len & 15;
	u8 byte;

	if (!row)
		return 0;
	asm volatile("%[index] += -8\n%[row] += 16\n%[row] += %[index]\n"
		     "%[byte] = *(u8 *)(%[row] + 0)"
		     : [byte] "=r"(byte), [row] "+r"(row), [index] "+r"(index));
	return byte;
}

SEC("socket")
int bad_two_limits(struct __sk_buff *skb)
{
	struct row *row = row_of(skb);
	u64 index = skb->len;
	u8 byte;

	if (!row)
		return 0;
	asm volatile("if %[mark] == 0 goto +2\n%[index] &= 31\ngoto +1\n%[index] &= 7\n"
		     "%[row] += %[index]\n%[byte] = *(u8 *)(%[row] + 0)"
		     : [byte] "=r"(byte), [row] "+r"(row), [index] "+r"(index)
		     : [mark] "r"(skb->mark));
	return byte;
}

SEC("socket")
int bad_past_the_value(struct __sk_buff *skb)
{
	struct row *row = row_of(skb);

	if (!row)
		return 0;
	asm volatile("%[row] += 64\n%[row] += -64" : [row] "+r"(row));
	return row->bytes[0];
}

SEC("socket")
int bad_on_the_stack(struct __sk_buff *skb)
{
	u64 words[2] = {1, 2};
	u8 *byte = (void *)words + (skb->len & 15);

	asm volatile("" : "+r"(byte));
	return *byte;
}

SEC("xdp")
int bad_in_the_packet(struct xdp_md *xdp)
{
	u8 *byte = (u8 *)(long)xdp->data + (xdp->ingress_ifindex & 15);

	asm volatile("" : "+r"(byte));
	if (byte + 1 > (u8 *)(long)xdp->data_end)
		return XDP_DROP;
	return *byte ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
