// SPDX-License-Identifier: Apache-2.0

// What the modules need of <string.h>, for a compiler that builds for MSVC
// without Microsoft's headers.

#ifndef STRING_H
#define STRING_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

const void *memchr(const void *data, int byte, size_t size);
int memcmp(const void *one, const void *other, size_t size);
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
const char *strchr(const char *text, int byte);
size_t strlen(const char *text);

#ifdef __cplusplus
}
#endif

#endif
