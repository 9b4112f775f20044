/* SPDX-License-Identifier: Apache-2.0 */
/* Stores for the tests of the store's modules. */
#ifndef TEG_TESTS_UNIT_STORE_SUPPORT_H
#define TEG_TESTS_UNIT_STORE_SUPPORT_H

#include "common/store/store.h"
#include "tests/unit/support.h"

static inline struct store_spec store_support_spec(void)
{
    return (struct store_spec){.schema = "index", .version = 1, .tool = "test"};
}

/* n records "00000000" ... of 0 to 12 kB each. */
static inline void store_support_make(const char *path, size_t n)
{
    static unsigned char value[12000];
    struct err e = {0};
    struct store_writer *w;
    struct store_spec spec = store_support_spec();
    support_ok(store_create(&w, path, &spec, &e), &e);
    for (size_t i = 0; i < n; i++) {
        char key[16];
        snprintf(key, sizeof key, "%08zu", i);
        memset(value, (int)i, sizeof value);
        support_ok(store_put(w, key, value, i * 7919 % (i % 3 ? 300 : sizeof value), &e), &e);
    }
    support_ok(store_publish(w, n, &e), &e);
}

#endif
