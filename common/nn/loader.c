/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of batches. The caller's thread plans them (loader_next), worker threads take their items
 * in order, the oldest batch first. An item is a run of rows that share frames: the clips of an
 * example, the crops of one clip.
 */
#include "common/nn/loader.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/ui.h"

enum { MAX_ITEM_ROWS = 8 };

struct item {
    size_t from, to; /* rows of the request */
};

struct slot {
    struct clip_batch batch;
    struct sample *rows;                    /* as requested */
    struct sample *role_rows[CLIP_N_ROLES]; /* what batch.rows shows */
    size_t rows_room;
    size_t pixels_bytes[CLIP_N_ROLES]; /* allocated */
    struct item *items;
    size_t n_items, next_item, n_done;
    size_t bad_item; /* the first that failed; n_items: none */
    int rc;
    struct err error;
};

struct worker {
    struct loader *loader;
    struct clips *clips;
    struct backend view; /* the backend with one thread */
    pthread_t thread;
    bool started;
};

struct loader {
    struct loader_options options;
    long *video; /* number in the frames store of each video of the sample table */
    struct worker *workers;
    struct slot *slots; /* [n_slots]; batch i is in slot i % n_slots */
    size_t n_slots;
    size_t n_planned, n_taken; /* batches planned, handed out */
    int source_rc;             /* 1 while there may be more */
    struct err source_error;

    pthread_mutex_t lock;
    pthread_cond_t work, done;
    bool stop;
};

/* -- planning -- */

static bool same_clip(const struct sample *a, const struct sample *b)
{
    return a->video == b->video && a->start == b->start && a->stride == b->stride &&
           a->length == b->length;
}

/* `row` is a clip as those of its role in the first example (the first `n_roles` rows) are. */
static bool fits(const struct sample *row, const struct sample *first, size_t n_roles)
{
    for (size_t i = 0; i < n_roles; i++)
        if (row->role == first[i].role)
            return row->length == first[i].length;
    return false;
}

size_t loader_take(const struct sample *rows, size_t n_rows, size_t n_examples)
{
    if (n_rows == 0)
        return 0;
    size_t n = 0, n_roles = rows[0].role == SAMPLE_SINGLE ? 1 : 2;
    while (n + n_roles <= n_rows && n < n_examples * n_roles && fits(&rows[n], rows, n_roles) &&
           fits(&rows[n + n_roles - 1], rows, n_roles))
        n += n_roles;
    return n ? n : 1; /* half an example: refused when it is planned */
}

int loader_walk_next(void *user, struct clip_request *request, struct err *e)
{
    struct loader_walk *walk = user;
    const struct sample *rows;
    size_t n_rows;
    int rc = samples_epoch(walk->samples, walk->epoch, &rows, &n_rows, e);
    if (rc < 0 || walk->row >= n_rows)
        return rc < 0 ? rc : 0;
    *request = (struct clip_request){
        .epoch = walk->epoch, .first_row = walk->row, .rows = rows + walk->row};
    request->n_rows = loader_take(request->rows, n_rows - walk->row, walk->n_examples);
    walk->row += request->n_rows;
    return 1;
}

static int bad_row(const struct loader *l, const struct slot *s, size_t row, struct err *e)
{
    return err_add(e, "%s: epoch %zu: clip %zu", l->options.origin, s->batch.epoch,
                   s->batch.first_row + row);
}

static int slot_reserve(struct slot *s, size_t n_rows, struct err *e)
{
    if (n_rows <= s->rows_room)
        return 0;
    struct sample **tables[] = {&s->rows, &s->role_rows[0], &s->role_rows[1]};
    s->rows_room = 0;
    for (size_t i = 0; i < 3; i++) {
        struct sample *grown = mem_grow(*tables[i], n_rows, sizeof *grown, e);
        if (!grown)
            return ERR_FAIL;
        *tables[i] = grown;
    }
    struct item *items = mem_grow(s->items, n_rows, sizeof *items, e);
    if (!items)
        return ERR_FAIL;
    s->items = items;
    s->rows_room = n_rows;
    return 0;
}

/* Position of a row's clip among the buffers. */
static size_t role_of(const struct sample *row)
{
    return row->role == SAMPLE_SHORT ? CLIP_SHORT : CLIP_LONG;
}

/* Sorts the rows by role, checks that they make up whole examples of equal shape. */
static int plan_rows(const struct loader *l, struct slot *s, size_t n_rows, struct err *e)
{
    struct clip_batch *b = &s->batch;
    bool single = s->rows[0].role == SAMPLE_SINGLE;
    b->n_roles = single ? 1 : 2;
    b->n = n_rows / b->n_roles;
    for (size_t i = 0; i < n_rows; i++) {
        const struct sample *row = &s->rows[i], *mate = &s->rows[single ? i : i ^ 1];
        size_t role = role_of(row);
        if ((row->role == SAMPLE_SINGLE) != single)
            err_set(e, "single clips and pairs in one batch");
        else if (!single &&
                 ((i ^ 1) >= n_rows || mate->example != row->example || role_of(mate) == role))
            err_set(e, "example %u is not a long and a short clip", (unsigned)row->example);
        else if (i >= b->n_roles && row->length != b->length[role])
            err_set(e, "%u frames, but %zu in the clips before it", (unsigned)row->length,
                    b->length[role]);
        else if (row->video >= l->options.n_ids)
            err_set(e, "video %u of %zu", (unsigned)row->video, l->options.n_ids);
        else if (l->video[row->video] < 0)
            err_set(e, "video %s is not in %s", l->options.ids[row->video],
                    store_path(frames_store(l->options.frames)));
        else {
            b->length[role] = row->length;
            s->role_rows[role][i / b->n_roles] = *row;
            continue;
        }
        return bad_row(l, s, i, e);
    }
    return 0;
}

static void plan_items(const struct loader *l, struct slot *s, size_t n_rows)
{
    const struct share *share = &l->options.share;
    size_t n_roles = s->batch.n_roles;
    s->n_items = 0;
    for (size_t from = 0, to; from < n_rows; from = to) {
        const struct sample *first = &s->rows[from];
        for (to = from + 1; to < n_rows && to - from < MAX_ITEM_ROWS; to++)
            if (n_roles == 2 ? to - from == 2
                             : !same_clip(first, &s->rows[to]) ||
                                   share_has(share, to) != share_has(share, from))
                break;
        if (share_has(share, from / n_roles))
            s->items[s->n_items++] = (struct item){from, to};
    }
    s->next_item = s->n_done = 0;
    s->bad_item = s->n_items;
    s->rc = 0;
}

static int slot_allocate(struct loader *l, struct slot *s, struct err *e)
{
    struct backend *b = l->options.backend;
    size_t n = s->batch.n > l->options.room ? s->batch.n : l->options.room;
    n = share_count(&l->options.share, n);
    for (size_t role = 0; role < s->batch.n_roles; role++) {
        size_t bytes = n * clips_bytes(&l->options.clips, s->batch.length[role]);
        if (bytes > s->pixels_bytes[role]) {
            b->ops->release(b, s->batch.pixels[role]);
            s->batch.pixels[role] = NULL;
            s->pixels_bytes[role] = 0;
            int rc = b->ops->alloc(b, bytes, &s->batch.pixels[role], e);
            if (rc < 0)
                return rc;
            s->pixels_bytes[role] = bytes;
        }
        s->batch.rows[role] = s->role_rows[role];
    }
    return 0;
}

static int plan_slot(struct loader *l, struct slot *s, const struct clip_request *r, struct err *e)
{
    if (r->n_rows == 0)
        return err_set(e, "a batch without clips");
    int rc = slot_reserve(s, r->n_rows, e);
    if (rc < 0)
        return rc;
    memcpy(s->rows, r->rows, r->n_rows * sizeof *s->rows);
    s->batch.epoch = r->epoch;
    s->batch.first_row = r->first_row;
    if ((rc = plan_rows(l, s, r->n_rows, e)) < 0 || (rc = slot_allocate(l, s, e)) < 0)
        return rc;
    plan_items(l, s, r->n_rows);
    return 0;
}

/* Plans batches until the ring is full; the slot of the batch in use counts as full. */
static void plan_ahead(struct loader *l, size_t n_wanted)
{
    while (l->source_rc == 1 && l->n_planned < n_wanted) {
        struct clip_request request = {0};
        struct slot *s = &l->slots[l->n_planned % l->n_slots];
        int rc = l->options.source(l->options.user, &request, &l->source_error);
        if (rc > 0) {
            int bad = plan_slot(l, s, &request, &l->source_error);
            rc = bad < 0 ? bad : 1;
        }
        l->source_rc = rc;
        if (rc != 1)
            break;
        pthread_mutex_lock(&l->lock);
        l->n_planned++;
        pthread_cond_broadcast(&l->work);
        pthread_mutex_unlock(&l->lock);
    }
}

/* -- working -- */

static int do_item(struct worker *w, const struct slot *s, const struct item *item, struct err *e)
{
    struct loader *l = w->loader;
    for (size_t i = item->from; i < item->to; i++) {
        const struct sample *row = &s->rows[i];
        size_t role = role_of(row);
        size_t at = share_place(&l->options.share, i / s->batch.n_roles);
        char *out =
            (char *)s->batch.pixels[role] + at * clips_bytes(&l->options.clips, row->length);
        if (clips_read(w->clips, (size_t)l->video[row->video], row, out, e) < 0)
            return bad_row(l, s, i, e);
    }
    return 0;
}

/* The oldest planned batch with an item to take; NULL where there is none. Holds the lock. */
static struct slot *find_work(struct loader *l)
{
    for (size_t i = l->n_taken; i < l->n_planned; i++) {
        struct slot *s = &l->slots[i % l->n_slots];
        if (s->next_item < s->n_items)
            return s;
    }
    return NULL;
}

static void *work(void *user)
{
    struct worker *w = user;
    struct loader *l = w->loader;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        struct slot *s = find_work(l);
        if (!s) {
            pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        size_t i = s->next_item++;
        bool needed = i < s->bad_item; /* an earlier failure decides */
        pthread_mutex_unlock(&l->lock);
        struct err e = {0};
        int rc = needed ? do_item(w, s, &s->items[i], &e) : 0;
        pthread_mutex_lock(&l->lock);
        if (rc < 0 && i < s->bad_item) {
            s->bad_item = i;
            s->rc = rc;
            s->error = e;
        }
        if (++s->n_done == s->n_items)
            pthread_cond_broadcast(&l->done);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* -- the caller's side -- */

int loader_next(struct loader *l, const struct clip_batch **batch, struct err *e)
{
    plan_ahead(l, l->n_taken + l->n_slots);
    if (l->n_taken == l->n_planned) {
        if (l->source_rc < 0 && e)
            *e = l->source_error;
        return l->source_rc < 0 ? l->source_rc : 0;
    }
    struct slot *s = &l->slots[l->n_taken % l->n_slots];
    double begin = ui_seconds();
    pthread_mutex_lock(&l->lock);
    while (s->n_done < s->n_items)
        pthread_cond_wait(&l->done, &l->lock);
    l->n_taken++;
    pthread_mutex_unlock(&l->lock);
    s->batch.waited = ui_seconds() - begin;
    if (s->rc < 0) {
        if (e)
            *e = s->error;
        return s->rc;
    }
    *batch = &s->batch;
    return 1;
}

static int start_workers(struct loader *l, struct err *e)
{
    for (size_t i = 0; i < l->options.n_threads; i++) {
        struct worker *w = &l->workers[i];
        w->loader = l;
        w->view = *l->options.backend;
        w->view.n_threads = 1;
        int rc = clips_open(&w->clips, l->options.frames, &w->view, &l->options.clips, e);
        if (rc < 0)
            return rc;
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            return err_set(e, "a loader thread cannot be started");
        w->started = true;
    }
    return 0;
}

static size_t default_threads(const struct backend *b)
{
    size_t n = b->is_apart ? b->n_threads : b->n_threads / 2;
    return n ? n : 1;
}

int loader_new(struct loader **out, const struct loader_options *o, struct err *e)
{
    struct loader *l = mem_new(1, sizeof *l, e);
    if (!l)
        return ERR_FAIL;
    l->options = *o;
    if (o->n_threads == 0)
        l->options.n_threads = default_threads(o->backend);
    l->n_slots = (o->n_ahead ? o->n_ahead : 1) + 1;
    l->source_rc = 1;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->done, NULL);
    int rc = ERR_FAIL;
    l->video = clips_find_videos(o->frames, o->ids, o->n_ids, e);
    l->slots = mem_new(l->n_slots, sizeof *l->slots, e);
    l->workers = mem_new(l->options.n_threads, sizeof *l->workers, e);
    if (l->video && l->slots && l->workers)
        rc = start_workers(l, e);
    if (rc < 0) {
        loader_free(l);
        return rc;
    }
    *out = l;
    return 0;
}

static void stop_workers(struct loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; l->workers && i < l->options.n_threads; i++) {
        if (l->workers[i].started)
            pthread_join(l->workers[i].thread, NULL);
        clips_close(l->workers[i].clips);
    }
}

static void slot_release(struct backend *b, struct slot *s)
{
    for (size_t role = 0; role < CLIP_N_ROLES; role++) {
        b->ops->release(b, s->batch.pixels[role]);
        free(s->role_rows[role]);
    }
    free(s->rows);
    free(s->items);
}

void loader_free(struct loader *l)
{
    if (!l)
        return;
    stop_workers(l);
    for (size_t i = 0; l->slots && i < l->n_slots; i++)
        slot_release(l->options.backend, &l->slots[i]);
    free(l->video);
    free(l->slots);
    free(l->workers);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->done);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
