/* SPDX-License-Identifier: Apache-2.0 */
/* What unit tests share: cmocka with its prerequisites, a folder of their own, small checks. */
#ifndef TEG_TESTS_UNIT_SUPPORT_H
#define TEG_TESTS_UNIT_SUPPORT_H

#include <fts.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/err.h"

/* Read by AddressSanitizer: tests ask for more memory than there is, to see the error. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* Makes a new folder below $TMPDIR (or /tmp) and leaves its path in `folder`. */
static inline void support_make_folder(char *folder, size_t size)
{
    const char *parent = getenv("TMPDIR");
    snprintf(folder, size, "%s/teg-test-XXXXXX", parent && *parent ? parent : "/tmp");
    assert_non_null(mkdtemp(folder));
}

/* Ends the running test as skipped; the test runner lists the reason. */
static inline void support_skip(const char *reason)
{
    printf("# skip: %s\n", reason);
    skip();
}

/* Removes a file or a folder with all that is in it; fine where it is absent. */
static inline void support_remove(const char *path)
{
    char *roots[] = {(char *)path, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    assert_non_null(tree);
    for (FTSENT *entry; (entry = fts_read(tree));)
        if (entry->fts_info != FTS_D)
            remove(entry->fts_path);
    fts_close(tree);
}

/* "folder/name" in one of four static buffers, for use inside one expression. */
static inline const char *support_path(const char *folder, const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* Writes a file plainly, without the code under test. */
static inline void support_write(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* The call failed with a message that holds `part`. */
static inline void support_failed(int rc, const struct err *e, const char *part)
{
    assert_true(rc < 0);
    if (!strstr(e->text, part))
        fail_msg("'%s' is not in the message '%s'", part, e->text);
}

/* The call succeeded; its message is shown otherwise. */
static inline void support_ok(int rc, const struct err *e)
{
    if (rc < 0)
        fail_msg("failed: %s", e->text);
}

#endif
