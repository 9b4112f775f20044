/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a store, which LMDB maps: opened, read to the end, and verified. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/store/store.h"

/* Touches every byte of every record. */
static int read_all(const char *path, struct err *e)
{
    struct store *s;
    struct blob value;
    const char *key;
    volatile uint8_t sum = 0;
    int rc = store_open_any(&s, path, e);
    if (rc < 0)
        return rc;
    while ((rc = store_next(s, &key, &value, e)) == 1)
        for (size_t i = 0; i < value.len; i++)
            sum ^= ((const uint8_t *)value.data)[i];
    store_close(s);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    char path[4096];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/fuzz-store-%ld", folder ? folder : "/tmp", (long)getpid());
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        abort();
    int rc = read_all(path, &e);
    int rc_verify = store_verify(path, &e);
    unlink(path);
    return rc < 0 || rc_verify < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}
