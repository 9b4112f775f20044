/* SPDX-License-Identifier: Apache-2.0 */
/* A plan file: what is accepted gives back no more choices than it has lines. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/plan_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct plan_file *f = NULL;
    if (plan_file_parse(&f, (const char *)data, size, "a GPU, cuDNN 9", &e) < 0)
        return FUZZ_REFUSED;
    size_t n_lines = 0;
    for (size_t i = 0; i < size; i++)
        n_lines += data[i] == '\n';
    if (plan_file_n(f) > n_lines)
        abort();
    const char *choice = plan_file_get(f, "forward f32 n2");
    if (choice && strchr(choice, '\t'))
        abort();
    plan_file_close(f);
    return FUZZ_ACCEPTED;
}
