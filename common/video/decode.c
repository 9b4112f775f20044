/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/decode.h"

#include <math.h>

#include <libavutil/frame.h>

#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/video/clock.h"
#include "common/video/convert.h"
#include "common/video/hardware.h"
#include "common/video/reader.h"
#include "common/video/scan.h"

struct decoder {
    const struct decode_request *request;
    const struct decode_settings *settings;
    struct reader *reader;
    struct clock clock;
    AVFrame *held; /* on display until the next frame's time is known */
    AVFrame *incoming;
    int width, height; /* of the first frame, as coded */
    int64_t n_decoded;
    int64_t n_ticks;
    int64_t n_done;            /* stored frames that are not needed, or were given already */
    int64_t n_given;           /* by a device that failed then */
    struct hardware *hardware; /* NULL: the processor decodes this file */
    bool ended;
    struct frames_info info;
};

/* -- settings -- */

static void set_rate(struct decoder *d)
{
    const struct decode_settings *s = d->settings;
    bool own = s->fps_num == 0;
    int64_t num = own ? d->request->fps_num : s->fps_num;
    int64_t den = (own ? d->request->fps_den : s->fps_den) * s->frame_step;
    int64_t divisor = num_gcd(num, den);
    d->info.fps_num = num / divisor;
    d->info.fps_den = den / divisor;
    d->info.frame_step = s->frame_step;
}

int decoder_new(struct decoder **out, const struct decode_request *request,
                const struct decode_settings *settings, struct err *e)
{
    struct decoder *d = mem_new(1, sizeof *d, e);
    if (!d)
        return ERR_FAIL;
    d->request = request;
    d->settings = settings;
    d->n_done = request->n_done;
    d->hardware = settings->hardware;
    d->held = av_frame_alloc();
    d->incoming = av_frame_alloc();
    if (!d->held || !d->incoming) {
        decoder_free(d);
        return err_set(e, "out of memory");
    }
    set_rate(d);
    *out = d;
    return 0;
}

void decoder_free(struct decoder *d)
{
    if (!d)
        return;
    av_frame_free(&d->held);
    av_frame_free(&d->incoming);
    reader_close(d->reader);
    free(d);
}

const struct frames_info *decoder_info(const struct decoder *d)
{
    return &d->info;
}

/* -- what the index says -- */

/*
 * By how much a file may differ from the index before it is another one. The numbers come from the
 * same functions on the same packets, so that an unchanged file differs by nothing, however
 * variable its rate and broken its header; but another version of FFmpeg may have made the index.
 */
#define RATE_TOLERANCE   0.01
#define FRAMES_TOLERANCE 0.02
enum { FEW_FRAMES = 2 };

struct differences {
    char text[160];
    size_t n;
};

static void add_difference(struct differences *all, const char *unit, double found, double listed)
{
    size_t len = strlen(all->text);
    snprintf(all->text + len, sizeof all->text - len, "%s%.6g %s, not %.6g", all->n++ ? "; " : "",
             found, unit, listed);
}

static void compare_size(const struct decoder *d, struct differences *all)
{
    const struct decode_request *q = d->request;
    if (q->width > 0 && d->width != q->width)
        add_difference(all, "pixels wide", d->width, q->width);
    if (q->height > 0 && d->height != q->height)
        add_difference(all, "pixels high", d->height, q->height);
}

static void compare_rate(const struct decoder *d, struct differences *all)
{
    const struct decode_request *q = d->request;
    size_t n;
    int64_t *times = reader_times(d->reader, &n);
    struct video now = {.n_frames = reader_n_packets(d->reader)};
    scan_rate(&now, reader_info(d->reader), times, n);
    double found = (double)now.fps_num / (double)now.fps_den;
    double listed = (double)q->fps_num / (double)q->fps_den;
    if (fabs(found - listed) > RATE_TOLERANCE * listed)
        add_difference(all, "frames a second", found, listed);
}

static void compare_count(const struct decoder *d, struct differences *all)
{
    const struct decode_request *q = d->request;
    double found = (double)(q->verified ? d->n_decoded : reader_n_packets(d->reader));
    double listed = (double)q->n_frames;
    if (q->n_frames > 0 && fabs(found - listed) > fmax(FEW_FRAMES, FRAMES_TOLERANCE * listed))
        add_difference(all, "frames", found, listed);
}

/* -- the end -- */

static void add_reason(struct decoder *d, const char *text)
{
    size_t len = strlen(d->info.reason), room = sizeof d->info.reason - len;
    snprintf(d->info.reason + len, room, "%s%.*s", len ? "; " : "", (int)room - 1, text);
}

/* What is wrong with a file outweighs that it is another one. */
static void note_differences(struct decoder *d)
{
    struct differences all = {0};
    struct err text;
    compare_size(d, &all);
    compare_rate(d, &all);
    compare_count(d, &all);
    if (!all.n)
        return;
    err_set(&text, "differs from the index, which is to be made again (teg-index): %s", all.text);
    add_reason(d, text.text);
}

/* `why` is what ended the file early, NULL where nothing did. */
static void end(struct decoder *d, const char *why)
{
    struct err damage;
    int64_t n_damaged = d->reader ? reader_n_damaged(d->reader) : 0;
    d->ended = true;
    if (d->info.n_frames < d->n_given)
        d->info.n_frames = d->n_given;
    d->info.ok = !why && n_damaged == 0 && d->info.n_frames > 0;
    if (why)
        add_reason(d, why);
    if (n_damaged) {
        err_set(&damage, "damaged packets or frames: %lld, first: %s", (long long)n_damaged,
                reader_damage(d->reader));
        add_reason(d, damage.text);
    }
    if (!why && d->info.n_frames == 0)
        add_reason(d, "no frame can be decoded");
    if (d->info.ok)
        note_differences(d);
    reader_close(d->reader);
    d->reader = NULL;
}

/* -- frames -- */

static void start_clock(struct decoder *d)
{
    const struct decode_request *q = d->request;
    const struct decode_settings *s = d->settings;
    const struct reader_info *info = reader_info(d->reader);
    bool own = s->fps_num == 0;
    struct clock_rates rates = {
        .unit_num = info->unit_num,
        .unit_den = info->unit_den,
        .source_num = q->fps_num,
        .source_den = q->fps_den,
        .num = own ? q->fps_num : s->fps_num,
        .den = own ? q->fps_den : s->fps_den,
    };
    clock_init(&d->clock, &rates);
}

/* The processor decodes the file from the beginning; frames that were given are not given again. */
static void leave_hardware(struct decoder *d, const char *why)
{
    hardware_note_left(d->hardware, why);
    d->hardware = NULL;
    reader_close(d->reader);
    d->reader = NULL;
    av_frame_unref(d->held);
    av_frame_unref(d->incoming);
    d->n_ticks = d->n_decoded = 0;
    d->n_given = d->info.n_frames;
    if (d->n_done < d->n_given)
        d->n_done = d->n_given;
}

/* Whether what is wrong may be the device's fault, and not the file's. */
static bool hardware_failed(const struct decoder *d, int rc)
{
    return reader_on_hardware(d->reader) && (rc < 0 || reader_n_damaged(d->reader) > 0);
}

static bool is_no_fault(int rc)
{
    return rc == ERR_SYSTEM || rc == ERR_SHORTAGE;
}

/* Without the device where it does not open with it. */
static int open_reader(struct decoder *d, struct err *why)
{
    struct reader_options options = {.time_limit = d->settings->time_limit,
                                     .hardware = d->hardware};
    struct err without;
    int rc = reader_open(&d->reader, d->request->path, &options, why);
    if (rc == 0 || is_no_fault(rc) || !d->hardware)
        return rc;
    options.hardware = NULL;
    rc = reader_open(&d->reader, d->request->path, &options, &without);
    if (rc == 0)
        hardware_note_left(d->hardware, why->text);
    else
        *why = without;
    d->hardware = NULL;
    return rc;
}

static int open_file(struct decoder *d, struct err *e)
{
    struct err why = {0};
    if (d->request->bad) {
        end(d, d->request->bad);
        return 0;
    }
    int rc = open_reader(d, &why);
    if (is_no_fault(rc))
        return err_code(e, rc, "%s: %s", d->request->path, why.text);
    if (rc < 0) {
        end(d, why.text);
        return 0;
    }
    start_clock(d);
    return 1;
}

/* The held frame shows for n more ticks: which stored frames that makes. */
static bool show(struct decoder *d, int64_t n, struct frame_range *range)
{
    int64_t step = d->settings->frame_step;
    range->first = (d->n_ticks + step - 1) / step;
    d->n_ticks += n;
    range->end = (d->n_ticks + step - 1) / step;
    d->info.n_frames = range->end;
    if (range->first < d->n_done)
        range->first = d->n_done;
    return range->first < range->end;
}

static bool next_is_too_many(const struct decoder *d, int64_t n)
{
    return (d->n_ticks + n) / d->settings->frame_step >= DECODE_MAX_FRAMES;
}

/* A frame has come in: the one before it is done. True where that one is stored. */
static bool take(struct decoder *d, AVFrame *frame, struct frame_range *range)
{
    bool is_first = d->n_decoded++ == 0;
    int64_t n = clock_add(&d->clock, d->incoming->pts);
    if (is_first) {
        d->width = d->incoming->width;
        d->height = d->incoming->height;
    }
    if (is_first && d->info.width == 0) /* what was planned holds, whoever decodes */
        convert_plan(d->incoming, d->settings->short_side, d->request->rotation, &d->info);
    if (next_is_too_many(d, n)) {
        end(d, "too many frames");
        return false;
    }
    bool stored = show(d, n, range);
    if (stored)
        av_frame_move_ref(frame, d->held);
    else
        av_frame_unref(d->held);
    av_frame_move_ref(d->held, d->incoming);
    return stored;
}

/* The file is over: the held frame was the last. */
static bool take_last(struct decoder *d, AVFrame *frame, struct frame_range *range, const char *why)
{
    int64_t duration = d->request->variable_rate ? reader_duration(d->held) : 0;
    int64_t n = clock_end(&d->clock, duration);
    bool stored = n > 0 && show(d, n, range);
    if (stored)
        av_frame_move_ref(frame, d->held);
    end(d, why);
    return stored;
}

/* All frames are given: 0 where that is what the file has. */
static int check_memory(const struct decoder *d, struct err *e)
{
    if (d->info.ok || d->request->bad)
        return 0;
    bool seen = d->width > 0;
    int rc = reader_check_memory(seen ? d->width : d->request->width,
                                 seen ? d->height : d->request->height, e);
    return rc < 0 ? err_add_code(e, rc, "%s: %s", d->request->path, d->info.reason) : 0;
}

int decoder_next(struct decoder *d, struct AVFrame *frame, struct frame_range *range, struct err *e)
{
    while (!d->ended) {
        struct err why = {0};
        int rc = d->reader ? 1 : open_file(d, e);
        if (rc < 0)
            return rc;
        if (rc == 0)
            break;
        rc = reader_next(d->reader, d->incoming, &why);
        if (hardware_failed(d, rc)) {
            leave_hardware(d, rc < 0 ? why.text : reader_damage(d->reader));
            continue;
        }
        bool stored =
            rc > 0 ? take(d, frame, range) : take_last(d, frame, range, rc < 0 ? why.text : NULL);
        if (stored)
            return 1;
    }
    return check_memory(d, e);
}
