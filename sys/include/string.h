/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The freestanding <string.h> of sys/: the four functions that any C environment provides, and no
 * others. They are spelled as builtins because -ffreestanding would otherwise keep the compiler
 * from turning a copy of a few bytes into a load and a store.
 */
#ifndef _SYS_INCLUDE_STRING_H
#define _SYS_INCLUDE_STRING_H

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t len);
void *memmove(void *dst, const void *src, size_t len);
void *memset(void *dst, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);

#define memcpy(dst, src, len) __builtin_memcpy(dst, src, len)
#define memmove(dst, src, len) __builtin_memmove(dst, src, len)
#define memset(dst, byte, len) __builtin_memset(dst, byte, len)
#define memcmp(a, b, len) __builtin_memcmp(a, b, len)

#endif /* _SYS_INCLUDE_STRING_H */
