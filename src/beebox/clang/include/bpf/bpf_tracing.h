/*
 * Tracing: arguments of kernel and user functions by the machine's registers, and programs written
 * like the functions that they watch. Names and forms are libbpf's; the machine is told by a macro
 * __TARGET_ARCH_x86, _arm64, _s390, _riscv, _loongarch, _powerpc, _arm or _mips.
 */
#ifndef __BPF_TRACING_H__
#define __BPF_TRACING_H__

#include "bpf_helpers.h"
#include "bpf_core_read.h"

struct pt_regs;

/* Registers, as members of struct pt_regs, or of what user space has in its place. */
#if defined(__TARGET_ARCH_x86)

#if defined(__KERNEL__) || defined(__VMLINUX_H__)
#define __PT_PARM1_REG di
#define __PT_PARM2_REG si
#define __PT_PARM3_REG dx
#define __PT_PARM4_REG cx
#define __PT_PARM5_REG r8
#define __PT_PARM6_REG r9
#define __PT_PARM1_SYSCALL_REG di
#define __PT_PARM2_SYSCALL_REG si
#define __PT_PARM3_SYSCALL_REG dx
#define __PT_PARM4_SYSCALL_REG r10
#define __PT_PARM5_SYSCALL_REG r8
#define __PT_PARM6_SYSCALL_REG r9
#define __PT_RET_REG sp
#define __PT_FP_REG bp
#define __PT_RC_REG ax
#define __PT_SP_REG sp
#define __PT_IP_REG ip
#else
#define __PT_PARM1_REG rdi
#define __PT_PARM2_REG rsi
#define __PT_PARM3_REG rdx
#define __PT_PARM4_REG rcx
#define __PT_PARM5_REG r8
#define __PT_PARM6_REG r9
#define __PT_PARM1_SYSCALL_REG rdi
#define __PT_PARM2_SYSCALL_REG rsi
#define __PT_PARM3_SYSCALL_REG rdx
#define __PT_PARM4_SYSCALL_REG r10
#define __PT_PARM5_SYSCALL_REG r8
#define __PT_PARM6_SYSCALL_REG r9
#define __PT_RET_REG rsp
#define __PT_FP_REG rbp
#define __PT_RC_REG rax
#define __PT_SP_REG rsp
#define __PT_IP_REG rip
#endif

#elif defined(__TARGET_ARCH_arm64)

/* The first argument of a system call, which its result overwrites, lies beside the registers. */
struct pt_regs___arm64 {
	unsigned long orig_x0;
} __attribute__((preserve_access_index));

#define __PT_REGS_CAST(x) ((const struct user_pt_regs *)(x))
#define __PT_PARM1_REG regs[0]
#define __PT_PARM2_REG regs[1]
#define __PT_PARM3_REG regs[2]
#define __PT_PARM4_REG regs[3]
#define __PT_PARM5_REG regs[4]
#define __PT_PARM6_REG regs[5]
#define __PT_PARM7_REG regs[6]
#define __PT_PARM8_REG regs[7]
#define __PT_PARM2_SYSCALL_REG regs[1]
#define __PT_PARM3_SYSCALL_REG regs[2]
#define __PT_PARM4_SYSCALL_REG regs[3]
#define __PT_PARM5_SYSCALL_REG regs[4]
#define __PT_PARM6_SYSCALL_REG regs[5]
#define __PT_RET_REG regs[30]
#define __PT_FP_REG regs[29]
#define __PT_RC_REG regs[0]
#define __PT_SP_REG sp
#define __PT_IP_REG pc
#define PT_REGS_PARM1_SYSCALL(x) PT_REGS_PARM1_CORE_SYSCALL(x)
#define PT_REGS_PARM1_CORE_SYSCALL(x)								\
	BPF_CORE_READ((const struct pt_regs___arm64 *)(x), orig_x0)

#elif defined(__TARGET_ARCH_s390)

/* The first argument of a system call, which its result overwrites, lies beside the registers. */
struct pt_regs___s390 {
	unsigned long orig_gpr2;
} __attribute__((preserve_access_index));

#define __PT_REGS_CAST(x) ((const user_pt_regs *)(x))
#define __PT_PARM1_REG gprs[2]
#define __PT_PARM2_REG gprs[3]
#define __PT_PARM3_REG gprs[4]
#define __PT_PARM4_REG gprs[5]
#define __PT_PARM5_REG gprs[6]
#define __PT_PARM2_SYSCALL_REG gprs[3]
#define __PT_PARM3_SYSCALL_REG gprs[4]
#define __PT_PARM4_SYSCALL_REG gprs[5]
#define __PT_PARM5_SYSCALL_REG gprs[6]
#define __PT_PARM6_SYSCALL_REG gprs[7]
#define __PT_RET_REG gprs[14]
#define __PT_FP_REG gprs[11]
#define __PT_RC_REG gprs[2]
#define __PT_SP_REG gprs[15]
#define __PT_IP_REG psw.addr
#define PT_REGS_PARM1_SYSCALL(x) PT_REGS_PARM1_CORE_SYSCALL(x)
#define PT_REGS_PARM1_CORE_SYSCALL(x)								\
	BPF_CORE_READ((const struct pt_regs___s390 *)(x), orig_gpr2)

#elif defined(__TARGET_ARCH_riscv)

/* The first argument of a system call, which its result overwrites, lies beside the registers. */
struct pt_regs___riscv {
	unsigned long orig_a0;
} __attribute__((preserve_access_index));

#define __PT_REGS_CAST(x) ((const struct user_regs_struct *)(x))
#define __PT_PARM1_REG a0
#define __PT_PARM2_REG a1
#define __PT_PARM3_REG a2
#define __PT_PARM4_REG a3
#define __PT_PARM5_REG a4
#define __PT_PARM6_REG a5
#define __PT_PARM7_REG a6
#define __PT_PARM8_REG a7
#define __PT_PARM2_SYSCALL_REG a1
#define __PT_PARM3_SYSCALL_REG a2
#define __PT_PARM4_SYSCALL_REG a3
#define __PT_PARM5_SYSCALL_REG a4
#define __PT_PARM6_SYSCALL_REG a5
#define __PT_RET_REG ra
#define __PT_FP_REG s0
#define __PT_RC_REG a0
#define __PT_SP_REG sp
#define __PT_IP_REG pc
#define PT_REGS_PARM1_SYSCALL(x) PT_REGS_PARM1_CORE_SYSCALL(x)
#define PT_REGS_PARM1_CORE_SYSCALL(x)								\
	BPF_CORE_READ((const struct pt_regs___riscv *)(x), orig_a0)
#define PT_REGS_SYSCALL_REGS(ctx) ctx /* no wrappers around system calls */

#elif defined(__TARGET_ARCH_loongarch)

/* The first argument of a system call, which its result overwrites, lies beside the registers. */
struct pt_regs___loongarch {
	unsigned long orig_a0;
} __attribute__((preserve_access_index));

#define __PT_REGS_CAST(x) ((const struct user_pt_regs *)(x))
#define __PT_PARM1_REG regs[4]
#define __PT_PARM2_REG regs[5]
#define __PT_PARM3_REG regs[6]
#define __PT_PARM4_REG regs[7]
#define __PT_PARM5_REG regs[8]
#define __PT_PARM6_REG regs[9]
#define __PT_PARM7_REG regs[10]
#define __PT_PARM8_REG regs[11]
#define __PT_PARM2_SYSCALL_REG regs[5]
#define __PT_PARM3_SYSCALL_REG regs[6]
#define __PT_PARM4_SYSCALL_REG regs[7]
#define __PT_PARM5_SYSCALL_REG regs[8]
#define __PT_PARM6_SYSCALL_REG regs[9]
#define __PT_RET_REG regs[1]
#define __PT_FP_REG regs[22]
#define __PT_RC_REG regs[4]
#define __PT_SP_REG regs[3]
#define __PT_IP_REG csr_era
#define PT_REGS_PARM1_SYSCALL(x) PT_REGS_PARM1_CORE_SYSCALL(x)
#define PT_REGS_PARM1_CORE_SYSCALL(x)								\
	BPF_CORE_READ((const struct pt_regs___loongarch *)(x), orig_a0)
#define PT_REGS_SYSCALL_REGS(ctx) ctx /* no wrappers around system calls */

#elif defined(__TARGET_ARCH_powerpc)

#define __PT_PARM1_REG gpr[3]
#define __PT_PARM2_REG gpr[4]
#define __PT_PARM3_REG gpr[5]
#define __PT_PARM4_REG gpr[6]
#define __PT_PARM5_REG gpr[7]
#define __PT_PARM6_REG gpr[8]
#define __PT_PARM7_REG gpr[9]
#define __PT_PARM8_REG gpr[10]
#define __PT_PARM1_SYSCALL_REG orig_gpr3
#define __PT_PARM2_SYSCALL_REG gpr[4]
#define __PT_PARM3_SYSCALL_REG gpr[5]
#define __PT_PARM4_SYSCALL_REG gpr[6]
#define __PT_PARM5_SYSCALL_REG gpr[7]
#define __PT_PARM6_SYSCALL_REG gpr[8]
#define __PT_RET_REG link
#define __PT_FP_REG gpr[31]
#define __PT_RC_REG gpr[3]
#define __PT_SP_REG gpr[1]
#define __PT_IP_REG nip
#define PT_REGS_SYSCALL_REGS(ctx) ctx /* no wrappers around system calls */

#elif defined(__TARGET_ARCH_arm)

#define __PT_PARM1_REG uregs[0]
#define __PT_PARM2_REG uregs[1]
#define __PT_PARM3_REG uregs[2]
#define __PT_PARM4_REG uregs[3]
#define __PT_PARM1_SYSCALL_REG uregs[0]
#define __PT_PARM2_SYSCALL_REG uregs[1]
#define __PT_PARM3_SYSCALL_REG uregs[2]
#define __PT_PARM4_SYSCALL_REG uregs[3]
#define __PT_PARM5_SYSCALL_REG uregs[4]
#define __PT_PARM6_SYSCALL_REG uregs[5]
#define __PT_PARM7_SYSCALL_REG uregs[6]
#define __PT_RET_REG uregs[14]
#define __PT_FP_REG uregs[11]
#define __PT_RC_REG uregs[0]
#define __PT_SP_REG uregs[13]
#define __PT_IP_REG uregs[15] /* pc: libbpf takes uregs[12], a scratch register */
#define PT_REGS_SYSCALL_REGS(ctx) ctx /* no wrappers around system calls */

#elif defined(__TARGET_ARCH_mips)

#define __PT_PARM1_REG regs[4]
#define __PT_PARM2_REG regs[5]
#define __PT_PARM3_REG regs[6]
#define __PT_PARM4_REG regs[7]
#define __PT_PARM5_REG regs[8]
#define __PT_PARM6_REG regs[9]
#define __PT_PARM7_REG regs[10]
#define __PT_PARM8_REG regs[11]
#define __PT_PARM1_SYSCALL_REG regs[4]
#define __PT_PARM2_SYSCALL_REG regs[5]
#define __PT_PARM3_SYSCALL_REG regs[6]
#define __PT_PARM4_SYSCALL_REG regs[7]
#define __PT_PARM5_SYSCALL_REG regs[8]
#define __PT_PARM6_SYSCALL_REG regs[9]
#define __PT_RET_REG regs[31]
#define __PT_FP_REG regs[30]
#define __PT_RC_REG regs[2]
#define __PT_SP_REG regs[29]
#define __PT_IP_REG cp0_epc
#define PT_REGS_SYSCALL_REGS(ctx) ctx /* no wrappers around system calls */

#else
#define __BPF_TARGET_MISSING "GCC error \"the machine is not told: define __TARGET_ARCH_...\""
#endif

#ifndef __PT_REGS_CAST
#define __PT_REGS_CAST(x) (x)
#endif

#ifdef __BPF_TARGET_MISSING
#define ___bpf_reg(x, register) ({ _Pragma(__BPF_TARGET_MISSING); 0l; })
#define ___bpf_reg_core(x, register) ({ _Pragma(__BPF_TARGET_MISSING); 0l; })
#else
#define ___bpf_reg(x, register) (__PT_REGS_CAST(x)->register)
#define ___bpf_reg_core(x, register) BPF_CORE_READ(__PT_REGS_CAST(x), register)
#endif

/* Arguments of a function at its entry, what it returns, and where it is; _CORE reads by CO-RE. */
#define PT_REGS_PARM1(x) ___bpf_reg(x, __PT_PARM1_REG)
#define PT_REGS_PARM2(x) ___bpf_reg(x, __PT_PARM2_REG)
#define PT_REGS_PARM3(x) ___bpf_reg(x, __PT_PARM3_REG)
#define PT_REGS_PARM4(x) ___bpf_reg(x, __PT_PARM4_REG)
#define PT_REGS_PARM5(x) ___bpf_reg(x, __PT_PARM5_REG)
#define PT_REGS_PARM6(x) ___bpf_reg(x, __PT_PARM6_REG)
#define PT_REGS_PARM7(x) ___bpf_reg(x, __PT_PARM7_REG)
#define PT_REGS_PARM8(x) ___bpf_reg(x, __PT_PARM8_REG)
#define PT_REGS_RET(x) ___bpf_reg(x, __PT_RET_REG)
#define PT_REGS_FP(x) ___bpf_reg(x, __PT_FP_REG)
#define PT_REGS_RC(x) ___bpf_reg(x, __PT_RC_REG)
#define PT_REGS_SP(x) ___bpf_reg(x, __PT_SP_REG)
#define PT_REGS_IP(x) ___bpf_reg(x, __PT_IP_REG)

#define PT_REGS_PARM1_CORE(x) ___bpf_reg_core(x, __PT_PARM1_REG)
#define PT_REGS_PARM2_CORE(x) ___bpf_reg_core(x, __PT_PARM2_REG)
#define PT_REGS_PARM3_CORE(x) ___bpf_reg_core(x, __PT_PARM3_REG)
#define PT_REGS_PARM4_CORE(x) ___bpf_reg_core(x, __PT_PARM4_REG)
#define PT_REGS_PARM5_CORE(x) ___bpf_reg_core(x, __PT_PARM5_REG)
#define PT_REGS_PARM6_CORE(x) ___bpf_reg_core(x, __PT_PARM6_REG)
#define PT_REGS_PARM7_CORE(x) ___bpf_reg_core(x, __PT_PARM7_REG)
#define PT_REGS_PARM8_CORE(x) ___bpf_reg_core(x, __PT_PARM8_REG)
#define PT_REGS_RET_CORE(x) ___bpf_reg_core(x, __PT_RET_REG)
#define PT_REGS_FP_CORE(x) ___bpf_reg_core(x, __PT_FP_REG)
#define PT_REGS_RC_CORE(x) ___bpf_reg_core(x, __PT_RC_REG)
#define PT_REGS_SP_CORE(x) ___bpf_reg_core(x, __PT_SP_REG)
#define PT_REGS_IP_CORE(x) ___bpf_reg_core(x, __PT_IP_REG)

/* Arguments of a system call, from the registers that PT_REGS_SYSCALL_REGS gives. */
#ifndef PT_REGS_PARM1_SYSCALL
#define PT_REGS_PARM1_SYSCALL(x) ___bpf_reg(x, __PT_PARM1_SYSCALL_REG)
#endif
#define PT_REGS_PARM2_SYSCALL(x) ___bpf_reg(x, __PT_PARM2_SYSCALL_REG)
#define PT_REGS_PARM3_SYSCALL(x) ___bpf_reg(x, __PT_PARM3_SYSCALL_REG)
#define PT_REGS_PARM4_SYSCALL(x) ___bpf_reg(x, __PT_PARM4_SYSCALL_REG)
#define PT_REGS_PARM5_SYSCALL(x) ___bpf_reg(x, __PT_PARM5_SYSCALL_REG)
#define PT_REGS_PARM6_SYSCALL(x) ___bpf_reg(x, __PT_PARM6_SYSCALL_REG)
#define PT_REGS_PARM7_SYSCALL(x) ___bpf_reg(x, __PT_PARM7_SYSCALL_REG)
#ifndef PT_REGS_PARM1_CORE_SYSCALL
#define PT_REGS_PARM1_CORE_SYSCALL(x) ___bpf_reg_core(x, __PT_PARM1_SYSCALL_REG)
#endif
#define PT_REGS_PARM2_CORE_SYSCALL(x) ___bpf_reg_core(x, __PT_PARM2_SYSCALL_REG)
#define PT_REGS_PARM3_CORE_SYSCALL(x) ___bpf_reg_core(x, __PT_PARM3_SYSCALL_REG)
#define PT_REGS_PARM4_CORE_SYSCALL(x) ___bpf_reg_core(x, __PT_PARM4_SYSCALL_REG)
#define PT_REGS_PARM5_CORE_SYSCALL(x) ___bpf_reg_core(x, __PT_PARM5_SYSCALL_REG)
#define PT_REGS_PARM6_CORE_SYSCALL(x) ___bpf_reg_core(x, __PT_PARM6_SYSCALL_REG)
#define PT_REGS_PARM7_CORE_SYSCALL(x) ___bpf_reg_core(x, __PT_PARM7_SYSCALL_REG)

#ifndef PT_REGS_SYSCALL_REGS
#define PT_REGS_SYSCALL_REGS(ctx) ((struct pt_regs *)PT_REGS_PARM1(ctx))
#endif

/* Where a function that a kprobe or kretprobe is on will return to, or has returned to. */
#if defined(__TARGET_ARCH_powerpc)
#define BPF_KPROBE_READ_RET_IP(ip, ctx) ({ (ip) = (ctx)->link; })
#define BPF_KRETPROBE_READ_RET_IP BPF_KPROBE_READ_RET_IP
#else
#define BPF_KPROBE_READ_RET_IP(ip, ctx)								\
	({ bpf_probe_read_kernel(&(ip), sizeof(ip), (void *)PT_REGS_RET(ctx)); })
#define BPF_KRETPROBE_READ_RET_IP(ip, ctx)							\
	({ bpf_probe_read_kernel(&(ip), sizeof(ip), (void *)(PT_REGS_FP(ctx) + sizeof(ip))); })
#endif

/*
 * A program NAME that calls a function ____NAME, whose arguments are taken out of the context: what
 * the author writes after the macro is the body of the second.
 */
#define ___bpf_wrapper(name, context, call, params...)						\
	name(context);										\
	static __always_inline typeof(name(0)) ____##name(context, ##params);			\
	typeof(name(0)) name(context)								\
	{											\
		_Pragma("GCC diagnostic push")							\
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")				\
		return ____##name(call);							\
		_Pragma("GCC diagnostic pop")							\
	}											\
	static __always_inline typeof(name(0)) ____##name(context, ##params)

/* fentry, fexit, fmod_ret, tp_btf, lsm, iter, struct_ops: the context is an array of u64. */
#define ___bpf_ctx_cast0() ctx
#define ___bpf_ctx_cast1(x) ctx, (void *)ctx[0]
#define ___bpf_ctx_cast2(x, args...) ___bpf_ctx_cast1(args), (void *)ctx[1]
#define ___bpf_ctx_cast3(x, args...) ___bpf_ctx_cast2(args), (void *)ctx[2]
#define ___bpf_ctx_cast4(x, args...) ___bpf_ctx_cast3(args), (void *)ctx[3]
#define ___bpf_ctx_cast5(x, args...) ___bpf_ctx_cast4(args), (void *)ctx[4]
#define ___bpf_ctx_cast6(x, args...) ___bpf_ctx_cast5(args), (void *)ctx[5]
#define ___bpf_ctx_cast7(x, args...) ___bpf_ctx_cast6(args), (void *)ctx[6]
#define ___bpf_ctx_cast8(x, args...) ___bpf_ctx_cast7(args), (void *)ctx[7]
#define ___bpf_ctx_cast9(x, args...) ___bpf_ctx_cast8(args), (void *)ctx[8]
#define ___bpf_ctx_cast10(x, args...) ___bpf_ctx_cast9(args), (void *)ctx[9]
#define ___bpf_ctx_cast11(x, args...) ___bpf_ctx_cast10(args), (void *)ctx[10]
#define ___bpf_ctx_cast12(x, args...) ___bpf_ctx_cast11(args), (void *)ctx[11]
#define ___bpf_ctx_cast(args...) ___bpf_apply(___bpf_ctx_cast, ___bpf_narg(args))(args)
#define BPF_PROG(name, args...)									\
	___bpf_wrapper(name, unsigned long long *ctx, ___bpf_ctx_cast(args), ##args)

/*
 * The same for functions that take structs by value: BPF_PROG2(name, int, number, struct pair, both).
 * A struct of more than 8 bytes takes two elements of the context.
 */
#define ___bpf_nth2(_, _1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, \
	_18, _19, _20, _21, _22, _23, _24, n, ...) n
#define ___bpf_narg2(...)									\
	___bpf_nth2(_, ##__VA_ARGS__, 12, 12, 11, 11, 10, 10, 9, 9, 8, 8, 7, 7, 6, 6, 5, 5, 4, 4, 3, \
		    3, 2, 2, 1, 1, 0)
#define ___bpf_slots(type) ((sizeof(type) + 7) / 8)
#define ___bpf_slots_of0() 0
#define ___bpf_slots_of1(t, x) (___bpf_slots(t) + ___bpf_slots_of0())
#define ___bpf_slots_of2(t, x, args...) (___bpf_slots(t) + ___bpf_slots_of1(args))
#define ___bpf_slots_of3(t, x, args...) (___bpf_slots(t) + ___bpf_slots_of2(args))
#define ___bpf_slots_of4(t, x, args...) (___bpf_slots(t) + ___bpf_slots_of3(args))
#define ___bpf_slots_of5(t, x, args...) (___bpf_slots(t) + ___bpf_slots_of4(args))
#define ___bpf_slots_of6(t, x, args...) (___bpf_slots(t) + ___bpf_slots_of5(args))
#define ___bpf_slots_of7(t, x, args...) (___bpf_slots(t) + ___bpf_slots_of6(args))
#define ___bpf_slots_of8(t, x, args...) (___bpf_slots(t) + ___bpf_slots_of7(args))
#define ___bpf_slots_of9(t, x, args...) (___bpf_slots(t) + ___bpf_slots_of8(args))
#define ___bpf_slots_of10(t, x, args...) (___bpf_slots(t) + ___bpf_slots_of9(args))
#define ___bpf_slots_of11(t, x, args...) (___bpf_slots(t) + ___bpf_slots_of10(args))
#define ___bpf_slots_of12(t, x, args...) (___bpf_slots(t) + ___bpf_slots_of11(args))
#define ___bpf_slots_of(args...) ___bpf_apply(___bpf_slots_of, ___bpf_narg2(args))(args)
#define ___bpf_from_slot(type, bits, at)							\
	({											\
		union {										\
			__u##bits raw;								\
			type value;								\
		} ___slot = { .raw = ctx[at] };							\
		___slot.value;									\
	})
#define ___bpf_from_slots(type, at)								\
	({											\
		union {										\
			__u64 raw[2];								\
			type value;								\
		} ___slot = { .raw = { ctx[at], ctx[(at) + 1] } };				\
		___slot.value;									\
	})
#define ___bpf_ctx_value(type, at)								\
	__builtin_choose_expr(sizeof(type) == 1, ___bpf_from_slot(type, 8, at),			\
	__builtin_choose_expr(sizeof(type) == 2, ___bpf_from_slot(type, 16, at),		\
	__builtin_choose_expr(sizeof(type) == 4, ___bpf_from_slot(type, 32, at),		\
	__builtin_choose_expr(sizeof(type) <= 8, ___bpf_from_slot(type, 64, at),		\
	__builtin_choose_expr(sizeof(type) <= 16, ___bpf_from_slots(type, at), (void)0)))))
#define ___bpf_ctx_arg0(count)
#define ___bpf_ctx_arg1(count, t, x) , ___bpf_ctx_value(t, (count) - ___bpf_slots_of1(t, x))
#define ___bpf_ctx_arg2(count, t, x, args...) , ___bpf_ctx_value(t, (count) - ___bpf_slots_of2(t, x, args)) ___bpf_ctx_arg1(count, args)
#define ___bpf_ctx_arg3(count, t, x, args...) , ___bpf_ctx_value(t, (count) - ___bpf_slots_of3(t, x, args)) ___bpf_ctx_arg2(count, args)
#define ___bpf_ctx_arg4(count, t, x, args...) , ___bpf_ctx_value(t, (count) - ___bpf_slots_of4(t, x, args)) ___bpf_ctx_arg3(count, args)
#define ___bpf_ctx_arg5(count, t, x, args...) , ___bpf_ctx_value(t, (count) - ___bpf_slots_of5(t, x, args)) ___bpf_ctx_arg4(count, args)
#define ___bpf_ctx_arg6(count, t, x, args...) , ___bpf_ctx_value(t, (count) - ___bpf_slots_of6(t, x, args)) ___bpf_ctx_arg5(count, args)
#define ___bpf_ctx_arg7(count, t, x, args...) , ___bpf_ctx_value(t, (count) - ___bpf_slots_of7(t, x, args)) ___bpf_ctx_arg6(count, args)
#define ___bpf_ctx_arg8(count, t, x, args...) , ___bpf_ctx_value(t, (count) - ___bpf_slots_of8(t, x, args)) ___bpf_ctx_arg7(count, args)
#define ___bpf_ctx_arg9(count, t, x, args...) , ___bpf_ctx_value(t, (count) - ___bpf_slots_of9(t, x, args)) ___bpf_ctx_arg8(count, args)
#define ___bpf_ctx_arg10(count, t, x, args...) , ___bpf_ctx_value(t, (count) - ___bpf_slots_of10(t, x, args)) ___bpf_ctx_arg9(count, args)
#define ___bpf_ctx_arg11(count, t, x, args...) , ___bpf_ctx_value(t, (count) - ___bpf_slots_of11(t, x, args)) ___bpf_ctx_arg10(count, args)
#define ___bpf_ctx_arg12(count, t, x, args...) , ___bpf_ctx_value(t, (count) - ___bpf_slots_of12(t, x, args)) ___bpf_ctx_arg11(count, args)
#define ___bpf_ctx_arg(args...)									\
	___bpf_apply(___bpf_ctx_arg, ___bpf_narg2(args))(___bpf_slots_of(args), ##args)
#define ___bpf_ctx_decl0()
#define ___bpf_ctx_decl1(t, x) , t x
#define ___bpf_ctx_decl2(t, x, args...) , t x ___bpf_ctx_decl1(args)
#define ___bpf_ctx_decl3(t, x, args...) , t x ___bpf_ctx_decl2(args)
#define ___bpf_ctx_decl4(t, x, args...) , t x ___bpf_ctx_decl3(args)
#define ___bpf_ctx_decl5(t, x, args...) , t x ___bpf_ctx_decl4(args)
#define ___bpf_ctx_decl6(t, x, args...) , t x ___bpf_ctx_decl5(args)
#define ___bpf_ctx_decl7(t, x, args...) , t x ___bpf_ctx_decl6(args)
#define ___bpf_ctx_decl8(t, x, args...) , t x ___bpf_ctx_decl7(args)
#define ___bpf_ctx_decl9(t, x, args...) , t x ___bpf_ctx_decl8(args)
#define ___bpf_ctx_decl10(t, x, args...) , t x ___bpf_ctx_decl9(args)
#define ___bpf_ctx_decl11(t, x, args...) , t x ___bpf_ctx_decl10(args)
#define ___bpf_ctx_decl12(t, x, args...) , t x ___bpf_ctx_decl11(args)
#define ___bpf_ctx_decl(args...) ___bpf_apply(___bpf_ctx_decl, ___bpf_narg2(args))(args)
#define BPF_PROG2(name, args...)								\
	name(unsigned long long *ctx);								\
	static __always_inline typeof(name(0)) ____##name(unsigned long long *ctx ___bpf_ctx_decl(args)); \
	typeof(name(0)) name(unsigned long long *ctx)						\
	{											\
		return ____##name(ctx ___bpf_ctx_arg(args));					\
	}											\
	static __always_inline typeof(name(0)) ____##name(unsigned long long *ctx ___bpf_ctx_decl(args))

/* kprobe and uprobe: the arguments that the function was called with. */
#define ___bpf_kprobe_args0() ctx
#define ___bpf_kprobe_args1(x) ctx, (unsigned long long)PT_REGS_PARM1(ctx)
#define ___bpf_kprobe_args2(x, args...)								\
	___bpf_kprobe_args1(args), (unsigned long long)PT_REGS_PARM2(ctx)
#define ___bpf_kprobe_args3(x, args...)								\
	___bpf_kprobe_args2(args), (unsigned long long)PT_REGS_PARM3(ctx)
#define ___bpf_kprobe_args4(x, args...)								\
	___bpf_kprobe_args3(args), (unsigned long long)PT_REGS_PARM4(ctx)
#define ___bpf_kprobe_args5(x, args...)								\
	___bpf_kprobe_args4(args), (unsigned long long)PT_REGS_PARM5(ctx)
#define ___bpf_kprobe_args6(x, args...)								\
	___bpf_kprobe_args5(args), (unsigned long long)PT_REGS_PARM6(ctx)
#define ___bpf_kprobe_args7(x, args...)								\
	___bpf_kprobe_args6(args), (unsigned long long)PT_REGS_PARM7(ctx)
#define ___bpf_kprobe_args8(x, args...)								\
	___bpf_kprobe_args7(args), (unsigned long long)PT_REGS_PARM8(ctx)
#define ___bpf_kprobe_args(args...) ___bpf_apply(___bpf_kprobe_args, ___bpf_narg(args))(args)
#define BPF_KPROBE(name, args...)								\
	___bpf_wrapper(name, struct pt_regs *ctx, ___bpf_kprobe_args(args), ##args)
#define BPF_UPROBE(name, args...) BPF_KPROBE(name, ##args)

/* kretprobe and uretprobe: what the function returned. */
#define ___bpf_kretprobe_args0() ctx
#define ___bpf_kretprobe_args1(x) ctx, (unsigned long long)PT_REGS_RC(ctx)
#define ___bpf_kretprobe_args(args...) ___bpf_apply(___bpf_kretprobe_args, ___bpf_narg(args))(args)
#define BPF_KRETPROBE(name, args...)								\
	___bpf_wrapper(name, struct pt_regs *ctx, ___bpf_kretprobe_args(args), ##args)
#define BPF_URETPROBE(name, args...) BPF_KRETPROBE(name, ##args)

/* ksyscall: the arguments of a system call, whether or not the kernel wraps its functions. */
#define ___bpf_syscall_args0() ctx
#define ___bpf_syscall_args1(x) ctx, (unsigned long long)PT_REGS_PARM1_SYSCALL(regs)
#define ___bpf_syscall_args2(x, args...)							\
	___bpf_syscall_args1(args), (unsigned long long)PT_REGS_PARM2_SYSCALL(regs)
#define ___bpf_syscall_args3(x, args...)							\
	___bpf_syscall_args2(args), (unsigned long long)PT_REGS_PARM3_SYSCALL(regs)
#define ___bpf_syscall_args4(x, args...)							\
	___bpf_syscall_args3(args), (unsigned long long)PT_REGS_PARM4_SYSCALL(regs)
#define ___bpf_syscall_args5(x, args...)							\
	___bpf_syscall_args4(args), (unsigned long long)PT_REGS_PARM5_SYSCALL(regs)
#define ___bpf_syscall_args6(x, args...)							\
	___bpf_syscall_args5(args), (unsigned long long)PT_REGS_PARM6_SYSCALL(regs)
#define ___bpf_syscall_args7(x, args...)							\
	___bpf_syscall_args6(args), (unsigned long long)PT_REGS_PARM7_SYSCALL(regs)
#define ___bpf_syscall_args(args...) ___bpf_apply(___bpf_syscall_args, ___bpf_narg(args))(args)
#define ___bpf_syswrap_args0() ctx
#define ___bpf_syswrap_args1(x) ctx, (unsigned long long)PT_REGS_PARM1_CORE_SYSCALL(regs)
#define ___bpf_syswrap_args2(x, args...)							\
	___bpf_syswrap_args1(args), (unsigned long long)PT_REGS_PARM2_CORE_SYSCALL(regs)
#define ___bpf_syswrap_args3(x, args...)							\
	___bpf_syswrap_args2(args), (unsigned long long)PT_REGS_PARM3_CORE_SYSCALL(regs)
#define ___bpf_syswrap_args4(x, args...)							\
	___bpf_syswrap_args3(args), (unsigned long long)PT_REGS_PARM4_CORE_SYSCALL(regs)
#define ___bpf_syswrap_args5(x, args...)							\
	___bpf_syswrap_args4(args), (unsigned long long)PT_REGS_PARM5_CORE_SYSCALL(regs)
#define ___bpf_syswrap_args6(x, args...)							\
	___bpf_syswrap_args5(args), (unsigned long long)PT_REGS_PARM6_CORE_SYSCALL(regs)
#define ___bpf_syswrap_args7(x, args...)							\
	___bpf_syswrap_args6(args), (unsigned long long)PT_REGS_PARM7_CORE_SYSCALL(regs)
#define ___bpf_syswrap_args(args...) ___bpf_apply(___bpf_syswrap_args, ___bpf_narg(args))(args)
#define BPF_KSYSCALL(name, args...)								\
	name(struct pt_regs *ctx);								\
	extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;					\
	static __always_inline typeof(name(0)) ____##name(struct pt_regs *ctx, ##args);		\
	typeof(name(0)) name(struct pt_regs *ctx)						\
	{											\
		struct pt_regs *regs = LINUX_HAS_SYSCALL_WRAPPER				\
					       ? (struct pt_regs *)PT_REGS_PARM1(ctx)		\
					       : ctx;						\
		_Pragma("GCC diagnostic push")							\
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")				\
		if (LINUX_HAS_SYSCALL_WRAPPER)							\
			return ____##name(___bpf_syswrap_args(args));				\
		else										\
			return ____##name(___bpf_syscall_args(args));				\
		_Pragma("GCC diagnostic pop")							\
	}											\
	static __always_inline typeof(name(0)) ____##name(struct pt_regs *ctx, ##args)
#define BPF_KPROBE_SYSCALL BPF_KSYSCALL

#endif
