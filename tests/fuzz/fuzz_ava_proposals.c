/* SPDX-License-Identifier: Apache-2.0 */
/* Proposals of AVA as JSON: what is accepted are boxes that the reader of detections takes or
 * refuses, too. */
#include "tests/fuzz/fuzz.h"

#include "common/datasets/ava_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct buf csv = {0};
    struct key_frames k = {0};
    int rc = ava_files_proposals_to_csv((const char *)data, size, &csv, &e);
    if (rc == 0)
        rc = key_frames_read_detections(&k, csv.data ? (char *)csv.data : "", csv.len, "val", &e);
    key_frames_release(&k);
    buf_release(&csv);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}
