/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a .npy file, seen as teg-inspect does: every element and cell as text. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "common/store/array.h"

static size_t n_characters;

static void read_item(const struct array *a, const unsigned char *at)
{
    char text[SCALAR_TEXT_BYTES];
    if (!a->n_columns) {
        scalar_text(a->type, at, text);
        n_characters += strlen(text);
    }
    for (size_t c = 0; c < a->n_columns; c++)
        for (size_t i = 0; i < a->column[c].n; i++) {
            const struct array_column *column = &a->column[c];
            scalar_text(column->type, at + column->offset + i * column->type.bytes, text);
            n_characters += strlen(text) + strlen(column->name);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct array a;
    struct err e = {0};
    struct npy npy;
    if (npy_parse(&npy, data, size, &e) < 0 || array_from_npy(&a, &npy, &e) < 0)
        return FUZZ_REFUSED;
    for (size_t i = 0; i < a.n && a.data_bytes; i++)
        read_item(&a, array_item(&a, i));
    return FUZZ_ACCEPTED;
}
