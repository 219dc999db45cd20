/* SPDX-License-Identifier: BSD-2-Clause */
/* Which sanitizer this is built with; gcc and clang tell it in different ways. */
#ifndef HOST_LINUX_SANITIZE_H
#define HOST_LINUX_SANITIZE_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HOST_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define HOST_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(HOST_ASAN)
#define HOST_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__) && !defined(HOST_TSAN)
#define HOST_TSAN 1
#endif
#ifndef HOST_ASAN
#define HOST_ASAN 0
#endif
#ifndef HOST_TSAN
#define HOST_TSAN 0
#endif

#endif /* HOST_LINUX_SANITIZE_H */
