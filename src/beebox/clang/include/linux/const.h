/* Constants that assemblers read, too. */
#ifndef _LINUX_CONST_H
#define _LINUX_CONST_H

#define _AC(x, y) (x##y)
#define _UL(x) (_AC(x, UL))
#define _ULL(x) (_AC(x, ULL))
#define _BITUL(x) (_UL(1) << (x))
#define _BITULL(x) (_ULL(1) << (x))

#endif
