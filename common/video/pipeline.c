/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/pipeline.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include <libavutil/frame.h>

#include "common/base/buf.h"
#include "common/base/stop.h"
#include "common/video/convert.h"
#include "common/video/nv12.h"
#include "common/video/reader.h"

enum slot_state { SLOT_RAW, SLOT_BUSY, SLOT_PACKED, SLOT_FAILED };

/* One picture on its way: decoded, then packed. */
struct slot {
    enum slot_state state;
    struct lane *lane;
    AVFrame *frame; /* until packed */
    struct frame_range range;
    struct blob value;     /* owned, once packed */
    char *failure;         /* owned, once failed: why */
    struct slot *next;     /* in the lane, in frame order */
    struct slot *next_raw; /* in the list of those to be packed */
};

/* One video on its way. Lanes are listed in the order of the videos. */
struct lane {
    size_t video;
    struct decoder *decoder;
    bool busy; /* a thread is decoding */
    bool ended;
    size_t thread; /* that decoded last: its caches are warm */
    struct slot *first, *last;
    struct slot
        *failed; /* the first slot that could not be converted: the video ends there; owned */
    struct lane *next;
};

struct pipeline {
    const struct pipeline_job *job;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t work;   /* there may be something to do for a worker */
    pthread_cond_t ready;  /* there may be something to hand over */
    struct lane *first, *last;
    struct slot *raw_first, *raw_last;
    size_t next_video; /* that no lane was opened for */
    size_t n_decoding; /* lanes that have not ended */
    size_t bytes;      /* waiting */
    size_t max_bytes;
    size_t n_idle; /* workers that wait for work */
    bool writer_waits;
    bool stop;
    int rc; /* of the first worker that failed, with its text */
    struct err err;
};

struct worker {
    struct pipeline *p;
    size_t number;
    pthread_t thread;
    struct converter *converter;
    struct codec *codec;
    struct buf picture, packed;
};

/* -- slots and lanes -- */

static void slot_free(struct slot *s)
{
    if (!s)
        return;
    av_frame_free(&s->frame);
    free((void *)s->value.data);
    free(s->failure);
    free(s);
}

static struct slot *slot_new(struct lane *lane, struct err *e)
{
    struct slot *s = mem_new(1, sizeof *s, e);
    if (!s)
        return NULL;
    s->lane = lane;
    s->frame = av_frame_alloc();
    if (!s->frame) {
        free(s);
        err_set(e, "out of memory");
        return NULL;
    }
    return s;
}

static void lane_free(struct lane *l)
{
    for (struct slot *s = l->first; s;) {
        struct slot *next = s->next;
        slot_free(s);
        s = next;
    }
    slot_free(l->failed);
    decoder_free(l->decoder);
    free(l);
}

static void add_slot(struct pipeline *p, struct slot *s)
{
    struct lane *l = s->lane;
    *(l->last ? &l->last->next : &l->first) = s;
    l->last = s;
    *(p->raw_last ? &p->raw_last->next_raw : &p->raw_first) = s;
    p->raw_last = s;
}

static struct slot *take_raw(struct pipeline *p)
{
    struct slot *s = p->raw_first;
    if (!s)
        return NULL;
    p->raw_first = s->next_raw;
    if (!p->raw_first)
        p->raw_last = NULL;
    s->state = SLOT_BUSY;
    return s;
}

static struct lane *open_lane(struct pipeline *p, struct err *e)
{
    struct lane *l = mem_new(1, sizeof *l, e);
    if (!l)
        return NULL;
    l->video = p->next_video;
    if (decoder_new(&l->decoder, &p->job->videos[l->video], &p->job->settings, e) < 0) {
        free(l);
        return NULL;
    }
    *(p->last ? &p->last->next : &p->first) = l;
    p->last = l;
    p->next_video++;
    p->n_decoding++;
    return l;
}

/* -- what a worker does next -- */

static bool may_decode(const struct pipeline *p, const struct lane *l)
{
    bool awaited = l == p->first && !l->first; /* must go on, or nothing ever would */
    return !l->ended && !l->busy && (awaited || p->bytes < p->max_bytes);
}

/* A lane to decode a frame of: the one this thread had before, else the first. */
static int pick_lane(struct pipeline *p, size_t thread, struct lane **out, struct err *e)
{
    struct lane *best = NULL;
    for (struct lane *l = p->first; l; l = l->next) {
        if (!may_decode(p, l))
            continue;
        if (!best || l->thread == thread)
            best = l;
        if (l->thread == thread)
            break;
    }
    bool more = p->next_video < p->job->n_videos && p->n_decoding < p->job->n_threads;
    if (more && (!best || best->thread != thread) && (p->bytes < p->max_bytes || !p->first)) {
        best = open_lane(p, e);
        if (!best)
            return ERR_FAIL;
    }
    if (best) {
        best->busy = true;
        best->thread = thread;
    }
    *out = best;
    return 0;
}

static bool all_decoded(const struct pipeline *p)
{
    return p->next_video == p->job->n_videos && p->n_decoding == 0 && !p->raw_first;
}

/* -- work, done without the mutex -- */

static int decode_one(struct pipeline *p, struct lane *l, struct err *e)
{
    struct slot *s = slot_new(l, e);
    int rc = s ? decoder_next(l->decoder, s->frame, &s->range, e) : ERR_FAIL;
    pthread_mutex_lock(&p->mutex);
    l->busy = false;
    if (rc > 0)
        add_slot(p, s);
    if (rc == 0) {
        l->ended = true;
        p->n_decoding--;
    }
    pthread_mutex_unlock(&p->mutex);
    if (rc <= 0)
        slot_free(s);
    return rc < 0 ? rc : 0;
}

static void finish_slot(struct pipeline *p, struct slot *s, const struct blob *value)
{
    av_frame_free(&s->frame);
    pthread_mutex_lock(&p->mutex);
    s->state = value->data ? SLOT_PACKED : SLOT_FAILED;
    s->value = *value;
    p->bytes += value->len;
    pthread_mutex_unlock(&p->mutex);
}

/* A picture that cannot be converted ends its video there; it does not end the run. */
static int pack_one(struct worker *w, struct slot *s, struct err *e)
{
    const struct frames_info *info = decoder_info(s->lane->decoder);
    const struct convert_target target = {info, w->p->job->videos[s->lane->video].rotation};
    struct blob value = {0};
    struct err why = {0};
    buf_clear(&w->picture);
    if (buf_reserve(&w->picture, nv12_bytes(info->width, info->height), e) < 0)
        return ERR_FAIL;
    if (converter_run(w->converter, s->frame, &target, w->picture.data, &why) < 0) {
        int rc = reader_check_memory(info->width, info->height, e);
        if (rc < 0)
            return err_add_code(e, rc, "%s: %s", w->p->job->videos[s->lane->video].path, why.text);
        s->failure = mem_strdup(why.text, e);
        finish_slot(w->p, s, &value);
        return s->failure ? 0 : ERR_FAIL;
    }
    if (frames_pack(w->codec, w->picture.data, info->stored_width, info->stored_height, &w->packed,
                    e) < 0)
        return ERR_FAIL;
    void *data = mem_aligned(w->packed.len, e);
    if (!data)
        return ERR_FAIL;
    memcpy(data, w->packed.data, w->packed.len);
    value = (struct blob){data, w->packed.len};
    finish_slot(w->p, s, &value);
    return 0;
}

static bool can_hand_over(const struct pipeline *p)
{
    const struct lane *l = p->first;
    return l && (l->first ? l->first->state >= SLOT_PACKED : l->ended);
}

/* Wakes those for whom there is something to do; with the mutex held. */
static void wake(struct pipeline *p)
{
    if (p->n_idle)
        pthread_cond_broadcast(&p->work);
    if (p->writer_waits && (p->rc < 0 || can_hand_over(p)))
        pthread_cond_signal(&p->ready);
}

static void *run_worker(void *user)
{
    struct worker *w = user;
    struct pipeline *p = w->p;
    pthread_mutex_lock(&p->mutex);
    while (!p->stop && !all_decoded(p)) {
        struct err e = {0};
        struct lane *lane = NULL;
        struct slot *slot = take_raw(p);
        int rc = slot ? 0 : pick_lane(p, w->number, &lane, &e);
        if (rc == 0 && !slot && !lane) {
            p->n_idle++;
            pthread_cond_wait(&p->work, &p->mutex);
            p->n_idle--;
            continue;
        }
        pthread_mutex_unlock(&p->mutex);
        if (slot)
            rc = pack_one(w, slot, &e);
        else if (lane)
            rc = decode_one(p, lane, &e);
        pthread_mutex_lock(&p->mutex);
        if (rc < 0 && p->rc == 0) {
            p->rc = rc;
            p->err = e;
            p->stop = true;
        }
        wake(p);
    }
    wake(p);
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* -- handing over, on the caller's thread -- */

/* Called and left with the mutex held; also wakes up now and then to look for a stop request. */
static void wait_ready(struct pipeline *p)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += 200000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    p->writer_waits = true;
    pthread_cond_timedwait(&p->ready, &p->mutex, &t);
    p->writer_waits = false;
}

static int hand_over_slot(struct pipeline *p, struct lane *l, struct err *e)
{
    struct slot *s = l->first;
    int rc = 0;
    l->first = s->next;
    if (!l->first)
        l->last = NULL;
    pthread_mutex_unlock(&p->mutex);
    for (int64_t i = s->range.first; i < s->range.end && rc == 0 && s->value.data && !l->failed;
         i++)
        rc = p->job->frame(p->job->user, l->video, i, &s->value, e);
    pthread_mutex_lock(&p->mutex);
    p->bytes -= s->value.len;
    wake(p);
    if (s->failure && !l->failed)
        l->failed = s;
    else
        slot_free(s);
    return rc;
}

static struct frames_info final_info(const struct lane *l)
{
    struct frames_info info = *decoder_info(l->decoder);
    if (l->failed) {
        info.ok = false;
        info.n_frames = l->failed->range.first;
        snprintf(info.reason, sizeof info.reason, "%.*s", (int)sizeof info.reason - 1,
                 l->failed->failure);
    }
    return info;
}

static int hand_over_end(struct pipeline *p, struct lane *l, struct err *e)
{
    p->first = l->next;
    if (!p->first)
        p->last = NULL;
    wake(p);
    pthread_mutex_unlock(&p->mutex);
    struct frames_info info = final_info(l);
    int rc = p->job->end(p->job->user, l->video, &info, e);
    lane_free(l);
    pthread_mutex_lock(&p->mutex);
    return rc;
}

static void stop(struct pipeline *p)
{
    pthread_mutex_lock(&p->mutex);
    p->stop = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->mutex);
}

static int hand_over(struct pipeline *p, struct err *e)
{
    int rc = 0;
    pthread_mutex_lock(&p->mutex);
    while (rc == 0 && p->rc == 0 && (p->first || p->next_video < p->job->n_videos)) {
        struct lane *l = p->first;
        if (stop_requested())
            rc = err_code(e, ERR_STOPPED, "stopped");
        else if (!can_hand_over(p))
            wait_ready(p);
        else
            rc = l->first ? hand_over_slot(p, l, e) : hand_over_end(p, l, e);
    }
    if (rc == 0 && p->rc < 0) {
        rc = p->rc;
        *e = p->err;
    }
    pthread_mutex_unlock(&p->mutex);
    stop(p);
    return rc;
}

/* -- the whole -- */

static void worker_release(struct worker *w)
{
    converter_free(w->converter);
    codec_free(w->codec);
    buf_release(&w->picture);
    buf_release(&w->packed);
}

static int start_worker(struct worker *w, struct pipeline *p, size_t number, struct err *e)
{
    w->p = p;
    w->number = number;
    if (converter_new(&w->converter, e) < 0 || codec_new(&w->codec, e) < 0 ||
        codec_set_level(w->codec, p->job->level, e) < 0) {
        worker_release(w);
        return ERR_FAIL;
    }
    errno = pthread_create(&w->thread, NULL, run_worker, w);
    if (errno) {
        worker_release(w);
        return err_errno(e, "cannot start a thread");
    }
    return 0;
}

static void pipeline_release(struct pipeline *p)
{
    while (p->first) {
        struct lane *next = p->first->next;
        lane_free(p->first);
        p->first = next;
    }
    pthread_mutex_destroy(&p->mutex);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->ready);
}

int pipeline_run(const struct pipeline_job *job, struct err *e)
{
    struct pipeline p = {.job = job};
    size_t n_started = 0;
    int rc = 0;
    struct worker *workers = mem_new(job->n_threads, sizeof *workers, e);
    if (!workers)
        return ERR_FAIL;
    p.max_bytes = PIPELINE_QUEUE_BYTES + job->n_threads * PIPELINE_QUEUE_BYTES_PER_THREAD;
    pthread_mutex_init(&p.mutex, NULL);
    pthread_cond_init(&p.work, NULL);
    pthread_cond_init(&p.ready, NULL);
    while (n_started < job->n_threads && rc == 0) {
        rc = start_worker(&workers[n_started], &p, n_started, e);
        n_started += rc == 0;
    }
    if (rc < 0)
        stop(&p);
    else
        rc = hand_over(&p, e);
    for (size_t i = 0; i < n_started; i++) {
        pthread_join(workers[i].thread, NULL);
        worker_release(&workers[i]);
    }
    pipeline_release(&p);
    free(workers);
    return rc;
}
