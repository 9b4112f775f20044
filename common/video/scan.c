/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/scan.h"

#include <math.h>

#include <libavutil/frame.h>

#include "common/base/buf.h"
#include "common/base/num.h"
#include "common/video/clock.h"

enum { MAX_RATE = 1000, USUAL_RATE = 240, UNKNOWN_RATE = 25 };

/* -- frame rate -- */

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void set_fps(struct video *v, int64_t num, int64_t den)
{
    int64_t divisor = num_gcd(num, den);
    v->fps_num = num / divisor;
    v->fps_den = den / divisor;
}

static double ratio(int64_t num, int64_t den)
{
    return (double)num / (double)den;
}

/* A rate that cannot be told from two timestamps. */
static void take_stated_rate(struct video *v, const struct reader_info *info)
{
    double average = ratio(info->average_num, info->average_den);
    double finest = ratio(info->rate_num, info->rate_den);
    if (average > 0 && average <= USUAL_RATE)
        set_fps(v, info->average_num, info->average_den);
    else if (finest > 0 && finest <= USUAL_RATE)
        set_fps(v, info->rate_num, info->rate_den);
    else
        set_fps(v, UNKNOWN_RATE, 1);
}

/* Frames a second of n ascending timestamps, breaks left out; 0 where no time passes. */
static double average_rate(const struct reader_info *info, const int64_t *times, size_t n)
{
    double seconds = 0, unit = ratio(info->unit_num, info->unit_den);
    size_t n_steps = 0;
    for (size_t i = 1; i < n; i++) {
        double step = ((double)times[i] - (double)times[i - 1]) * unit;
        if (step <= CLOCK_MAX_AHEAD) {
            seconds += step;
            n_steps++;
        }
    }
    return seconds > 0 ? fmin((double)n_steps / seconds, MAX_RATE) : 0;
}

/* True where a constant rate was found; else sets the one to resample at. */
static bool find_rate(struct video *v, const struct reader_info *info, const int64_t *times,
                      size_t n, double average)
{
    int64_t thousandths = (int64_t)fmax(1, round(average * 1000));
    double finest = ratio(info->rate_num, info->rate_den);
    const int64_t candidates[][2] = {{info->rate_num, info->rate_den},
                                     {info->average_num, info->average_den},
                                     {thousandths, 1000}};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        int64_t num = candidates[i][0], den = candidates[i][1];
        struct clock_rates rates = {info->unit_num, info->unit_den, num, den, num, den};
        if (num <= 0 || ratio(num, den) > MAX_RATE || !clock_fits(&rates, times, n))
            continue;
        set_fps(v, num, den);
        return true;
    }
    if (finest >= average * 0.99 && finest <= average * 1.5)
        set_fps(v, info->rate_num, info->rate_den);
    else
        set_fps(v, thousandths, 1000);
    return false;
}

/* Ticks that the clock gives these timestamps, as the frames store will have it. */
static int64_t count_ticks(const struct video *v, const struct reader_info *info,
                           const int64_t *times, size_t n)
{
    struct clock clock;
    const struct clock_rates rates = {info->unit_num, info->unit_den, v->fps_num,
                                      v->fps_den,     v->fps_num,     v->fps_den};
    clock_init(&clock, &rates);
    for (size_t i = 0; i < n; i++)
        clock_add(&clock, times[i]);
    clock_end(&clock, 0);
    return clock.n_ticks;
}

void scan_rate(struct video *v, const struct reader_info *info, int64_t *times, size_t n)
{
    if (n)
        qsort(times, n, sizeof *times, by_time);
    double average = average_rate(info, times, n);
    v->variable_rate = false;
    if (average > 0)
        v->variable_rate = !find_rate(v, info, times, n, average);
    else
        take_stated_rate(v, info);
    int64_t n_ticks = v->variable_rate ? count_ticks(v, info, times, n) : v->n_frames;
    v->duration = (double)n_ticks * ratio(v->fps_den, v->fps_num);
}

/* -- files -- */

static int add_reason(struct video *v, struct err *e, const char *text)
{
    struct buf b = {0};
    int rc =
        v->reason ? buf_printf(&b, e, "%s; %s", v->reason, text) : buf_printf(&b, e, "%s", text);
    if (rc < 0)
        return rc;
    free(v->reason);
    v->reason = (char *)b.data;
    return 0;
}

static int add_damage(struct video *v, const struct reader *r, struct err *e)
{
    struct err note;
    int64_t n = reader_n_damaged(r);
    if (!n)
        return 0;
    err_set(&note, "damaged packets or frames: %lld, first: %s", (long long)n, reader_damage(r));
    return add_reason(v, e, note.text);
}

/* Decodes the first frame, or all; `n_decoded` counts. What ends it early becomes the reason. */
static int decode(struct video *v, struct reader *r, AVFrame *frame,
                  const struct scan_options *options, struct err *e)
{
    struct err why = {0};
    int64_t n_decoded = 0;
    int rc;
    while ((rc = reader_next(r, frame, &why)) > 0) {
        if (n_decoded++ == 0) {
            v->width = frame->width;
            v->height = frame->height;
        }
        av_frame_unref(frame);
        if (!options->verify)
            break;
    }
    v->ok = n_decoded > 0;
    if (v->ok && !options->verify)
        rc = reader_skip(r, &why);
    v->verified = v->ok && options->verify;
    v->n_frames = v->verified ? n_decoded : reader_n_packets(r);
    if (!v->ok)
        v->n_frames = 0;
    if (rc < 0)
        return add_reason(v, e, why.text);
    return v->ok ? 0 : add_reason(v, e, "no frame can be decoded");
}

static int scan_opened(struct video *v, struct reader *r, const struct scan_options *options,
                       struct err *e)
{
    size_t n;
    const struct reader_info *info = reader_info(r);
    AVFrame *frame = av_frame_alloc();
    v->codec = mem_strdup(info->codec, e);
    v->rotation = info->rotation;
    if (!frame || !v->codec) {
        av_frame_free(&frame);
        return frame ? ERR_FAIL : err_set(e, "out of memory");
    }
    int rc = decode(v, r, frame, options, e);
    av_frame_free(&frame);
    if (rc < 0)
        return rc;
    if (v->ok) {
        int64_t *times = reader_times(r, &n);
        scan_rate(v, info, times, n);
    }
    return add_damage(v, r, e);
}

/* Whether what was found is the file's own: 0 where it is good, or memory was not short. */
static int check_memory(const struct video *v, const struct reader_info *info, struct err *e)
{
    if (v->ok && !v->reason)
        return 0;
    int rc = reader_check_memory(info->width, info->height, e);
    return rc < 0 && v->reason ? err_add_code(e, rc, "%s", v->reason) : rc;
}

int scan_video(struct video *v, const char *path, const struct scan_options *options, struct err *e)
{
    struct err why = {0};
    struct reader *r = NULL;
    struct reader_options o = {.time_limit = options->time_limit};
    struct reader_info info = {0};
    v->ok = false;
    int rc = reader_open(&r, path, &o, &why);
    if (rc == ERR_SHORTAGE)
        return err_code(e, rc, "%s: %s", path, why.text);
    if (rc < 0) {
        rc = add_reason(v, e, why.text);
    } else {
        info = *reader_info(r);
        rc = scan_opened(v, r, options, e);
        reader_close(r);
    }
    if (rc == 0)
        rc = check_memory(v, &info, e);
    if (rc == 0 && v->ok && info.mirrored)
        rc = add_reason(v, e, "shown mirrored by players, stored as it is");
    return rc < 0 ? err_add_code(e, rc, "%s", path) : 0;
}
