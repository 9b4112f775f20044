/* SPDX-License-Identifier: Apache-2.0 */
/* See processes.h: over MPI, which nothing else includes. */
#include "kernels/processes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/num.h"

/* Whether a variable that launchers set says that there are several. */
static bool several(const char *name)
{
    const char *text = getenv(name);
    int64_t n;
    return text && num_i64(text, 2, INT64_MAX, &n, NULL) == 0;
}

/* By Open MPI's launcher, one of MPICH's kind, or Slurm's, which says how many in its own way. */
static bool was_launched(void)
{
    return several("OMPI_COMM_WORLD_SIZE") || several("PMI_SIZE") ||
           (getenv("PMIX_RANK") && several("SLURM_NTASKS"));
}

bool processes_speaks(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof names[0] && was_launched(); i++)
        if (getenv(names[i]))
            return strcmp(getenv(names[i]), "0") == 0;
    return true;
}

#if TEG_MPI

#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <time.h>

#include "common/base/buf.h"
#include "common/base/pool.h"

struct ballot {
    int first_failed; /* rank; the number of processes: none */
    int yes;
};

/* The tensors' and the votes' messages keep out of each other's way. */
struct group {
    struct processes p;
    MPI_Comm data, votes;
    struct ballot mine, all; /* of a vote that may never come to an end */
};

static int check(int rc, const char *what, struct err *e)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int len = 0;
    if (rc == MPI_SUCCESS)
        return 0;
    MPI_Error_string(rc, text, &len);
    return err_set(e, "mpi: %s: %s", what, text);
}

static MPI_Comm data_of(const struct processes *p)
{
    return ((const struct group *)p)->data;
}

/* -- tensors; MPI counts in int -- */

enum { MOST = 1 << 30 };

static int piece(size_t left)
{
    return left < MOST ? (int)left : MOST;
}

static int sum(const struct processes *p, void *x, enum reduce_type type, size_t n, struct err *e)
{
    size_t bytes = type == REDUCE_F64 ? sizeof(double) : sizeof(float);
    MPI_Datatype number = type == REDUCE_F64 ? MPI_DOUBLE : MPI_FLOAT;
    for (size_t at = 0; at < n; at += MOST)
        if (check(MPI_Allreduce(MPI_IN_PLACE, (char *)x + at * bytes, piece(n - at), number,
                                MPI_SUM, data_of(p)),
                  "a sum", e) < 0)
            return ERR_FAIL;
    return 0;
}

static int broadcast(const struct processes *p, void *x, size_t bytes, struct err *e)
{
    for (size_t at = 0; at < bytes; at += MOST)
        if (check(MPI_Bcast((char *)x + at, piece(bytes - at), MPI_BYTE, 0, data_of(p)),
                  "a broadcast", e) < 0)
            return ERR_FAIL;
    return 0;
}

static int gather(const struct processes *p, void *to, const void *from, size_t bytes,
                  struct err *e)
{
    char *mine = (char *)to + p->rank * bytes;
    if (bytes * p->n > MOST)
        return err_set(e, "mpi: %zu bytes of %zu processes are too much to gather", bytes, p->n);
    if (from != mine)
        memcpy(mine, from, bytes);
    return check(MPI_Allgather(MPI_IN_PLACE, 0, MPI_BYTE, to, (int)bytes, MPI_BYTE, data_of(p)),
                 "a gathering", e);
}

/* -- votes -- */

/* Whether it came to an end within so many seconds. */
static bool wait_for(MPI_Request *request, int seconds)
{
    const struct timespec pause = {0, 1000000};
    int done = 0;
    for (long i = 0; !done && i / 1000 < seconds; i++) {
        if (MPI_Test(request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return false;
        if (!done)
            nanosleep(&pause, NULL);
    }
    return done;
}

/* What the first that failed has to say. */
static int hear(struct group *g, int from, int rc, struct err *e)
{
    struct {
        int rc;
        struct err e;
    } word = {.rc = rc};
    if (e)
        word.e = *e;
    MPI_Bcast(&word, sizeof word, MPI_BYTE, from, g->votes);
    g->p.failed = true;
    if (g->p.rank != 0)
        err_set(e, "%s", "");
    else if (from != 0)
        err_set(e, "process %d: %s", from, word.e.text);
    return word.rc;
}

/* Nobody else can say why. */
static int leave(struct group *g, int rc, struct err *e)
{
    g->p.failed = g->p.left = true;
    return err_add_code(e, rc, "process %zu", g->p.rank);
}

/* Their votes, within so many seconds where this one failed. */
static int vote(struct processes *p, int rc, bool *yes, int patience, struct err *e)
{
    struct group *g = (struct group *)p;
    MPI_Request request;
    if (p->failed)
        return rc < 0 ? rc : ERR_FAIL;
    g->mine = (struct ballot){rc < 0 ? (int)p->rank : (int)p->n, *yes};
    MPI_Iallreduce(&g->mine, &g->all, 2, MPI_INT, MPI_MIN, g->votes, &request);
    if (rc >= 0 && check(MPI_Wait(&request, MPI_STATUS_IGNORE), "a vote", e) < 0)
        return leave(g, ERR_FAIL, e);
    if (rc < 0 && !wait_for(&request, patience))
        return leave(g, rc, e);
    *yes = g->all.yes;
    return g->all.first_failed < (int)p->n ? hear(g, g->all.first_failed, rc, e) : 0;
}

int processes_agree(struct processes *p, int rc, struct err *e)
{
    bool unused = true;
    return p ? vote(p, rc, &unused, INT_MAX, e) : rc;
}

int processes_agree_soon(struct processes *p, int rc, int patience, struct err *e)
{
    bool unused = true;
    return p ? vote(p, rc, &unused, patience, e) : rc;
}

int processes_all(struct processes *p, int rc, bool yes, struct err *e)
{
    if (p)
        rc = vote(p, rc, &yes, INT_MAX, e);
    return rc < 0 ? rc : yes;
}

/* -- joining -- */

/* Each processor is divided among those of this machine that may run on it. */
static int divide_processors(struct group *g, MPI_Comm local, struct err *e)
{
    cpu_set_t mine, *all = mem_new(g->p.n_local, sizeof *all, e);
    if (!all)
        return ERR_FAIL;
    CPU_ZERO(&mine);
    sched_getaffinity(0, sizeof mine, &mine);
    int rc = check(MPI_Allgather(&mine, sizeof mine, MPI_BYTE, all, sizeof mine, MPI_BYTE, local),
                   "starting", e);
    double part = 0.0;
    for (int c = 0; c < CPU_SETSIZE && rc == 0; c++) {
        double users = 0.0;
        for (size_t i = 0; i < g->p.n_local; i++)
            users += CPU_ISSET(c, &all[i]);
        part += CPU_ISSET(c, &mine) ? 1.0 / users : 0.0;
    }
    free(all);
    size_t allowed = pool_n_processors(), n = (size_t)(part + 1e-6);
    g->p.n_threads = n < 1 ? 1 : n < allowed ? n : allowed;
    return rc;
}

static int find_place(struct group *g, struct err *e)
{
    MPI_Comm local;
    int n, rank, n_local, local_rank;
    MPI_Comm_size(MPI_COMM_WORLD, &n);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (check(
            MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &local),
            "starting", e) < 0)
        return ERR_FAIL;
    MPI_Comm_size(local, &n_local);
    MPI_Comm_rank(local, &local_rank);
    g->p.n = (size_t)n;
    g->p.rank = (size_t)rank;
    g->p.n_local = (size_t)n_local;
    g->p.local_rank = (size_t)local_rank;
    int rc = divide_processors(g, local, e);
    MPI_Comm_free(&local);
    return rc;
}

static int join(struct group *g, struct err *e)
{
    int level;
    if (check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level), "starting", e) < 0)
        return ERR_FAIL;
    if (level < MPI_THREAD_FUNNELED)
        return err_set(e, "mpi: this one does not go together with threads");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN); /* also of those made of it */
    if (find_place(g, e) < 0 || check(MPI_Comm_dup(MPI_COMM_WORLD, &g->data), "starting", e) < 0 ||
        check(MPI_Comm_dup(MPI_COMM_WORLD, &g->votes), "starting", e) < 0)
        return ERR_FAIL;
    return 0;
}

int processes_open(struct processes **p, struct err *e)
{
    *p = NULL;
    if (!was_launched())
        return 0;
    struct group *g = mem_new(1, sizeof *g, e);
    if (!g)
        return ERR_FAIL;
    g->p.sum = sum;
    g->p.gather = gather;
    g->p.broadcast = broadcast;
    int rc = join(g, e);
    if (rc == 0 && g->p.n > 1)
        *p = &g->p;
    else {
        MPI_Finalize();
        free(g);
    }
    return rc;
}

void processes_close(struct processes *p)
{
    if (!p)
        return;
    if (p->left)
        MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    MPI_Finalize();
    free((struct group *)p);
}

#else

int processes_open(struct processes **p, struct err *e)
{
    *p = NULL;
    return was_launched() ? err_set(e, "an MPI launcher started this process, and this build has "
                                       "no MPI: install libopenmpi-dev and build again")
                          : 0;
}

void processes_close(struct processes *p)
{
    (void)p;
}

int processes_agree(struct processes *p, int rc, struct err *e)
{
    (void)p;
    (void)e;
    return rc;
}

int processes_agree_soon(struct processes *p, int rc, int patience, struct err *e)
{
    (void)patience;
    return processes_agree(p, rc, e);
}

int processes_all(struct processes *p, int rc, bool yes, struct err *e)
{
    (void)p;
    (void)e;
    return rc < 0 ? rc : yes;
}

#endif
