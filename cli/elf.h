/* SPDX-License-Identifier: BSD-2-Clause */
/* Can a program be preloaded? A look at its file. */
#ifndef CLI_ELF_H
#define CLI_ELF_H

#include <stddef.h>

/*
 * Why the file at path cannot be run with a preloaded library, in words; NULL if it can.
 * => Scripts are judged by their interpreter.
 * => The text is static, or in room.
 */
const char *elf_obstacle(const char *path, char *room, size_t roomlen);

#endif /* CLI_ELF_H */
