/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that compute one run together, each its part of every batch (data parallel): who they
 * are, and what they do together on the host. An MPI launcher starts them, with the same command
 * line (`mpirun -n 4 teg-train ...`); a process that was started alone has none of this.
 *
 *     struct processes *p;
 *     processes_open(&p, &e);                         NULL: alone
 *     ...
 *     rc = processes_agree(p, rc, &e);                all go on, or all fail with one message
 *     p->sum(p, gradient, REDUCE_F32, n, &e);
 *     ...                                             what failed is said
 *     processes_close(p);                             the launcher may end them from here on
 *
 * What works together is called by all, in the same order. A process that is lost takes the others
 * with it.
 */
#ifndef TEG_KERNELS_PROCESSES_H
#define TEG_KERNELS_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

enum reduce_type { REDUCE_F32, REDUCE_F64 };

struct processes {
    size_t n, rank;             /* of all, this one: 0 .. n - 1 */
    size_t n_local, local_rank; /* the same of those on this machine */
    size_t n_threads;           /* processors divided by the processes that may use them */
    bool failed;                /* the run is over: that is agreed, */
    bool left;                  /* or this one has given the others up */

    /* x becomes the sum over the processes: the same bits in all of them, and in every run of as
     * many. */
    int (*sum)(const struct processes *p, void *x, enum reduce_type type, size_t n, struct err *e);
    /* to [n, bytes] becomes what each has at `from`, which may be its own part of `to`. */
    int (*gather)(const struct processes *p, void *to, const void *from, size_t bytes,
                  struct err *e);
    /* x becomes that of process 0. */
    int (*broadcast)(const struct processes *p, void *x, size_t bytes, struct err *e);
};

/* Whether what is wrong before processes_open is this one's to say: false in all but the first of
 * those that a launcher started. */
bool processes_speaks(void);

/* 0 with *p NULL where no launcher started this process, or it started one alone; fails in a build
 * without MPI. Once in a process. */
int processes_open(struct processes **p, struct err *e);
/* Waits for the others to come to it, too. NULL allowed. */
void processes_close(struct processes *p);

/*
 * 0 where all are well; `rc` and `e` are this one's. Where any failed, all return the code of the
 * first of them, and process 0 has its message, with "process RANK: " before it where it is not its
 * own; the others have none. From then on `failed` is set, and this fails. With p NULL: rc.
 */
int processes_agree(struct processes *p, int rc, struct err *e);
/*
 * The same where the others may be in the middle of what is done together, and never come to ask:
 * where this one failed, it waits so many seconds for them, and then sets `failed` and `left`,
 * keeps its message, with "process RANK: " before it: processes_close then ends them all.
 */
int processes_agree_soon(struct processes *p, int rc, int patience, struct err *e);
/* Besides, whether `yes` holds in all: 1 or 0. */
int processes_all(struct processes *p, int rc, bool yes, struct err *e);

static inline size_t processes_n(const struct processes *p)
{
    return p ? p->n : 1;
}

static inline size_t processes_rank(const struct processes *p)
{
    return p ? p->rank : 0;
}

#endif
