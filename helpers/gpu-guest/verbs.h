/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What gpu-guest can be asked for, and the options it can be asked with. Each verb returns what
 * main() does: 0, 1 failed (it has said why), 2 usage. */

#include <stdbool.h>

typedef struct Request {
        bool json;
        bool follow;
        const char *argument; /* NULL: none */
} Request;

int verb_check(const Request *request);
int verb_report(const Request *request);
int verb_status(const Request *request);
int verb_try(const Request *request);
int verb_return(const Request *request);
