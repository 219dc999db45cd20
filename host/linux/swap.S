/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host_linux_swap(to, save_sp, to_sp): pushes what a call must preserve, leaves the stack pointer
 * in *save_sp, takes to_sp instead and pops the same. A new stack holds a frame made by hand whose
 * return address is context_boot, which then finds `to` in the register of its first argument.
 * Floating-point control words are not switched: the stack does not touch them.
 */
#if defined(__x86_64__)
	.text
	.globl host_linux_swap
	.hidden host_linux_swap
	.type host_linux_swap, @function
	.p2align 4
host_linux_swap:
	.cfi_startproc
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rsi)
	movq %rdx, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.cfi_endproc
	.size host_linux_swap, . - host_linux_swap
#elif defined(__aarch64__)
	.text
	.globl host_linux_swap
	.hidden host_linux_swap
	.type host_linux_swap, %function
	.p2align 4
host_linux_swap:
	.cfi_startproc
	sub sp, sp, #176
	stp x19, x20, [sp, #0]
	stp x21, x22, [sp, #16]
	stp x23, x24, [sp, #32]
	stp x25, x26, [sp, #48]
	stp x27, x28, [sp, #64]
	stp x29, x30, [sp, #80]
	str x30, [sp, #96]
	stp d8, d9, [sp, #112]
	stp d10, d11, [sp, #128]
	stp d12, d13, [sp, #144]
	stp d14, d15, [sp, #160]
	mov x3, sp
	str x3, [x1]
	mov sp, x2
	ldp x19, x20, [sp, #0]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	ldr x3, [sp, #96]
	ldp d8, d9, [sp, #112]
	ldp d10, d11, [sp, #128]
	ldp d12, d13, [sp, #144]
	ldp d14, d15, [sp, #160]
	add sp, sp, #176
	ret x3
	.cfi_endproc
	.size host_linux_swap, . - host_linux_swap
#endif

	.section .note.GNU-stack, "", %progbits
