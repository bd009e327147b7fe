/*
 * What the kernel offers to programs by kfuncs, and loops that the verifier does not follow. The
 * names are those of the kernel's own test programs, which sched_ext's use as well.
 */
#ifndef __BPF_EXPERIMENTAL__
#define __BPF_EXPERIMENTAL__

#ifndef __VMLINUX_H__ /* which has its own bool, and a wchar_t that stddef.h has otherwise */
#include <stdbool.h>
#endif
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#ifndef NULL
#define NULL ((void *)0)
#endif

#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define __exception_cb(name) __attribute__((btf_decl_tag("exception_callback:" #name)))

/*
 * Objects of the program's own types, and lists and trees of them. The kernel gives memory by the
 * type's id in the program's BTF and finds out itself how to let it go.
 */
extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym __weak;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym __weak;
extern void *bpf_refcount_acquire_impl(void *kptr, void *meta) __ksym __weak;
extern void *bpf_percpu_obj_new_impl(__u64 local_type_id, void *meta) __ksym __weak;
extern void bpf_percpu_obj_drop_impl(void *kptr, void *meta) __ksym __weak;
#define bpf_obj_new(type) ((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), NULL))
#define bpf_obj_drop(kptr) bpf_obj_drop_impl(kptr, NULL)
#define bpf_refcount_acquire(kptr) bpf_refcount_acquire_impl(kptr, NULL)
#define bpf_percpu_obj_new(type)                                                                   \
	((type __percpu_kptr *)bpf_percpu_obj_new_impl(bpf_core_type_id_local(type), NULL))
#define bpf_percpu_obj_drop(kptr) bpf_percpu_obj_drop_impl(kptr, NULL)

struct bpf_list_head;
struct bpf_list_node;
struct bpf_rb_root;
struct bpf_rb_node;

extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node,
				    void *meta, __u64 off) __ksym __weak;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node,
				   void *meta, __u64 off) __ksym __weak;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym __weak;
extern struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head) __ksym __weak;
#define bpf_list_push_front(head, node) bpf_list_push_front_impl(head, node, NULL, 0)
#define bpf_list_push_back(head, node) bpf_list_push_back_impl(head, node, NULL, 0)

extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root,
					     struct bpf_rb_node *node) __ksym __weak;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b),
			       void *meta, __u64 off) __ksym __weak;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym __weak;
#define bpf_rbtree_add(root, node, less) bpf_rbtree_add_impl(root, node, less, NULL, 0)

/* End the program from any depth, with a value for its exception callback. */
extern void bpf_throw(__u64 cookie) __ksym __weak;

extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;

/*
 * Loops of any length (since 6.9): while (can_loop) { ... }, or cond_break; in a loop's body. Each is
 * one may_goto, written as bytes since not every assembler knows it; the kernel ends the loop after
 * a time of its own.
 */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ___bpf_may_goto(label)                                                                     \
	asm volatile goto("1:.byte 0xe5; .byte 0; .long ((%l[" #label "] - 1b - 8) / 8) & 0xffff;" \
			  " .short 0"                                                              \
			  :                                                                        \
			  :                                                                        \
			  :                                                                        \
			  : label)
#else
#define ___bpf_may_goto(label)                                                                     \
	asm volatile goto("1:.byte 0xe5; .byte 0;"                                                 \
			  " .long (((%l[" #label "] - 1b - 8) / 8) & 0xffff) << 16; .short 0"      \
			  :                                                                        \
			  :                                                                        \
			  :                                                                        \
			  : label)
#endif
#define can_loop                                                                                   \
	({                                                                                         \
		__label__ l_break, l_continue;                                                     \
		bool ret = true;                                                                   \
		___bpf_may_goto(l_break);                                                          \
		goto l_continue;                                                                   \
	l_break:                                                                                   \
		ret = false;                                                                       \
	l_continue:;                                                                               \
		ret;                                                                               \
	})
#define cond_break_label(label)                                                                    \
	({                                                                                         \
		__label__ l_break, l_continue;                                                     \
		___bpf_may_goto(l_break);                                                          \
		goto l_continue;                                                                   \
	l_break:                                                                                   \
		goto label;                                                                        \
	l_continue:;                                                                               \
	})
#define cond_break                                                                                 \
	({                                                                                         \
		__label__ l_break, l_continue;                                                     \
		___bpf_may_goto(l_break);                                                          \
		goto l_continue;                                                                   \
	l_break:                                                                                   \
		break;                                                                             \
	l_continue:;                                                                               \
	})

#endif
