/* SPDX-License-Identifier: BSD-2-Clause */
/* The stack's error numbers in plain words. */
#ifndef SERVER_ERRTEXT_H
#define SERVER_ERRTEXT_H

const char *bsd_errtext(int error);

#endif /* SERVER_ERRTEXT_H */
