// Exception callbacks: the function that makes the program's result of what was thrown.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define __exception_cb(name) __attribute__((btf_decl_tag("exception_callback:" #name)))

char _license[] SEC("license") = "GPL";

extern void bpf_throw(__u64 cookie) __ksym;

__noinline int in_range(__u64 cookie)
{
	return cookie & 1;
}

__noinline int out_of_range(__u64 cookie)
{
	return 64;
}

__noinline int whatever(__u64 cookie)
{
	return cookie;
}

__noinline int two_arguments(__u64 cookie, __u64 more)
{
	return cookie & more & 1;
}

__noinline int of_context(struct __sk_buff *skb)
{
	return skb->len & 1;
}

__noinline int throws_again(__u64 cookie)
{
	bpf_throw(cookie);
	return 0;
}

__noinline int loads(__u64 cookie)
{
	return *(volatile int *)cookie & 1;
}

SEC("cgroup_skb/egress")
__exception_cb(in_range)
int ok_in_range(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(64);
	return 1;
}

SEC("cgroup_skb/egress")
__exception_cb(out_of_range)
int bad_out_of_range(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(0);
	return 1;
}

SEC("cgroup_skb/egress")
__exception_cb(out_of_range)
int bad_even_if_nothing_is_thrown(struct __sk_buff *skb)
{
	return 1;
}

SEC("tc")
__exception_cb(whatever)
int ok_any_result(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(skb->len);
	return 1;
}

SEC("tc")
__exception_cb(two_arguments)
int bad_two_arguments(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(0);
	return 1;
}

SEC("tc")
__exception_cb(of_context)
int bad_of_context(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(0);
	return 1;
}

SEC("tc")
__exception_cb(loads)
int bad_loads(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(0);
	return 1;
}

SEC("tc")
__exception_cb(whatever)
int bad_called_directly(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(0);
	return whatever(skb->len);
}

__attribute__((used)) static int unexported(__u64 cookie)
{
	return 0;
}

SEC("tc")
__exception_cb(unexported)
int bad_static(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(0);
	return 1;
}

SEC("tc")
__exception_cb(whatever)
__exception_cb(of_context)
int bad_named_twice(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(0);
	return 1;
}

SEC("tc")
__exception_cb(throws_again)
int bad_throws_again(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(0);
	return 1;
}
