/* A program that gives up in the middle, and the function that decides what it returns then. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_throw(__u64 cookie) __ksym;

#define __exception_cb(name) __attribute__((btf_decl_tag("exception_callback:" #name)))

__noinline int on_exception(__u64 cookie)
{
	return cookie & 1;
}

static __noinline int deeper(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(3);
	return skb->len;
}

SEC("tc")
__exception_cb(on_exception)
int guarded(struct __sk_buff *skb)
{
	return deeper(skb) + 1;
}

SEC("tc")
int plain(struct __sk_buff *skb)
{
	return deeper(skb);
}

char LICENSE[] SEC("license") = "GPL";
