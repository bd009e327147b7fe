/* Sockets: families, kinds, options. */
#ifndef __BEEBOX_SYS_SOCKET_H
#define __BEEBOX_SYS_SOCKET_H

#include <linux/socket.h>

typedef unsigned int socklen_t;
typedef __kernel_sa_family_t sa_family_t;

#endif
