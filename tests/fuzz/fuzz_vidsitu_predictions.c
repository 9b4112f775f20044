/* SPDX-License-Identifier: Apache-2.0 */
/* Predicted verbs for two videos: whatever is accepted is scored, with shares that fit each other.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "common/eval/vidsitu_predictions.h"

enum { N_VIDEOS = 2 };

static void check(const struct vidsitu_predictions *p)
{
    static const uint32_t given[] = {0, 1, 0, 2, 3, 1, 0, 4, 5, 6};
    struct vidsitu_event events[N_VIDEOS * VIDSITU_EVENTS];
    size_t n = 0, n_seen = 0;
    for (uint32_t i = 0; i < N_VIDEOS; i++) {
        n_seen += p->videos[i].there;
        for (size_t k = 0; k < VIDSITU_EVENTS; k++) {
            if (p->videos[i].n[k] > VIDSITU_TOP)
                abort();
            for (size_t m = 0; m < p->videos[i].n[k]; m++)
                if (p->videos[i].verbs[k][m] >= p->verbs->n)
                    abort();
            events[n++] = (struct vidsitu_event){.video = i,
                                                 .predicted = p->videos[i].verbs[k],
                                                 .n_predicted = p->videos[i].n[k],
                                                 .given = given,
                                                 .n_given = sizeof given / sizeof *given};
        }
    }
    struct vidsitu_scores any, agreed;
    if (n_seen != p->n_predicted || vidsitu_score(&any, events, n, VIDSITU_OFFICIAL, NULL) < 0 ||
        vidsitu_score(&agreed, events, n, VIDSITU_MIN_AGREE_2, NULL) < 0)
        abort();
    for (size_t k = 0; k < VIDSITU_TOP; k++)
        if (agreed.per_event[k] > any.per_event[k] || any.per_video[k] > any.per_event[k] ||
            (k && any.per_event[k] < any.per_event[k - 1]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct intern verbs = {0};
    struct vidsitu_predictions p;
    int rc = vidsitu_predictions_init(&p, N_VIDEOS, &verbs, &e);
    if (rc == 0)
        rc = vidsitu_predictions_read_text(&p, (const char *)data, size, &e);
    if (rc == 0)
        check(&p);
    vidsitu_predictions_release(&p);
    intern_release(&verbs);
    return rc < 0 ? FUZZ_REFUSED : FUZZ_ACCEPTED;
}
