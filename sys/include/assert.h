/* SPDX-License-Identifier: BSD-2-Clause */
/* The freestanding <assert.h> of sys/: static_assert only. What is checked at run time is KASSERT. */
#ifndef _SYS_INCLUDE_ASSERT_H
#define _SYS_INCLUDE_ASSERT_H

#define static_assert _Static_assert

#endif /* _SYS_INCLUDE_ASSERT_H */
