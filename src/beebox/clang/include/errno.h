/* Errors by number; there is no variable errno. */
#ifndef __BEEBOX_ERRNO_H
#define __BEEBOX_ERRNO_H

#include <asm/errno.h>

#endif
