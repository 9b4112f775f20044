/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a store of N records whose keys and values follow from their numbers; goes on where it was
 * killed. usage: helper_store PATH N ORDER, ORDER: sorted, videos (not quite sorted) or shuffled.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/store/store.h"

enum { MAX_VALUE = 300000, FRAMES = 40 };

/* In byte order "v1" < "v1-x" < "v1/00000000", but the frames of v1 are written before v1-x. */
static void videos_key(char *key, size_t size, uint64_t i)
{
    uint64_t video = i / (FRAMES + 1), frame = i % (FRAMES + 1);
    const char *suffix = video % 2 ? "-x" : "";
    if (frame == 0)
        snprintf(key, size, "v%06" PRIu64 "%s", video / 2, suffix);
    else
        snprintf(key, size, "v%06" PRIu64 "%s/%08" PRIu64, video / 2, suffix, frame - 1);
}

static void make_key(char *key, size_t size, const char *order, uint64_t i)
{
    struct rng r;
    rng_init(&r, 1, 0, i);
    if (strcmp(order, "sorted") == 0)
        snprintf(key, size, "%08" PRIu64 "%.*s", i, (int)rng_below(&r, 40),
                 "........................................");
    else if (strcmp(order, "videos") == 0)
        videos_key(key, size, i);
    else
        snprintf(key, size, "%016" PRIx64, rng_u64(&r));
}

/* Mostly small, some with pages of their own, few large; none at all too. */
static size_t make_value(unsigned char *value, uint64_t i)
{
    struct rng r;
    rng_init(&r, 2, 0, i);
    uint64_t kind = rng_below(&r, 100);
    size_t len = rng_below(&r, kind == 0 ? MAX_VALUE : kind < 20 ? 20000 : 400);
    for (size_t at = 0; at < len; at++)
        value[at] = (unsigned char)rng_u32(&r);
    return len;
}

static int write_records(struct store_writer *w, uint64_t n, const char *order, struct err *e)
{
    static unsigned char value[MAX_VALUE];
    char key[STORE_MAX_KEY + 1], last[STORE_MAX_KEY + 1];
    snprintf(last, sizeof last, "%s", store_last_key(w));
    bool skip = store_resumed(w);
    for (uint64_t i = 0; i < n; i++) {
        make_key(key, sizeof key, order, i);
        if (!skip) {
            size_t len = make_value(value, i);
            if (store_put(w, key, value, len, e) < 0)
                return ERR_FAIL;
        }
        if (skip && strcmp(key, last) == 0)
            skip = false;
        /* A commit at a fixed place, as a tool makes one behind a video. */
        if (!skip && i % 1000 == 777 && store_commit(w, 10, e) < 0)
            return ERR_FAIL;
    }
    return store_summary(w, "n", json_new_i64((int64_t)n), e);
}

int main(int argc, char **argv)
{
    struct store_writer *w;
    struct err e = {0};
    if (argc != 4) {
        fprintf(stderr, "usage: helper_store PATH N ORDER\n");
        return 2;
    }
    struct store_spec spec = {.schema = "frames", .version = 1, .tool = "helper_store"};
    uint64_t n = strtoull(argv[2], NULL, 10);
    int rc = store_create(&w, argv[1], &spec, &e);
    if (rc == 0 && (rc = write_records(w, n, argv[3], &e)) < 0)
        store_abandon(w);
    else if (rc == 0)
        rc = store_publish(w, n, &e);
    if (rc < 0)
        fprintf(stderr, "helper_store: error: %s\n", e.text);
    return rc < 0;
}
