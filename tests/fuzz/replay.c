/* SPDX-License-Identifier: Apache-2.0 */
/* The main program of every fuzz entry in tests: replays files and prints TAP. See fuzz.h. */
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/rng.h"

#define CORPUS    "tests/fuzz/corpus"
#define N_CHANGES 500

struct replay {
    const char *folder; /* of the corpus: NAME/good or NAME/bad */
    int expected;
    int n_files;
    int n_done;
    int n_failed;
};

/* Runs the entry on a copy of exactly this size, so that a sanitizer sees every read beyond it. */
static int run_exact(const unsigned char *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return FUZZ_REFUSED;
    if (size)
        memcpy(copy, data, size);
    int rc = LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return rc;
}

/* One change: cut the end off, or overwrite, flip or repeat bytes somewhere. */
static void change(struct rng *r, const struct buf *original, struct buf *changed)
{
    static const unsigned char telling[] = {0, 1, 0x7f, 0x80, 0xff, '0', '9', '-', '"', ',', '\n'};
    size_t size = original->len;
    buf_clear(changed);
    buf_append(changed, original->data, size, NULL);
    if (size == 0)
        return;
    size_t at = rng_below(r, size);
    size_t run = rng_below(r, size - at < 8 ? size - at + 1 : 9);
    switch (rng_below(r, 4)) {
    case 0:
        changed->len = at;
        break;
    case 1:
        memset(changed->data + at, telling[rng_below(r, sizeof telling)], run);
        break;
    case 2:
        changed->data[at] ^= (unsigned char)(1u << rng_below(r, 8));
        break;
    default:
        buf_append(changed, original->data + at, run, NULL);
    }
}

static void run_changed(uint64_t item, const struct buf *original)
{
    struct rng r;
    struct buf changed = {0};
    rng_init(&r, 1, 0, item);
    for (int i = 0; i < N_CHANGES; i++) {
        change(&r, original, &changed);
        run_exact(changed.data, changed.len);
    }
    buf_release(&changed);
}

static int replay_file(void *user, const char *name, struct err *e)
{
    struct replay *r = user;
    struct buf data = {0};
    char *path = path_join(r->folder, name);
    int rc = path ? file_read(path, &data, e) : err_set(e, "out of memory");
    if (rc < 0)
        goto out;
    int got = run_exact(data.data, data.len);
    printf("%sok %d - %s\n", got == r->expected ? "" : "not ", ++r->n_done, path);
    fflush(stdout);
    r->n_failed += got != r->expected;
    r->n_files++;
    run_changed((uint64_t)r->n_done, &data);
out:
    free(path);
    buf_release(&data);
    return rc;
}

/* Replays one folder of the entry's corpus; an empty or absent one is an error. */
static int replay_folder(struct replay *r, const char *name, const char *kind, struct err *e)
{
    char folder[4096];
    snprintf(folder, sizeof folder, CORPUS "/%s/%s", name, kind);
    r->folder = folder;
    r->n_files = 0;
    int rc = file_walk(folder, NULL, replay_file, r, e);
    if (rc == 0 && r->n_files == 0)
        rc = err_set(e, "%s: no files to replay", folder);
    return rc;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct replay r = {0};
    const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    int rc = 0;
    if (argc > 1) { /* to look at single files */
        r.folder = ".";
        for (int i = 1; i < argc && rc == 0; i++)
            rc = replay_file(&r, argv[i], &e);
    } else {
        name += strncmp(name, "fuzz_", 5) == 0 ? 5 : 0;
        r.expected = FUZZ_ACCEPTED;
        rc = replay_folder(&r, name, "good", &e);
        r.expected = FUZZ_REFUSED;
        if (rc == 0)
            rc = replay_folder(&r, name, "bad", &e);
    }
    printf("%d..%d\n", 1, r.n_done);
    if (rc < 0)
        fprintf(stderr, "%s\n", e.text);
    return rc < 0 || r.n_failed;
}
