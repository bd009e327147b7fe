/* Byte order; the functions on text are a library's. */
#ifndef __BEEBOX_ARPA_INET_H
#define __BEEBOX_ARPA_INET_H

#include <netinet/in.h>

#endif
