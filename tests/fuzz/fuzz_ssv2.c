/* SPDX-License-Identifier: Apache-2.0 */
/* The files of Something-Something v2. The first line says which: labels, entries, tests, answers.
 */
#include "tests/fuzz/importer_fuzz.h"

static int read_part(char part, const char *text, size_t len, struct ssv2_import *im, struct err *e)
{
    static const char labels[] = "{\"Holding something\": \"1\", \"Opening something\": 0}";
    static const char tests[] = "[{\"id\": \"1420\"}, {\"id\": 7}]";
    if (part == 'l')
        return ssv2_read_labels(text, len, im, e) < 0
                   ? ERR_FAIL
                   : ssv2_read_entries("[{\"id\":\"1\"}]", 12, im, e);
    if (ssv2_read_labels(labels, strlen(labels), im, e) < 0)
        return ERR_FAIL;
    if (part != 'a')
        return ssv2_read_entries(text, len, im, e);
    return ssv2_read_entries(tests, strlen(tests), im, e) < 0 ? ERR_FAIL
                                                              : ssv2_read_answers(text, len, im, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct video_list list = {0};
    char part = size ? (char)data[0] : '\0';
    struct ssv2_import im = {.list = &list, .split = "test", .unlabelled = part != 'e'};
    size_t len;
    const char *rest = importer_fuzz_rest(data, size, &len);
    int rc = read_part(part, rest, len, &im, &e);
    ssv2_release(&im);
    return importer_fuzz_finish(rc, &list);
}
