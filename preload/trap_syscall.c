/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syscall(), by which some libraries (libuv among them) make the calls that older C libraries did
 * not have. On a datagram socket of the stack sendmmsg and recvmmsg must be the traps' own: what
 * goes through the descriptor are records. All other calls, and all of this library's, pass.
 */
#include "preload.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SYSCALL_ARGS 6
#define ERRNO_MAX 4095

/* => as the kernel returns it: -errno */
static long
kernel_call(long number, const long *arg)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = arg[3], r8 __asm__("r8") = arg[4],
			  r9 __asm__("r9") = arg[5];
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(arg[0]), "S"(arg[1]), "d"(arg[2]), "r"(r10), "r"(r8),
			 "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number, x0 __asm__("x0") = arg[0],
			 x1 __asm__("x1") = arg[1], x2 __asm__("x2") = arg[2],
			 x3 __asm__("x3") = arg[3], x4 __asm__("x4") = arg[4],
			 x5 __asm__("x5") = arg[5];

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
#else
#error "how a system call is made on this machine"
#endif
}

static bool
is_dgram_call(long number, int fd)
{
	return (number == SYS_sendmmsg || number == SYS_recvmmsg) && descriptor_dgrams_possible() &&
	    descriptor_is_dgram(descriptor_tag(fd));
}

/*
 * All arguments that a call may have are taken, given or not, as the kernel takes all registers;
 * so the sanitizer must not look.
 */
TRAP __attribute__((no_sanitize_address)) long
syscall(long number, ...)
{
	long arg[SYSCALL_ARGS], result;
	bool dgram;
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < SYSCALL_ARGS; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	if (settings_verbose())
		notice_syscall(number, arg[0], __builtin_return_address(0));
	dgram = is_dgram_call(number, (int)arg[0]);
	if (dgram && number == SYS_sendmmsg)
		return sendmmsg((int)arg[0], (struct mmsghdr *)arg[1], (unsigned)arg[2],
		    (int)arg[3]);
	if (dgram)
		return recvmmsg((int)arg[0], (struct mmsghdr *)arg[1], (unsigned)arg[2],
		    (int)arg[3], (struct timespec *)arg[4]);
	result = kernel_call(number, arg);
	if (result < 0 && result >= -ERRNO_MAX)
		return fail((int)-result);
	return result;
}
