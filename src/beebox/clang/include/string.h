/* Functions that the compiler expands in place: there is no library to call. */
#ifndef __BEEBOX_STRING_H
#define __BEEBOX_STRING_H

#include <stddef.h>

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *text);

#endif
