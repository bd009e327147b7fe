/* Byte order: between the machine's and the network's; constants are swapped by the compiler. */
#ifndef __BPF_ENDIAN__
#define __BPF_ENDIAN__

#define ___bpf_mvb(x, bits, at, to) ((__u##bits)(((x) >> (8 * (at)) & 0xff) << (8 * (to))))
#define ___bpf_swab16(x)                                                                           \
	((__u16)(___bpf_mvb((__u16)(x), 16, 0, 1) | ___bpf_mvb((__u16)(x), 16, 1, 0)))
#define ___bpf_swab32(x)                                                                           \
	((__u32)(___bpf_mvb((__u32)(x), 32, 0, 3) | ___bpf_mvb((__u32)(x), 32, 1, 2) |             \
		 ___bpf_mvb((__u32)(x), 32, 2, 1) | ___bpf_mvb((__u32)(x), 32, 3, 0)))
#define ___bpf_swab64(x)                                                                           \
	((__u64)((__u64)___bpf_swab32((__u64)(x)) << 32 | ___bpf_swab32((__u64)(x) >> 32)))

#define ___bpf_pick_swab(bits, x)                                                                  \
	(__builtin_constant_p(x) ? ___bpf_swab##bits(x) : __builtin_bswap##bits(x))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define bpf_htons(x) ___bpf_pick_swab(16, x)
#define bpf_ntohs(x) ___bpf_pick_swab(16, x)
#define bpf_htonl(x) ___bpf_pick_swab(32, x)
#define bpf_ntohl(x) ___bpf_pick_swab(32, x)
#define bpf_cpu_to_be64(x) ___bpf_pick_swab(64, x)
#define bpf_be64_to_cpu(x) ___bpf_pick_swab(64, x)
#define __bpf_constant_htons(x) ___bpf_swab16(x)
#define __bpf_constant_ntohs(x) ___bpf_swab16(x)
#define __bpf_constant_htonl(x) ___bpf_swab32(x)
#define __bpf_constant_ntohl(x) ___bpf_swab32(x)
#define __bpf_constant_cpu_to_be64(x) ___bpf_swab64(x)
#define __bpf_constant_be64_to_cpu(x) ___bpf_swab64(x)
#elif __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define bpf_htons(x) (x)
#define bpf_ntohs(x) (x)
#define bpf_htonl(x) (x)
#define bpf_ntohl(x) (x)
#define bpf_cpu_to_be64(x) (x)
#define bpf_be64_to_cpu(x) (x)
#define __bpf_constant_htons(x) (x)
#define __bpf_constant_ntohs(x) (x)
#define __bpf_constant_htonl(x) (x)
#define __bpf_constant_ntohl(x) (x)
#define __bpf_constant_cpu_to_be64(x) (x)
#define __bpf_constant_be64_to_cpu(x) (x)
#else
#error "a byte order that is neither little nor big"
#endif

#endif
