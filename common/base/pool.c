/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/base/stop.h"

struct slot {
    bool done;
    int rc;
    void *result;
    struct err e;
};

/* Items are taken in order, so those begun are always 0 .. next-1; a failure or a stop lowers
 * `end`. */
struct pool {
    const struct pool_job *job;
    size_t window;
    struct slot *slots; /* [window]; item i uses slot i % window */
    pthread_mutex_t lock;
    pthread_cond_t room; /* workers wait: an item may be begun */
    pthread_cond_t done; /* the caller waits: an item is done, or the end has moved */
    size_t next;         /* the next item to be begun */
    size_t emitted;      /* items before it have left their slots */
    size_t end;          /* items from here on will not be begun */
    bool stopped;
};

struct worker {
    struct pool *pool;
    size_t number;
    pthread_t thread;
};

/* Returns false when there is nothing left to begin. Lock held. */
static bool take_item(struct pool *p, size_t *item)
{
    for (;;) {
        if (stop_requested() && p->next < p->end) {
            p->stopped = true;
            p->end = p->next;
            pthread_cond_broadcast(&p->room);
            pthread_cond_signal(&p->done);
        }
        if (p->next >= p->end)
            return false;
        if (p->next < p->emitted + p->window) {
            *item = p->next++;
            return true;
        }
        pthread_cond_wait(&p->room, &p->lock);
    }
}

static void *work_loop(void *argument)
{
    struct worker *w = argument;
    struct pool *p = w->pool;
    size_t item;
    pthread_mutex_lock(&p->lock);
    while (take_item(p, &item)) {
        pthread_mutex_unlock(&p->lock);
        struct slot *slot = &p->slots[item % p->window];
        slot->result = NULL;
        slot->e.text[0] = '\0';
        slot->rc = p->job->work(p->job->user, item, w->number, &slot->result, &slot->e);
        pthread_mutex_lock(&p->lock);
        slot->done = true;
        if (slot->rc < 0 && p->end > p->next)
            p->end = p->next;
        pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Hands results over in order until one fails or the end is reached; returns how many were taken.
 */
static int emit_results(struct pool *p, struct err *e)
{
    const struct pool_job *job = p->job;
    int rc = 0;
    pthread_mutex_lock(&p->lock);
    while (rc >= 0 && p->emitted < p->end) {
        struct slot *slot = &p->slots[p->emitted % p->window];
        if (!slot->done) {
            pthread_cond_wait(&p->done, &p->lock);
            continue;
        }
        pthread_mutex_unlock(&p->lock);
        rc = slot->rc;
        if (rc < 0)
            err_code(e, rc, "%s", slot->e.text);
        else
            rc = job->emit(job->user, p->emitted, slot->result, e);
        pthread_mutex_lock(&p->lock);
        slot->done = false;
        p->emitted++;
        pthread_cond_signal(&p->room);
    }
    if (rc < 0)
        p->end = p->next;
    pthread_cond_broadcast(&p->room);
    pthread_mutex_unlock(&p->lock);
    return rc < 0 ? rc : 0;
}

/* After a failure: the results that nobody will take. The workers have ended. */
static void discard_results(struct pool *p)
{
    for (size_t i = p->emitted; i < p->next; i++) {
        struct slot *slot = &p->slots[i % p->window];
        if (slot->done && slot->rc >= 0 && p->job->discard)
            p->job->discard(p->job->user, slot->result);
    }
}

static int start_workers(struct pool *p, struct worker *workers, size_t *n_started, struct err *e)
{
    size_t wanted = p->job->n_threads < p->job->n_items ? p->job->n_threads : p->job->n_items;
    for (*n_started = 0; *n_started < wanted; ++*n_started) {
        struct worker *w = &workers[*n_started];
        *w = (struct worker){.pool = p, .number = *n_started};
        int number = pthread_create(&w->thread, NULL, work_loop, w);
        if (number)
            return *n_started ? 0 : err_set(e, "cannot start a thread: %s", strerror(number));
    }
    return 0;
}

int pool_run(const struct pool_job *job, struct err *e)
{
    if (job->n_items == 0)
        return 0;
    struct pool p = {
        .job = job,
        .window = job->window ? job->window : 2 * job->n_threads,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .room = PTHREAD_COND_INITIALIZER,
        .done = PTHREAD_COND_INITIALIZER,
        .end = job->n_items,
    };
    int rc = ERR_FAIL;
    size_t n_workers = 0;
    struct worker *workers = mem_new(job->n_threads, sizeof *workers, e);
    p.slots = mem_new(p.window, sizeof *p.slots, e);
    if (!workers || !p.slots)
        goto out;
    rc = start_workers(&p, workers, &n_workers, e);
    if (rc == 0)
        rc = emit_results(&p, e);
    for (size_t i = 0; i < n_workers; i++)
        pthread_join(workers[i].thread, NULL);
    discard_results(&p);
    if (rc == 0 && p.stopped)
        rc = err_code(e, ERR_STOPPED, "stopped");
out:
    free(workers);
    free(p.slots);
    return rc;
}
