/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of a store's file below LMDB, which trusts what it maps: a foreign, truncated or damaged
 * file would crash it. LMDB's file format version 1, 64-bit, as liblmdb 0.9 writes it. Internal to
 * the store.
 */
#ifndef TEG_STORE_STORE_PAGES_H
#define TEG_STORE_STORE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

enum pages_depth {
    PAGES_HEADER, /* the two header pages */
    PAGES_TREE, /* as well each page of the tree of keys, where those are few (PAGES_MAX_AT_OPEN) */
    PAGES_ALL,  /* as well each page of the tree and the head of each long value */
};

/* 16 MiB, about 300 000 records: what a reader checks whole before it hands the file to LMDB. */
enum { PAGES_MAX_AT_OPEN = 4096 };

/* `file_bytes`: size of the file, a map of which holds all of it. Errors do not name the file. */
int pages_check(const char *path, enum pages_depth depth, size_t *file_bytes, struct err *e);

/* Whether the file is empty, or ends before LMDB's second header: the disk was full when it was
 * begun, and nothing is in it. */
bool pages_are_none(int fd);

#endif
