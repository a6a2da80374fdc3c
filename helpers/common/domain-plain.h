/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* XML as libvirt writes it, read without libxml2. */

#include <libxml/parser.h>
#include <stdbool.h>

/* Reads a whole document, if it is as plain as what libvirt writes: ASCII; elements, attributes and
 * text, without references, and before them comments; no declaration, CDATA or DOCTYPE; no default
 * namespace. Such a document is well-formed, and libxml2 would report the same.
 *
 * Calls startElementNs, characters and endElementNs of the handler as libxml2 does, with no
 * namespaces but the prefixes. Returns false when in doubt: then what was reported counts for
 * nothing, and libxml2 has to be asked. */
bool domain_plain_parse(const char *xml, size_t size, const xmlSAXHandler *sax, void *userdata);
