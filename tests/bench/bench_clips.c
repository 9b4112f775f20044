/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows for bench_clips.sh: reading clips against bare zstd on the same records, rendering at two
 * sizes, the loader. usage: bench_clips frames.lmdb [PEER-CROP PEER-ALL]    clips per second of
 * another renderer at 224
 */
#include <zstd.h>

#include "common/base/buf.h"
#include "common/base/rng.h"
#include "common/base/ui.h"
#include "common/nn/clips.h"

enum { LENGTH = 32, STRIDE = 4, N_CLIPS = 24, N_RUNS = 7 };

struct bench {
    struct frames *frames;
    struct sample clip[N_CLIPS];
    size_t video[N_CLIPS];
    ZSTD_DCtx *zstd;
    struct buf memory;
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double seconds[N_RUNS])
{
    qsort(seconds, N_RUNS, sizeof *seconds, compare);
    return seconds[N_RUNS / 2];
}

/* Random clips of the videos that are long enough for one. */
static int draw_clips(struct bench *b, struct err *e)
{
    struct rng r;
    size_t n_long = 0;
    const int64_t span = (LENGTH - 1) * STRIDE + 1;
    rng_init(&r, 1, 0, 0);
    for (size_t v = 0; v < frames_n_videos(b->frames); v++)
        n_long += frames_video(b->frames, v)->n_frames >= span;
    if (n_long == 0)
        return err_set(e, "no video has %d frames", (int)span);
    for (size_t i = 0; i < N_CLIPS; i++) {
        const struct frames_info *info;
        do
            info = frames_video(b->frames, b->video[i] = rng_below(&r, frames_n_videos(b->frames)));
        while (info->n_frames < span);
        b->clip[i] =
            (struct sample){.start = (int32_t)rng_below(&r, (uint64_t)(info->n_frames - span + 1)),
                            .stride = STRIDE,
                            .length = LENGTH,
                            .crop_w = (uint16_t)(info->width * 4 / 5),
                            .crop_h = (uint16_t)(info->height * 4 / 5)};
    }
    return 0;
}

/* Seconds a frame; the handle is used on, as a loader's thread does. */
static int read_clips(struct bench *b, struct clips *c, double *seconds, struct err *e)
{
    struct clip_pixels pixels;
    uint64_t before = clips_n_decompressed(c);
    double begin = ui_seconds();
    for (size_t i = 0; i < N_CLIPS; i++)
        if (clips_pictures(c, b->video[i], &b->clip[i], &pixels, e) < 0)
            return ERR_FAIL;
    *seconds = (ui_seconds() - begin) / (double)(clips_n_decompressed(c) - before);
    return 0;
}

static int decompress_records(struct bench *b, double *seconds, struct err *e)
{
    struct blob record[N_CLIPS * LENGTH];
    char key[STORE_MAX_KEY + 1];
    for (size_t i = 0; i < N_CLIPS * LENGTH; i++) {
        size_t clip = i / LENGTH;
        int64_t frame = b->clip[clip].start + (int64_t)(i % LENGTH) * STRIDE;
        if (frames_key(key, frames_id(b->frames, b->video[clip]), frame, e) < 0 ||
            store_get(frames_store(b->frames), key, &record[i], e) < 0)
            return ERR_FAIL;
        buf_clear(&b->memory);
        if (buf_reserve(&b->memory, ZSTD_getFrameContentSize(record[i].data, record[i].len), e) < 0)
            return ERR_FAIL;
    }
    double begin = ui_seconds();
    for (size_t i = 0; i < N_CLIPS * LENGTH; i++) {
        size_t n = ZSTD_decompressDCtx(b->zstd, b->memory.data, b->memory.cap, record[i].data,
                                       record[i].len);
        if (ZSTD_isError(n))
            return err_set(e, "zstd: %s", ZSTD_getErrorName(n));
    }
    *seconds = (ui_seconds() - begin) / (N_CLIPS * LENGTH);
    return 0;
}

static int bench_reading(struct bench *b, struct clips *c, struct err *e)
{
    double ours[N_RUNS], bare[N_RUNS], unused;
    int rc = read_clips(b, c, &unused, e);
    for (size_t i = 0; i < N_RUNS && rc == 0; i++)
        if ((rc = read_clips(b, c, &ours[i], e)) == 0)
            rc = decompress_records(b, &bare[i], e);
    if (rc < 0)
        return rc;
    double t = median(ours), u = median(bare);
    printf("read clips, peer is bare zstd\tframes/s\t%g\t%g\t0.77\t-\n", 1 / t, 1 / u);
    fprintf(stderr, "reading takes %.3f x the time of bare ZSTD_decompressDCtx\n", t / u);
    return 0;
}

static int time_render(struct backend *backend, const struct render_args *args, double *seconds,
                       struct err *e)
{
    double runs[N_RUNS];
    int rc = backend->ops->render(backend, args, e);
    for (size_t i = 0; i < N_RUNS && rc == 0; i++) {
        double begin = ui_seconds();
        rc = backend->ops->render(backend, args, e);
        runs[i] = ui_seconds() - begin;
    }
    if (rc == 0)
        *seconds = median(runs);
    return rc;
}

/* One clip at 112 and 224: crop and mirror alone, and everything. */
static int render_sizes(struct backend *backend, const struct clip_pixels *pixels, float *out,
                        char **peers, struct err *e)
{
    for (size_t k = 0; k < 4; k++) {
        bool all = k % 2;
        size_t size = k < 2 ? 112 : 224;
        struct clip_augment a = {.crop_w = pixels->width * 4 / 5, .crop_h = pixels->height * 4 / 5};
        a.flip = true;
        a.jitter = a.grey = all;
        a.brightness = a.saturation = 1.2f;
        a.contrast = 0.8f;
        a.hue = 0.1f;
        a.blur = all ? 1.0f : 0.0f;
        struct render_args args = {pixels, &a, size, DTYPE_F32, out};
        double seconds = 0;
        if (time_render(backend, &args, &seconds, e) < 0)
            return ERR_FAIL;
        printf("render %s %zu, one core\tclips/s\t%g\t%s\t1\t-\n", all ? "all" : "crop", size,
               1 / seconds, size == 224 && peers ? peers[all] : "-");
        fprintf(stderr, "render %s at %zu: %.2f ms\n", all ? "all" : "crop", size, 1e3 * seconds);
    }
    return 0;
}

static int run(struct bench *b, struct backend *backend, char **peers, struct err *e)
{
    struct clips_options o = {.crop_size = 224, .dtype = DTYPE_F32};
    struct clip_pixels pixels;
    struct clips *c = NULL;
    float *out = NULL;
    int rc = draw_clips(b, e);
    if (rc == 0)
        rc = clips_open(&c, b->frames, backend, &o, e);
    if (rc == 0)
        rc = bench_reading(b, c, e);
    if (rc == 0)
        rc = (out = mem_aligned(clips_bytes(&o, LENGTH), e)) ? 0 : ERR_FAIL;
    if (rc == 0)
        rc = clips_pictures(c, b->video[0], &b->clip[0], &pixels, e);
    if (rc == 0)
        rc = render_sizes(backend, &pixels, out, peers, e);
    free(out);
    clips_close(c);
    return rc;
}

int main(int argc, char **argv)
{
    struct bench b = {.zstd = ZSTD_createDCtx()};
    struct backend *backend = NULL;
    struct err e = {0};
    if (argc != 2 && argc != 4)
        return 2;
    int rc = frames_open(&b.frames, argv[1], &e);
    if (rc == 0)
        rc = backend_open(&backend, &(struct backend_options){.device = "cpu", .n_threads = 1}, &e);
    if (rc == 0)
        rc = run(&b, backend, argc == 4 ? argv + 2 : NULL, &e);
    if (rc < 0)
        fprintf(stderr, "bench_clips: %s\n", e.text);
    frames_close(b.frames);
    backend_close(backend);
    buf_release(&b.memory);
    ZSTD_freeDCtx(b.zstd);
    return rc < 0;
}
