/* SPDX-License-Identifier: Apache-2.0 */
/* The records of several files in the order of their keys. Internal to the store. */
#ifndef TEG_STORE_STORE_MERGE_H
#define TEG_STORE_STORE_MERGE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/store/store_file.h"

struct store_merge {
    struct store_file *file; /* [n_files], borrowed */
    size_t n_files;
    size_t *front; /* a heap of the files that have a record to come, the one with the least key
                      first */
    size_t n_front;
    bool placed;    /* the heap is made */
    bool given;     /* the record in front was given out: it is passed before the next is */
    bool has_bound; /* every file of the heap is on its first record that is not below `key` */
    char key[STORE_MAX_KEY + 1]; /* given out last, or sought */
};

int merge_init(struct store_merge *m, struct store_file *files, size_t n_files, struct err *e);
void merge_release(struct store_merge *m);

/* As store_seek and store_next. Where the latter returns 1, m->key is the key and file m->front[0]
 * is on the record. A key that two files hold is an error. */
int merge_seek(struct store_merge *m, const char *from, struct err *e);
int merge_next(struct store_merge *m, struct err *e);

#endif
