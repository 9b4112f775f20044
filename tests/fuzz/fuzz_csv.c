/* SPDX-License-Identifier: Apache-2.0 */
/* CSV text: every field of every row is a whole string. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "common/base/csv.h"
#include "common/base/err.h"

static int visit_row(void *user, const struct csv_row *row, struct err *e)
{
    size_t *n_bytes = user;
    (void)e;
    for (size_t i = 0; i < row->n_fields; i++)
        *n_bytes += strlen(row->field[i]);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    size_t n_bytes = 0;
    int rc = csv_read_text((const char *)data, size, visit_row, &n_bytes, &e);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}
