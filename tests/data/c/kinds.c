/* Every kind of BTF that clang emits for BPF, kept by one pointer-free variable each. */
#include "bpf.h"

enum colour { RED = -1, GREEN = 7 };
enum wide { SMALL = 1, LARGE = 0x123456789ULL };
union either {
	__u32 number;
	__u8 bytes[4];
};
struct node {
	struct node *next;
	const char *restrict name;
	volatile __u32 *hits;
	struct unknown *opaque;
	int (*compare)(struct node *, __u64);
};
struct bits {
	__u32 low : 3;
	__u32 high : 5;
	__s32 sign : 4;
	enum colour colour : 4;
};
struct mixed {
	struct bits bits;
	union {
		__u16 port;
		__u8 parts[2];
	};
	union either either;
	enum colour colour;
	_Bool yes;
	char name[16];
	__s64 far;
	double ratio;
};
#define __tag(text) __attribute__((btf_decl_tag(text)))
#define __type_tag(text) __attribute__((btf_type_tag(text)))

struct mixed mixed = {.port = 8080, .colour = GREEN, .name = "mixed", .far = -2};
struct node nodes[2] __tag("list");
enum wide wide = LARGE;
int __type_tag("user") *tagged;

SEC("xdp") int kinds(struct xdp_md *ctx)
{
	mixed.far += 1;
	nodes[1].next = 0;
	tagged = 0;
	return wide == SMALL ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
