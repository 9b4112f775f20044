/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store in several files. `--shard I/N` has a tool write the I-th of N shards of a store PATH,
 * the file PATH.I-of-N: a whole store by itself, with every N-th item (video) of those that PATH
 * would hold, in the order in which they would be written. store_open takes the N files for PATH
 * (schemas/README.md).
 *
 *     struct shard shard = {0};
 *     shard_parse(&shard, "2/8", &e);
 *     for (i = 0; i < n_videos; i++)
 *         if (shard_has(&shard, i)) ...
 */
#ifndef TEG_STORE_SHARD_H
#define TEG_STORE_SHARD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

enum { SHARD_MAX = 9999, SHARD_TEXT_BYTES = 24 };
#define SHARD_SETTING "shard" /* member of `settings` in `!meta` */

struct shard {
    int number, of; /* 1 <= number <= of <= SHARD_MAX; both 0: all of a store, in one file */
};

/* "I/N" as the option takes it and as the setting holds it. */
int shard_parse(struct shard *s, const char *text, struct err *e);
void shard_text(const struct shard *s, char out[SHARD_TEXT_BYTES]);

/* Whether the item at this position of the order of writing belongs to the shard. */
bool shard_has(const struct shard *s, size_t item);

/* PATH.I-of-N, or PATH for all of it; caller frees. */
char *shard_path(const struct shard *s, const char *path, struct err *e);

/* Reads the name of a file: true where it is `store` with ".I-of-N", or ".I-of-N.part" (`part`),
 * behind it. */
bool shard_from_name(struct shard *s, bool *part, const char *name, const char *store);

#endif
