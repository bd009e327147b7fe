/*
 * CO-RE: reads whose offsets, and questions whose answers, a loader takes from the BTF of the kernel
 * that the program is loaded into. Names and forms are libbpf's.
 */
#ifndef __BPF_CORE_READ_H__
#define __BPF_CORE_READ_H__

#include "bpf_helpers.h"

/* What clang's builtins take as their second argument. */
enum bpf_field_info_kind {
	BPF_FIELD_BYTE_OFFSET = 0,
	BPF_FIELD_BYTE_SIZE = 1,
	BPF_FIELD_EXISTS = 2,
	BPF_FIELD_SIGNED = 3,
	BPF_FIELD_LSHIFT_U64 = 4,
	BPF_FIELD_RSHIFT_U64 = 5,
};

enum bpf_type_id_kind {
	BPF_TYPE_ID_LOCAL = 0,
	BPF_TYPE_ID_TARGET = 1,
};

enum bpf_type_info_kind {
	BPF_TYPE_EXISTS = 0,
	BPF_TYPE_SIZE = 1,
	BPF_TYPE_MATCHES = 2,
};

enum bpf_enum_value_kind {
	BPF_ENUMVAL_EXISTS = 0,
	BPF_ENUMVAL_VALUE = 1,
};

/* A field is named by an expression (task->pid), or by a type and a path (struct task_struct, pid). */
#define ___bpf_field_ref1(field) (field)
#define ___bpf_field_ref2(type, field) (((typeof(type) *)0)->field)
#define ___bpf_field_ref(args...) ___bpf_apply(___bpf_field_ref, ___bpf_narg(args))(args)

/* Whether the target has the field; its size and its offset in bytes. */
#define bpf_core_field_exists(field...)								\
	__builtin_preserve_field_info(___bpf_field_ref(field), BPF_FIELD_EXISTS)
#define bpf_core_field_size(field...)								\
	__builtin_preserve_field_info(___bpf_field_ref(field), BPF_FIELD_BYTE_SIZE)
#define bpf_core_field_offset(field...)								\
	__builtin_preserve_field_info(___bpf_field_ref(field), BPF_FIELD_BYTE_OFFSET)

/* A type's number in the program's BTF and in the target's (0 if it is not there). */
#define ___bpf_typeof(type) ((typeof(type) *)0)
#define bpf_core_type_id_local(type) __builtin_btf_type_id(*___bpf_typeof(type), BPF_TYPE_ID_LOCAL)
#define bpf_core_type_id_kernel(type)								\
	__builtin_btf_type_id(*___bpf_typeof(type), BPF_TYPE_ID_TARGET)

/* Whether the target has a type of that name, one with the same members, and its size (0: none). */
#define bpf_core_type_exists(type)								\
	__builtin_preserve_type_info(*___bpf_typeof(type), BPF_TYPE_EXISTS)
#define bpf_core_type_matches(type)								\
	__builtin_preserve_type_info(*___bpf_typeof(type), BPF_TYPE_MATCHES)
#define bpf_core_type_size(type) __builtin_preserve_type_info(*___bpf_typeof(type), BPF_TYPE_SIZE)

/* Whether the target's enum has the enumerator, and which value it has there. */
#define bpf_core_enum_value_exists(type, enumerator)						\
	__builtin_preserve_enum_value(*(typeof(type) *)enumerator, BPF_ENUMVAL_EXISTS)
#define bpf_core_enum_value(type, enumerator)							\
	__builtin_preserve_enum_value(*(typeof(type) *)enumerator, BPF_ENUMVAL_VALUE)

/* A pointer of any origin as a pointer to a kernel's type that may be read directly (since 6.2). */
extern void *bpf_rdonly_cast(const void *obj__ign, __u32 btf_id__k) __ksym __weak;
#define bpf_core_cast(pointer, type)								\
	((typeof(type) *)bpf_rdonly_cast((pointer), bpf_core_type_id_kernel(type)))

/* Copy what an expression points to, or the string there. */
#define bpf_core_read(dst, size, src)								\
	bpf_probe_read_kernel(dst, size, (const void *)__builtin_preserve_access_index(src))
#define bpf_core_read_user(dst, size, src)							\
	bpf_probe_read_user(dst, size, (const void *)__builtin_preserve_access_index(src))
#define bpf_core_read_str(dst, size, src)							\
	bpf_probe_read_kernel_str(dst, size, (const void *)__builtin_preserve_access_index(src))
#define bpf_core_read_user_str(dst, size, src)							\
	bpf_probe_read_user_str(dst, size, (const void *)__builtin_preserve_access_index(src))

/*
 * Follow pointers: src->a, then ->b of what was read, and so on, the last one with `last` into dst.
 * `path` is the expression so far, for its type alone; `at` is the value that the walk has reached.
 */
#define ___bpf_hop1(next, last, dst, path, at, a)						\
	last((void *)(dst), sizeof(*(dst)), &((typeof(path))(at))->a);
#define ___bpf_hop2(next, last, dst, path, at, a, rest...)					\
	next((void *)&__t, sizeof(__t), &((typeof(path))(at))->a);				\
	___bpf_hop1(next, last, dst, path->a, __t, rest)
#define ___bpf_hop3(next, last, dst, path, at, a, rest...)					\
	next((void *)&__t, sizeof(__t), &((typeof(path))(at))->a);				\
	___bpf_hop2(next, last, dst, path->a, __t, rest)
#define ___bpf_hop4(next, last, dst, path, at, a, rest...)					\
	next((void *)&__t, sizeof(__t), &((typeof(path))(at))->a);				\
	___bpf_hop3(next, last, dst, path->a, __t, rest)
#define ___bpf_hop5(next, last, dst, path, at, a, rest...)					\
	next((void *)&__t, sizeof(__t), &((typeof(path))(at))->a);				\
	___bpf_hop4(next, last, dst, path->a, __t, rest)
#define ___bpf_hop6(next, last, dst, path, at, a, rest...)					\
	next((void *)&__t, sizeof(__t), &((typeof(path))(at))->a);				\
	___bpf_hop5(next, last, dst, path->a, __t, rest)
#define ___bpf_hop7(next, last, dst, path, at, a, rest...)					\
	next((void *)&__t, sizeof(__t), &((typeof(path))(at))->a);				\
	___bpf_hop6(next, last, dst, path->a, __t, rest)
#define ___bpf_hop8(next, last, dst, path, at, a, rest...)					\
	next((void *)&__t, sizeof(__t), &((typeof(path))(at))->a);				\
	___bpf_hop7(next, last, dst, path->a, __t, rest)
#define ___bpf_hop9(next, last, dst, path, at, a, rest...)					\
	next((void *)&__t, sizeof(__t), &((typeof(path))(at))->a);				\
	___bpf_hop8(next, last, dst, path->a, __t, rest)
#define ___bpf_hops(next, last, dst, src, members...)						\
	({											\
		const void *__t __attribute__((unused));					\
		___bpf_apply(___bpf_hop, ___bpf_narg(members))(next, last, dst, src, src, members) \
	})

/* Read src->a->b...->z into *dst: of the kernel's memory or user space's, with CO-RE or without. */
#define BPF_CORE_READ_INTO(dst, src, a, ...)							\
	___bpf_hops(bpf_core_read, bpf_core_read, dst, (src), a, ##__VA_ARGS__)
#define BPF_CORE_READ_USER_INTO(dst, src, a, ...)						\
	___bpf_hops(bpf_core_read_user, bpf_core_read_user, dst, (src), a, ##__VA_ARGS__)
#define BPF_PROBE_READ_INTO(dst, src, a, ...)							\
	___bpf_hops(bpf_probe_read_kernel, bpf_probe_read_kernel, dst, (src), a, ##__VA_ARGS__)
#define BPF_PROBE_READ_USER_INTO(dst, src, a, ...)						\
	___bpf_hops(bpf_probe_read_user, bpf_probe_read_user, dst, (src), a, ##__VA_ARGS__)

/* The same, for a last member that is a string: it ends with its NUL, or with dst. */
#define BPF_CORE_READ_STR_INTO(dst, src, a, ...)						\
	___bpf_hops(bpf_core_read, bpf_core_read_str, dst, (src), a, ##__VA_ARGS__)
#define BPF_CORE_READ_USER_STR_INTO(dst, src, a, ...)						\
	___bpf_hops(bpf_core_read_user, bpf_core_read_user_str, dst, (src), a, ##__VA_ARGS__)
#define BPF_PROBE_READ_STR_INTO(dst, src, a, ...)						\
	___bpf_hops(bpf_probe_read_kernel, bpf_probe_read_kernel_str, dst, (src), a, ##__VA_ARGS__)
#define BPF_PROBE_READ_USER_STR_INTO(dst, src, a, ...)						\
	___bpf_hops(bpf_probe_read_user, bpf_probe_read_user_str, dst, (src), a, ##__VA_ARGS__)

/* The value of src->a->b...->z; 0 where it cannot be read. */
#define ___bpf_arrow1(src, a) src->a
#define ___bpf_arrow2(src, a, b) src->a->b
#define ___bpf_arrow3(src, a, b, c) src->a->b->c
#define ___bpf_arrow4(src, a, b, c, d) src->a->b->c->d
#define ___bpf_arrow5(src, a, b, c, d, e) src->a->b->c->d->e
#define ___bpf_arrow6(src, a, b, c, d, e, f) src->a->b->c->d->e->f
#define ___bpf_arrow7(src, a, b, c, d, e, f, g) src->a->b->c->d->e->f->g
#define ___bpf_arrow8(src, a, b, c, d, e, f, g, h) src->a->b->c->d->e->f->g->h
#define ___bpf_arrow9(src, a, b, c, d, e, f, g, h, i) src->a->b->c->d->e->f->g->h->i
#define ___bpf_arrow(src, members...)								\
	___bpf_apply(___bpf_arrow, ___bpf_narg(members))(src, members)
#define ___bpf_value(into, src, members...)							\
	({											\
		typeof(___bpf_arrow((src), members)) __r;					\
		into(&__r, (src), members);							\
		__r;										\
	})
#define BPF_CORE_READ(src, a, ...) ___bpf_value(BPF_CORE_READ_INTO, src, a, ##__VA_ARGS__)
#define BPF_CORE_READ_USER(src, a, ...) ___bpf_value(BPF_CORE_READ_USER_INTO, src, a, ##__VA_ARGS__)
#define BPF_PROBE_READ(src, a, ...) ___bpf_value(BPF_PROBE_READ_INTO, src, a, ##__VA_ARGS__)
#define BPF_PROBE_READ_USER(src, a, ...) ___bpf_value(BPF_PROBE_READ_USER_INTO, src, a, ##__VA_ARGS__)

/*
 * Bitfields: the integers around them are read, then shifted left and right, by as much as the target
 * needs. All have 64 bits.
 */
#define __CORE_RELO(src, field, info)								\
	__builtin_preserve_field_info((src)->field, BPF_FIELD_##info)

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ___bpf_low_bytes(value, size) ((void *)(value))
#else
#define ___bpf_low_bytes(value, size) ((void *)(value) + (8 - (size)))
#endif

#define ___bpf_bitfield(value, src, field)							\
	value <<= __CORE_RELO(src, field, LSHIFT_U64);						\
	if (__CORE_RELO(src, field, SIGNED))							\
		value = ((long long)value) >> __CORE_RELO(src, field, RSHIFT_U64);		\
	else											\
		value = value >> __CORE_RELO(src, field, RSHIFT_U64);

/* For programs that may not read the kernel's structs directly. */
#define BPF_CORE_READ_BITFIELD_PROBED(src, field)						\
	({											\
		unsigned long long val = 0;							\
		bpf_probe_read_kernel(								\
			___bpf_low_bytes(&val, __CORE_RELO(src, field, BYTE_SIZE)),		\
			__CORE_RELO(src, field, BYTE_SIZE),					\
			(const void *)src + __CORE_RELO(src, field, BYTE_OFFSET));		\
		___bpf_bitfield(val, src, field)						\
		val;										\
	})

/* For those that may. */
#define BPF_CORE_READ_BITFIELD(src, field)							\
	({											\
		const void *p = (const void *)src + __CORE_RELO(src, field, BYTE_OFFSET);	\
		unsigned long long val;								\
		barrier_var(p); /* one relocation of the address for all four loads */		\
		switch (__CORE_RELO(src, field, BYTE_SIZE)) {					\
		case 1: val = *(const unsigned char *)p; break;					\
		case 2: val = *(const unsigned short *)p; break;				\
		case 4: val = *(const unsigned int *)p; break;					\
		case 8: val = *(const unsigned long long *)p; break;				\
		}										\
		___bpf_bitfield(val, src, field)						\
		val;										\
	})

#define BPF_CORE_WRITE_BITFIELD(dst, field, new_val)						\
	({											\
		void *p = (void *)dst + __CORE_RELO(dst, field, BYTE_OFFSET);			\
		unsigned int byte_size = __CORE_RELO(dst, field, BYTE_SIZE);			\
		unsigned int lshift = __CORE_RELO(dst, field, LSHIFT_U64);			\
		unsigned int rshift = __CORE_RELO(dst, field, RSHIFT_U64);			\
		unsigned long long mask, val = 0, nval = new_val;				\
		barrier_var(p);									\
		switch (byte_size) {								\
		case 1: val = *(unsigned char *)p; break;					\
		case 2: val = *(unsigned short *)p; break;					\
		case 4: val = *(unsigned int *)p; break;					\
		case 8: val = *(unsigned long long *)p; break;					\
		}										\
		mask = (~0ULL << rshift) >> lshift;						\
		val = (val & ~mask) | ((nval << (rshift - lshift)) & mask);			\
		switch (byte_size) {								\
		case 1: *(unsigned char *)p = val; break;					\
		case 2: *(unsigned short *)p = val; break;					\
		case 4: *(unsigned int *)p = val; break;					\
		case 8: *(unsigned long long *)p = val; break;					\
		}										\
	})

#endif
