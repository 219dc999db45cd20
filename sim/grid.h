/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast one connection is, for each window, loss, round trip and congestion control. */
#ifndef SIM_GRID_H
#define SIM_GRID_H

#include <stdbool.h>

/*
 * Measures every cell on virtual time and compares it with the file and with theory; prints TAP.
 * update: writes the file instead. => an exit status
 */
int grid_run(const char *path, bool update);

#endif /* SIM_GRID_H */
