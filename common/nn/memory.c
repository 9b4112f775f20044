/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nn/memory.h"

int memory_check(const struct backend *b, size_t bytes, const char *remedy, struct err *e)
{
    const double gib = 1024.0 * 1024.0 * 1024.0;
    if (bytes <= b->memory)
        return 0;
    return err_set(e, "%.1f GiB of memory are needed, there are %.1f (%s)", (double)bytes / gib,
                   (double)b->memory / gib, remedy);
}
