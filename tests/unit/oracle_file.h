/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that the scripts in tests/oracle/ left there. */
#ifndef TEG_TESTS_UNIT_ORACLE_FILE_H
#define TEG_TESTS_UNIT_ORACLE_FILE_H

#include "common/base/file.h"
#include "common/store/npy.h"
#include "tests/unit/support.h"

/* tests/oracle/NAME.npy; `file` owns the bytes behind the result. Fails the test where it is not of
 * `descr`. */
static inline struct npy oracle_load(struct buf *file, const char *name, const char *descr)
{
    char path[256];
    struct npy a;
    struct err e = {0};
    snprintf(path, sizeof path, "tests/oracle/%s.npy", name);
    support_ok(file_read(path, file, &e), &e);
    support_ok(npy_parse(&a, file->data, file->len, &e), &e);
    assert_string_equal(a.descr, descr);
    return a;
}

#endif
