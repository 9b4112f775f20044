/* SPDX-License-Identifier: Apache-2.0 */
/* AVA's label maps: whatever is accepted has ids that rise, each with a name, and finds them again.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "common/eval/ava_labels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct ava_labels l = {0};
    int rc = ava_labels_read_text(&l, (const char *)data, size, &e);
    for (size_t i = 0; rc == 0 && i < l.n; i++) {
        const struct ava_class *c = &l.classes[i];
        if (!c->name || ava_labels_find(&l, c->id) != (long)i ||
            (i && l.classes[i - 1].id >= c->id))
            abort();
    }
    ava_labels_release(&l);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}
