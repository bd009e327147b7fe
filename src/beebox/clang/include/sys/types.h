/* Types of a C library that sources name. */
#ifndef __BEEBOX_SYS_TYPES_H
#define __BEEBOX_SYS_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

#ifndef __VMLINUX_H__
typedef __kernel_pid_t pid_t;
typedef __kernel_uid_t uid_t;
typedef __kernel_gid_t gid_t;
typedef __kernel_ssize_t ssize_t;
#endif

#endif
