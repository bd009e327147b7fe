/*
 * What a BPF program written in C starts from: how maps, sections, kernel symbols and arguments
 * are declared, and short ways to print, loop and tail call. The names are libbpf's.
 */
#ifndef __BPF_HELPERS__
#define __BPF_HELPERS__

#ifndef __has_attribute
#define __has_attribute(attribute) 0
#endif

#include "bpf_helper_defs.h"

/* Members of a map's definition: numbers and types that a loader reads out of BTF. */
#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name
#define __array(name, value) typeof(value) *name[]
#define __ulong(name, value) enum { ___bpf_concat(__unique_value, __COUNTER__) = value } name

/* Place a function or an object in a section, and keep it there though nobody refers to it. */
#if __GNUC__ && !__clang__
#define SEC(name) __attribute__((section(name), used))
#else
#define SEC(name)                                                                                  \
	_Pragma("GCC diagnostic push")                                                             \
	_Pragma("GCC diagnostic ignored \"-Wignored-attributes\"")                                 \
	__attribute__((section(name), used))                                                       \
	_Pragma("GCC diagnostic pop")
#endif

/* Headers of a C library have the first of them, too. */
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif

/* A global function that is verified where it is called, like a static one. */
#define __hidden __attribute__((visibility("hidden")))

/* Externs that a loader resolves: of the kernel's configuration, of its symbols. */
#define __kconfig __attribute__((section(".kconfig")))
#define __ksym __attribute__((section(".ksyms")))

/* Pointers in map values. */
#define __kptr __attribute__((btf_type_tag("kptr")))
#define __kptr_untrusted __attribute__((btf_type_tag("kptr_untrusted")))
#define __percpu_kptr __attribute__((btf_type_tag("percpu_kptr")))
#define __uptr __attribute__((btf_type_tag("uptr")))

/* What a global function demands of an argument. */
#define __arg_ctx __attribute__((btf_decl_tag("arg:ctx")))
#define __arg_nonnull __attribute((btf_decl_tag("arg:nonnull")))
#define __arg_nullable __attribute((btf_decl_tag("arg:nullable")))
#define __arg_trusted __attribute((btf_decl_tag("arg:trusted")))
#define __arg_untrusted __attribute((btf_decl_tag("arg:untrusted")))
#define __arg_arena __attribute((btf_decl_tag("arg:arena")))

/* Whether a weak symbol was found when the program was loaded. */
#if defined(__clang__) && defined(__clang_major__) && __clang_major__ >= 13
#define bpf_ksym_exists(symbol)                                                                    \
	({                                                                                         \
		_Static_assert(!__builtin_constant_p(!!symbol),                                    \
			       #symbol " must be declared __weak");                                \
		!!symbol;                                                                          \
	})
#else
#define bpf_ksym_exists(symbol) (!!symbol)
#endif

#ifndef KERNEL_VERSION
#define KERNEL_VERSION(major, minor, patch)                                                        \
	(((major) << 16) + ((minor) << 8) + ((patch) > 255 ? 255 : (patch)))
#endif

#ifndef offsetof
#define offsetof(type, member) ((unsigned long)&((type *)0)->member)
#endif
#ifndef container_of
#define container_of(ptr, type, member)                                                            \
	({                                                                                         \
		void *__inner = (void *)(ptr);                                                     \
		((type *)(__inner - offsetof(type, member)));                                      \
	})
#endif

/* The compiler forgets what it knew of memory, or of one variable. */
#ifndef barrier
#define barrier() asm volatile("" ::: "memory")
#endif
#ifndef barrier_var
#define barrier_var(variable) asm volatile("" : "+r"(variable))
#endif

/* Where control cannot get; if it does, no program is loaded. */
#ifndef __bpf_unreachable
#define __bpf_unreachable() __builtin_trap()
#endif

/* A tail call with a constant index: one that both kernels can turn into a jump. */
#if __clang__ && defined(__bpf__)
static __always_inline void bpf_tail_call_static(void *ctx, const void *map, const __u32 slot)
{
	if (!__builtin_constant_p(slot))
		__bpf_unreachable();
	asm volatile("r1 = %[ctx]\n\t"
		     "r2 = %[map]\n\t"
		     "r3 = %[slot]\n\t"
		     "call 12"
		     :
		     : [ctx] "r"(ctx), [map] "r"(map), [slot] "i"(slot)
		     : "r0", "r1", "r2", "r3", "r4", "r5");
}
#endif

enum libbpf_pin_type {
	LIBBPF_PIN_NONE,
	LIBBPF_PIN_BY_NAME, /* below the bpf file system, under the map's name */
};

/* What an extern of CONFIG_* that says y, n or m holds. */
enum libbpf_tristate {
	TRI_NO = 0,
	TRI_YES = 1,
	TRI_MODULE = 2,
};

/* Arguments counted and visited by the preprocessor. */
#ifndef ___bpf_concat
#define ___bpf_concat(a, b) a##b
#endif
#ifndef ___bpf_apply
#define ___bpf_apply(function, count) ___bpf_concat(function, count)
#endif
#ifndef ___bpf_nth
#define ___bpf_nth(_, _1, _2, _3, _4, _5, _6, _7, _8, _9, _a, _b, _c, n, ...) n
#endif
#ifndef ___bpf_narg
#define ___bpf_narg(...) ___bpf_nth(_, ##__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#endif

#define ___bpf_fill0(array, at, x)
#define ___bpf_fill1(array, at, x) array[at] = x
#define ___bpf_fill2(array, at, x, args...) array[at] = x; ___bpf_fill1(array, at + 1, args)
#define ___bpf_fill3(array, at, x, args...) array[at] = x; ___bpf_fill2(array, at + 1, args)
#define ___bpf_fill4(array, at, x, args...) array[at] = x; ___bpf_fill3(array, at + 1, args)
#define ___bpf_fill5(array, at, x, args...) array[at] = x; ___bpf_fill4(array, at + 1, args)
#define ___bpf_fill6(array, at, x, args...) array[at] = x; ___bpf_fill5(array, at + 1, args)
#define ___bpf_fill7(array, at, x, args...) array[at] = x; ___bpf_fill6(array, at + 1, args)
#define ___bpf_fill8(array, at, x, args...) array[at] = x; ___bpf_fill7(array, at + 1, args)
#define ___bpf_fill9(array, at, x, args...) array[at] = x; ___bpf_fill8(array, at + 1, args)
#define ___bpf_fill10(array, at, x, args...) array[at] = x; ___bpf_fill9(array, at + 1, args)
#define ___bpf_fill11(array, at, x, args...) array[at] = x; ___bpf_fill10(array, at + 1, args)
#define ___bpf_fill12(array, at, x, args...) array[at] = x; ___bpf_fill11(array, at + 1, args)
#define ___bpf_fill(array, args...) ___bpf_apply(___bpf_fill, ___bpf_narg(args))(array, 0, args)

/* The arguments as the array of 64-bit numbers that the printing helpers take. */
#define ___bpf_params(args...)                                                                     \
	unsigned long long ___param[___bpf_narg(args)];                                            \
	_Pragma("GCC diagnostic push")                                                             \
	_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")                                     \
	___bpf_fill(___param, args);                                                               \
	_Pragma("GCC diagnostic pop")

/* Print into the file of an iterator. */
#define BPF_SEQ_PRINTF(seq, fmt, args...)                                                          \
	({                                                                                         \
		static const char ___fmt[] = fmt;                                                  \
		___bpf_params(args)                                                                \
		bpf_seq_printf(seq, ___fmt, sizeof(___fmt), ___param, sizeof(___param));           \
	})

/* Print into a buffer. */
#define BPF_SNPRINTF(out, out_size, fmt, args...)                                                  \
	({                                                                                         \
		static const char ___fmt[] = fmt;                                                  \
		___bpf_params(args)                                                                \
		bpf_snprintf(out, out_size, ___fmt, ___param, sizeof(___param));                   \
	})

/* Kernels without global data (before 5.2) take the format from the stack. */
#ifdef BPF_NO_GLOBAL_DATA
#define BPF_PRINTK_FMT_MOD
#else
#define BPF_PRINTK_FMT_MOD static const
#endif

#define __bpf_printk(fmt, args...)                                                                 \
	({                                                                                         \
		BPF_PRINTK_FMT_MOD char ____fmt[] = fmt;                                           \
		bpf_trace_printk(____fmt, sizeof(____fmt), ##args);                                \
	})
#define __bpf_vprintk(fmt, args...)                                                                \
	({                                                                                         \
		static const char ___fmt[] = fmt;                                                  \
		___bpf_params(args)                                                                \
		bpf_trace_vprintk(___fmt, sizeof(___fmt), ___param, sizeof(___param));             \
	})
#define ___bpf_pick_printk(...)                                                                    \
	___bpf_nth(_, ##__VA_ARGS__, __bpf_vprintk, __bpf_vprintk, __bpf_vprintk, __bpf_vprintk,   \
		   __bpf_vprintk, __bpf_vprintk, __bpf_vprintk, __bpf_vprintk, __bpf_vprintk,      \
		   __bpf_printk, __bpf_printk, __bpf_printk, __bpf_printk)

/* Print a line to the trace log: up to 3 arguments on any kernel, up to 12 since 5.16. */
#define bpf_printk(fmt, args...) ___bpf_pick_printk(args)(fmt, ##args)

/* Open-coded iterators: loops that the verifier follows (since 6.4). */
struct bpf_iter_num;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __weak __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __weak __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __weak __ksym;

/* Each element of an iterator of any kind: bpf_for_each(task, t, NULL, 0) { ... } */
#ifndef bpf_for_each
#define bpf_for_each(type, element, args...)                                                       \
	for (struct bpf_iter_##type ___it                                                          \
		     __attribute__((aligned(8), cleanup(bpf_iter_##type##_destroy))),              \
	     *___new __attribute__((unused)) =                                                     \
		     (bpf_iter_##type##_new(&___it, ##args),                                       \
		      (void)bpf_iter_##type##_destroy, (void *)0);                                 \
	     ((element) = bpf_iter_##type##_next(&___it));)
#endif

/* Each number from start up to end, without end: the verifier knows that it lies between. */
#ifndef bpf_for
#define bpf_for(number, start, end)                                                                \
	for (struct bpf_iter_num ___it                                                             \
		     __attribute__((aligned(8), cleanup(bpf_iter_num_destroy))),                   \
	     *___new __attribute__((unused)) =                                                     \
		     (bpf_iter_num_new(&___it, (start), (end)),                                    \
		      (void)bpf_iter_num_destroy, (void *)0);                                      \
	     ({                                                                                    \
		     int *___at = bpf_iter_num_next(&___it);                                       \
		     (___at && ((number) = *___at, (number) >= (start) && (number) < (end)));      \
	     });)
#endif

/* The body as often as told. */
#ifndef bpf_repeat
#define bpf_repeat(times)                                                                          \
	for (struct bpf_iter_num ___it                                                             \
		     __attribute__((aligned(8), cleanup(bpf_iter_num_destroy))),                   \
	     *___new __attribute__((unused)) =                                                     \
		     (bpf_iter_num_new(&___it, 0, (times)),                                        \
		      (void)bpf_iter_num_destroy, (void *)0);                                      \
	     bpf_iter_num_next(&___it);)
#endif

#endif
