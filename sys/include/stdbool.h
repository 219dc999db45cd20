/* SPDX-License-Identifier: BSD-2-Clause */
/* The freestanding <stdbool.h> of sys/. */
#ifndef _SYS_INCLUDE_STDBOOL_H
#define _SYS_INCLUDE_STDBOOL_H

#define bool _Bool
#define true 1
#define false 0
#define __bool_true_false_are_defined 1

#endif /* _SYS_INCLUDE_STDBOOL_H */
