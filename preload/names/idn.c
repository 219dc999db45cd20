/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host names of other alphabets, and the module's table.
 *
 * By libidn2 when it is there, as the C library does it; names of plain ASCII need none.
 */
#include "names.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define IDN_LIBRARY "libidn2.so.0"

typedef int idn_call(const char *in, char **out, int flags);

static bool
is_ascii(const char *name)
{
	for (; *name != '\0'; name++) {
		if ((unsigned char)*name >= 0x80)
			return false;
	}
	return true;
}

static int
copied(const char *name, char **outp)
{
	*outp = strdup(name);
	return *outp != NULL ? 0 : EAI_MEMORY;
}

/* => 0 or EAI_*. The library stays: look-ups come in numbers. */
static int
translated(const char *call, const char *name, char **outp)
{
	void *library = dlopen(IDN_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	idn_call *translate = NULL;

	if (library != NULL)
		*(void **)&translate = dlsym(library, call);
	if (translate == NULL || translate(name, outp, 0) != 0)
		return EAI_IDN_ENCODE;
	return 0;
}

int
names_to_ascii(const char *name, char **outp)
{
	if (is_ascii(name))
		return copied(name, outp);
	return translated("idn2_lookup_ul", name, outp);
}

int
names_to_unicode(const char *name, char **outp)
{
	if (strstr(name, "xn--") == NULL || translated("idn2_to_unicode_lzlz", name, outp) != 0)
		return copied(name, outp);
	return 0;
}

__attribute__((visibility("default"))) const struct names_ops rumpus_names = {
    .no_addresses = names_addresses,
    .no_byname = names_byname,
    .no_byaddr = names_byaddr,
    .no_send = names_send,
    .no_setup = names_setup,
    .no_to_ascii = names_to_ascii,
    .no_to_unicode = names_to_unicode,
};
