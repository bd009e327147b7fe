/*
 * USDT: the arguments and the cookie of a static probe in a user's program. A loader that knows
 * libbpf's two maps fills them when it attaches: where each argument lies, which probe was hit.
 */
#ifndef __USDT_BPF_H__
#define __USDT_BPF_H__

#include <linux/errno.h>
#include "bpf_helpers.h"
#include "bpf_tracing.h"

/* How many different lists of arguments there may be, and how many places that have them. */
#ifndef BPF_USDT_MAX_SPEC_CNT
#define BPF_USDT_MAX_SPEC_CNT 256
#endif
#ifndef BPF_USDT_MAX_IP_CNT
#define BPF_USDT_MAX_IP_CNT (4 * BPF_USDT_MAX_SPEC_CNT)
#endif
#define BPF_USDT_MAX_ARG_CNT 12

enum __bpf_usdt_arg_type {
	BPF_USDT_ARG_CONST,	/* val_off itself */
	BPF_USDT_ARG_REG,	/* a register */
	BPF_USDT_ARG_REG_DEREF, /* what lies val_off behind a register */
	BPF_USDT_ARG_SIB,	/* what lies val_off behind a register and a scaled one */
};

struct __bpf_usdt_arg_spec {
	__u64 val_off;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	__u32 arg_type : 8, idx_reg_off : 12, scale_bitshift : 4, __reserved : 8;
#else
	__u32 __reserved : 8, scale_bitshift : 4, idx_reg_off : 12, arg_type : 8;
#endif
	short reg_off; /* of the register in struct pt_regs */
	_Bool arg_signed;
	char arg_bitshift; /* bits that an argument of less than 8 bytes leaves */
};

struct __bpf_usdt_spec {
	struct __bpf_usdt_arg_spec args[BPF_USDT_MAX_ARG_CNT];
	__u64 usdt_cookie;
	short arg_cnt;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BPF_USDT_MAX_SPEC_CNT);
	__type(key, int);
	__type(value, struct __bpf_usdt_spec);
} __bpf_usdt_specs SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BPF_USDT_MAX_IP_CNT);
	__type(key, long);
	__type(value, __u32);
} __bpf_usdt_ip_to_spec_id SEC(".maps") __weak;

extern const _Bool LINUX_HAS_BPF_COOKIE __kconfig;

/* The probe that was hit; where attachment has no cookie (before 5.15), by its address. */
static __always_inline struct __bpf_usdt_spec *__bpf_usdt_find(struct pt_regs *ctx)
{
	int id;

	if (LINUX_HAS_BPF_COOKIE) {
		id = bpf_get_attach_cookie(ctx);
	} else {
		long ip = PT_REGS_IP(ctx);
		int *found = bpf_map_lookup_elem(&__bpf_usdt_ip_to_spec_id, &ip);

		if (!found)
			return (void *)0;
		id = *found;
	}
	return id < 0 ? (void *)0 : bpf_map_lookup_elem(&__bpf_usdt_specs, &id);
}

/* How many arguments the probe has; negative where it is not known. */
__weak __hidden int bpf_usdt_arg_cnt(struct pt_regs *ctx)
{
	struct __bpf_usdt_spec *spec = __bpf_usdt_find(ctx);

	return spec ? spec->arg_cnt : -ESRCH;
}

static __always_inline int __bpf_usdt_reg(struct pt_regs *ctx, int offset, unsigned long *value)
{
	return bpf_probe_read_kernel(value, sizeof(*value), (void *)ctx + offset);
}

/* Argument number arg_num, from 0, into *res; negative where there is none. */
__weak __hidden int bpf_usdt_arg(struct pt_regs *ctx, __u64 arg_num, long *res)
{
	struct __bpf_usdt_spec *spec = __bpf_usdt_find(ctx);
	struct __bpf_usdt_arg_spec *arg;
	unsigned long value, index = 0;
	int err;

	*res = 0;
	if (!spec)
		return -ESRCH;
	if (arg_num >= BPF_USDT_MAX_ARG_CNT)
		return -ENOENT;
	barrier_var(arg_num);
	if (arg_num >= spec->arg_cnt)
		return -ENOENT;

	arg = &spec->args[arg_num];
	switch (arg->arg_type) {
	case BPF_USDT_ARG_CONST:
		value = arg->val_off;
		break;
	case BPF_USDT_ARG_REG:
		err = __bpf_usdt_reg(ctx, arg->reg_off, &value);
		if (err)
			return err;
		break;
	case BPF_USDT_ARG_SIB:
		err = __bpf_usdt_reg(ctx, arg->idx_reg_off, &index);
		if (err)
			return err;
		index <<= arg->scale_bitshift;
		/* fall through */
	case BPF_USDT_ARG_REG_DEREF:
		err = __bpf_usdt_reg(ctx, arg->reg_off, &value);
		if (err)
			return err;
		err = bpf_probe_read_user(&value, sizeof(value),
					  (void *)(value + index + arg->val_off));
		if (err)
			return err;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		value >>= arg->arg_bitshift;
#endif
		break;
	default:
		return -EINVAL;
	}
	value <<= arg->arg_bitshift;
	*res = arg->arg_signed ? (long)value >> arg->arg_bitshift
			       : (long)(value >> arg->arg_bitshift);
	return 0;
}

/* What the user gave when attaching; 0 by default. */
__weak __hidden long bpf_usdt_cookie(struct pt_regs *ctx)
{
	struct __bpf_usdt_spec *spec = __bpf_usdt_find(ctx);

	return spec ? spec->usdt_cookie : 0;
}

#define ___bpf_usdt_value(at)									\
	({											\
		long _x;									\
		bpf_usdt_arg(ctx, at, &_x);							\
		(void *)_x;									\
	})
#define ___bpf_usdt_args0() ctx
#define ___bpf_usdt_args1(x) ctx, ___bpf_usdt_value(0)
#define ___bpf_usdt_args2(x, args...) ___bpf_usdt_args1(args), ___bpf_usdt_value(1)
#define ___bpf_usdt_args3(x, args...) ___bpf_usdt_args2(args), ___bpf_usdt_value(2)
#define ___bpf_usdt_args4(x, args...) ___bpf_usdt_args3(args), ___bpf_usdt_value(3)
#define ___bpf_usdt_args5(x, args...) ___bpf_usdt_args4(args), ___bpf_usdt_value(4)
#define ___bpf_usdt_args6(x, args...) ___bpf_usdt_args5(args), ___bpf_usdt_value(5)
#define ___bpf_usdt_args7(x, args...) ___bpf_usdt_args6(args), ___bpf_usdt_value(6)
#define ___bpf_usdt_args8(x, args...) ___bpf_usdt_args7(args), ___bpf_usdt_value(7)
#define ___bpf_usdt_args9(x, args...) ___bpf_usdt_args8(args), ___bpf_usdt_value(8)
#define ___bpf_usdt_args10(x, args...) ___bpf_usdt_args9(args), ___bpf_usdt_value(9)
#define ___bpf_usdt_args11(x, args...) ___bpf_usdt_args10(args), ___bpf_usdt_value(10)
#define ___bpf_usdt_args12(x, args...) ___bpf_usdt_args11(args), ___bpf_usdt_value(11)
#define ___bpf_usdt_args(args...) ___bpf_apply(___bpf_usdt_args, ___bpf_narg(args))(args)
#define BPF_USDT(name, args...)									\
	___bpf_wrapper(name, struct pt_regs *ctx, ___bpf_usdt_args(args), ##args)

#endif
