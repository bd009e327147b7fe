/* Tunnels: flags of GRE and of tunnel keys. */
#ifndef _IF_TUNNEL_H_
#define _IF_TUNNEL_H_

#include <linux/types.h>
#include <linux/if.h>
#include <linux/ip.h>
#include <linux/in6.h>
#include <asm/byteorder.h>

#define GRE_CSUM __cpu_to_be16(0x8000)
#define GRE_ROUTING __cpu_to_be16(0x4000)
#define GRE_KEY __cpu_to_be16(0x2000)
#define GRE_SEQ __cpu_to_be16(0x1000)
#define GRE_STRICT __cpu_to_be16(0x0800)
#define GRE_REC __cpu_to_be16(0x0700)
#define GRE_ACK __cpu_to_be16(0x0080)
#define GRE_FLAGS __cpu_to_be16(0x0078)
#define GRE_VERSION __cpu_to_be16(0x0007)
#define TUNNEL_CSUM __cpu_to_be16(0x0001)
#define TUNNEL_ROUTING __cpu_to_be16(0x0002)
#define TUNNEL_KEY __cpu_to_be16(0x0004)
#define TUNNEL_SEQ __cpu_to_be16(0x0008)
#define TUNNEL_STRICT __cpu_to_be16(0x0010)
#define TUNNEL_REC __cpu_to_be16(0x0020)
#define TUNNEL_VERSION __cpu_to_be16(0x0040)
#define TUNNEL_NO_KEY __cpu_to_be16(0x0080)
#define TUNNEL_DONT_FRAGMENT __cpu_to_be16(0x0100)
#define TUNNEL_OAM __cpu_to_be16(0x0200)
#define TUNNEL_CRIT_OPT __cpu_to_be16(0x0400)
#define TUNNEL_GENEVE_OPT __cpu_to_be16(0x0800)
#define TUNNEL_VXLAN_OPT __cpu_to_be16(0x1000)
#define TUNNEL_NOCACHE __cpu_to_be16(0x2000)
#define TUNNEL_ERSPAN_OPT __cpu_to_be16(0x4000)

#endif
