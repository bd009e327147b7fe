/* Bytes in the opposite order. */
#ifndef _LINUX_SWAB_H
#define _LINUX_SWAB_H

#include <linux/types.h>

#define ___constant_swab16(x) ((__u16)(((__u16)(x) & 0x00ffU) << 8 | ((__u16)(x) & 0xff00U) >> 8))
#define ___constant_swab32(x)                                                                      \
	((__u32)(((__u32)(x) & 0x000000ffUL) << 24 | ((__u32)(x) & 0x0000ff00UL) << 8 |            \
		 ((__u32)(x) & 0x00ff0000UL) >> 8 | ((__u32)(x) & 0xff000000UL) >> 24))
#define ___constant_swab64(x)                                                                      \
	((__u64)((__u64)___constant_swab32((__u64)(x)) << 32 |                                     \
		 ___constant_swab32((__u64)(x) >> 32)))
#define __swab16(x) ((__u16)(__builtin_constant_p(x) ? ___constant_swab16(x) : __builtin_bswap16(x)))
#define __swab32(x) ((__u32)(__builtin_constant_p(x) ? ___constant_swab32(x) : __builtin_bswap32(x)))
#define __swab64(x) ((__u64)(__builtin_constant_p(x) ? ___constant_swab64(x) : __builtin_bswap64(x)))

#endif
