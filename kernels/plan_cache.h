/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choices of all runs of a user, behind the plan file of one run: what was measured once for a
 * machine need not be measured by the next run. A folder with a plan file for each machine; to lose
 * it costs time alone, and so nothing that goes wrong with it is an error.
 *
 *     plan_cache_open(&c, "cache/teg", "H100, cuDNN 9.19.0", &e);
 *     if (!plan_cache_get(c, key, choice))
 *         plan_cache_put(c, key, measure());
 *     plan_cache_close(c);
 */
#ifndef TEG_KERNELS_PLAN_CACHE_H
#define TEG_KERNELS_PLAN_CACHE_H

#include <stdbool.h>

#include "common/base/err.h"
#include "kernels/plan_file.h"

struct plan_cache;

/* `folder` is made when something is put; NULL: nothing is kept. Fails where memory is exhausted.
 */
int plan_cache_open(struct plan_cache **c, const char *folder, const char *machine, struct err *e);
void plan_cache_close(struct plan_cache *c);

/* As the file says now: other processes may have put something. */
bool plan_cache_get(struct plan_cache *c, const char *key, char choice[PLAN_FILE_LINE]);
/* Nothing where another process is putting something. */
void plan_cache_put(const struct plan_cache *c, const char *key, const char *choice);

#endif
