/* SPDX-License-Identifier: BSD-2-Clause */
/* What rumpusd was asked to do: its command line and its configuration file. */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/iface.h"

#define OPTIONS_MAXIFACES 32
#define OPTIONS_MAXSYSCTLS 256
#define OPTIONS_MAXURLS 8
#define OPTIONS_MAXTHREADS 64

struct options {
	bool op_foreground;
	bool op_check;
	bool op_help;
	bool op_version;
	int op_readyfd; /* -1: none */
	unsigned op_threads;
	struct iface_spec op_ifaces[OPTIONS_MAXIFACES];
	unsigned op_nifaces;
	char *op_sysctls[OPTIONS_MAXSYSCTLS]; /* "NAME=VALUE" */
	unsigned op_nsysctls;
	char *op_control; /* NULL: the default path, or none if that cannot be had */
	char *op_pcap;    /* NULL: none */
	char *op_urls[OPTIONS_MAXURLS];
	unsigned op_nurls;
};

/* => false: why holds "what: why; try: ..."; options_free is still to be called. */
bool options_parse(struct options *op, int argc, char **argv, char *why, size_t whylen);
void options_free(struct options *op);

/* The help text; it fits a screen. */
extern const char options_help[];

#endif /* SERVER_OPTIONS_H */
