/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that a preloaded library does not reach: static ones, those of another C library or
 * word size, those that gain privileges by being run, and Go's, whose calls pass every library by.
 * It reads the file's headers only, and trusts nothing in them.
 */
#include "elf.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPTS_MAX 4 /* interpreters of interpreters, as the kernel allows */
#define PHDRS_MAX 128
#define NOTES_MAX 4096

static ssize_t
read_at(int fd, void *buf, size_t n, uint64_t at)
{
	return at > INT64_MAX ? -1 : pread(fd, buf, n, (off_t)at);
}

/* --- privileges ----------------------------------------------------------------------------- */

static const char *
privilege_obstacle(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return NULL;
	if ((st.st_mode & S_ISUID) != 0 && st.st_uid != geteuid())
		return "it is setuid";
	if ((st.st_mode & S_ISGID) != 0 && st.st_gid != getegid())
		return "it is setgid";
	if (geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return "its file has capabilities";
	return NULL;
}

/* --- ELF ------------------------------------------------------------------------------------ */

static bool
notes_of_go(int fd, const Elf64_Phdr *ph)
{
	_Alignas(Elf64_Nhdr) char notes[NOTES_MAX];
	size_t size = ph->p_filesz < sizeof(notes) ? ph->p_filesz : sizeof(notes);
	ssize_t n = read_at(fd, notes, size, ph->p_offset);
	Elf64_Nhdr nh;

	for (ssize_t at = 0; n - at >= (ssize_t)sizeof(nh);) {
		memcpy(&nh, notes + at, sizeof(nh));
		at += (ssize_t)sizeof(nh);
		if (nh.n_namesz > NOTES_MAX || nh.n_descsz > NOTES_MAX)
			return false;
		if (nh.n_namesz == 4 && n - at >= 4 && memcmp(notes + at, "Go\0\0", 4) == 0)
			return true;
		at += (ssize_t)((nh.n_namesz + 3u) & ~3u) + (ssize_t)((nh.n_descsz + 3u) & ~3u);
	}
	return false;
}

/* Our own C library's loader is ld-linux-*.so.*, or ld64.so.* on some machines. */
static const char *
loader_obstacle(int fd, const Elf64_Phdr *ph, char *room, size_t roomlen)
{
	char loader[256] = "", *base;
	size_t size = ph->p_filesz < sizeof(loader) - 1 ? ph->p_filesz : sizeof(loader) - 1;
	ssize_t n = read_at(fd, loader, size, ph->p_offset);

	loader[n > 0 ? n : 0] = '\0';
	base = strrchr(loader, '/');
	base = base != NULL ? base + 1 : loader;
	if (strncmp(base, "ld-linux", 8) == 0 || strncmp(base, "ld64.so", 7) == 0)
		return NULL;
	(void)snprintf(room, roomlen, "it is of another C library (%.200s)", loader);
	return room;
}

static const char *
segments_obstacle(int fd, const Elf64_Ehdr *eh, char *room, size_t roomlen)
{
	const char *why = NULL;
	bool loader = false, go = false;
	Elf64_Phdr ph;

	if (eh->e_phentsize != sizeof(ph) || eh->e_phnum > PHDRS_MAX)
		return "its headers make no sense";
	for (unsigned i = 0; i < eh->e_phnum && why == NULL; i++) {
		if (read_at(fd, &ph, sizeof(ph), eh->e_phoff + i * sizeof(ph)) != sizeof(ph))
			return "its headers make no sense";
		if (ph.p_type == PT_INTERP) {
			loader = true;
			why = loader_obstacle(fd, &ph, room, roomlen);
		} else if (ph.p_type == PT_NOTE) {
			go = go || notes_of_go(fd, &ph);
		}
	}
	if (why == NULL && !loader)
		why = "it is statically linked";
	if (why == NULL && go)
		why = "it is of Go, which makes system calls without the C library";
	return why;
}

static const char *
file_obstacle(int fd, const Elf64_Ehdr *eh, char *room, size_t roomlen)
{
	static const uint16_t little = 1;
	const unsigned char data = *(const unsigned char *)&little == 1 ? ELFDATA2LSB : ELFDATA2MSB;
	const unsigned char class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
	Elf64_Ehdr own;
	int self;

	if (memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0)
		return NULL; /* not for us to judge: the kernel will */
	if (eh->e_ident[EI_CLASS] != class || eh->e_ident[EI_DATA] != data)
		return "it is of another word size";
	self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (self >= 0) {
		bool other = read_at(self, &own, sizeof(own), 0) == sizeof(own) &&
		    own.e_machine != eh->e_machine;

		(void)close(self);
		if (other)
			return "it is of another machine";
	}
	return segments_obstacle(fd, eh, room, roomlen);
}

/* The interpreter that a script names. => false: none */
static bool
script_interpreter(const char *head, char *path, size_t pathlen)
{
	size_t n;

	if (strncmp(head, "#!", 2) != 0)
		return false;
	head += 2 + strspn(head + 2, " \t");
	n = strcspn(head, " \t\n");
	if (n == 0 || n >= pathlen)
		return false;
	memcpy(path, head, n);
	path[n] = '\0';
	return true;
}

const char *
elf_obstacle(const char *path, char *room, size_t roomlen)
{
	union {
		Elf64_Ehdr eh;
		char text[257];
	} head;
	char interpreter[257];

	for (int i = 0; i < SCRIPTS_MAX; i++) {
		const char *why;
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0) /* executable, but not to be read: nothing is known */
			return "its file cannot be read, so that nothing is known of it";
		memset(&head, 0, sizeof(head));
		(void)read_at(fd, head.text, sizeof(head.text) - 1, 0);
		if (script_interpreter(head.text, interpreter, sizeof(interpreter))) {
			(void)close(fd);
			path = interpreter;
			continue;
		}
		why = privilege_obstacle(fd);
		if (why == NULL)
			why = file_obstacle(fd, &head.eh, room, roomlen);
		(void)close(fd);
		return why;
	}
	return "its interpreters make a chain that is too long";
}
