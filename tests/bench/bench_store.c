/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speeds of the frames store, beside what zstd and the disk allow.
 * usage: bench_store FOLDER; prints rows for tests/bench/run.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "common/base/buf.h"
#include "common/base/rng.h"
#include "common/base/ui.h"
#include "common/store/frames.h"

enum { WIDTH = 340, HEIGHT = 256, ROWS = HEIGHT / 2 * 3, PICTURE = ROWS * WIDTH };
enum { N_VIDEOS = 16, N_FRAMES = 150, CLIP = 32, STRIDE = 4, N_CLIPS = 60, N_RUNS = 5 };

static struct err e;

static int die(void)
{
    fprintf(stderr, "bench_store: error: %s\n", e.text);
    exit(1);
}

/* Shapes that move, with the noise of a camera: packs to about half, as real pictures do. */
static void draw(uint8_t *picture, size_t video, int64_t t)
{
    struct rng r;
    rng_init(&r, video, 0, (uint64_t)t);
    for (size_t y = 0; y < ROWS; y++)
        for (size_t x = 0; x < WIDTH; x += 4) {
            uint32_t noise = rng_u32(&r);
            for (size_t i = 0; i < 4; i++) {
                size_t at = x + i + (size_t)t * (1 + video % 3);
                uint8_t shape = (at / 40 + y / 30) % 3 ? 90 : 160;
                picture[y * WIDTH + x + i] = (uint8_t)(shape + at / 8 + (noise >> 8 * i & 3));
            }
        }
}

struct packed {
    struct buf value[N_VIDEOS * N_FRAMES];
    size_t bytes;
};

static void pack_all(struct packed *p)
{
    static uint8_t picture[PICTURE];
    struct codec *c;
    if (codec_new(&c, &e) < 0)
        die();
    for (size_t i = 0; i < N_VIDEOS * N_FRAMES; i++) {
        draw(picture, i / N_FRAMES, (int64_t)(i % N_FRAMES));
        if (frames_pack(c, picture, WIDTH, HEIGHT, &p->value[i], &e) < 0)
            die();
        p->bytes += p->value[i].len;
    }
    codec_free(c);
}

/* Seconds to write all records as a store, durably. */
static double write_store(const struct packed *p, const char *path)
{
    struct store_writer *w;
    struct store_spec spec = {
        .schema = FRAMES_SCHEMA, .version = FRAMES_VERSION, .tool = "bench", .force = true};
    struct frames_info info = {.width = WIDTH,
                               .height = HEIGHT,
                               .n_frames = N_FRAMES,
                               .fps_num = 25,
                               .fps_den = 1,
                               .frame_step = 1,
                               .ok = true};
    struct json *j = frames_info_to_json(&info);
    char id[16], key[STORE_MAX_KEY + 1];
    double start = ui_seconds();
    if (!j || store_create(&w, path, &spec, &e) < 0)
        die();
    for (size_t i = 0; i < N_VIDEOS * N_FRAMES; i++) {
        snprintf(id, sizeof id, "v%03zu", i / N_FRAMES);
        if (i % N_FRAMES == 0 && store_put(w, id, json_text(j), strlen(json_text(j)), &e) < 0)
            die();
        if (frames_key(key, id, (int64_t)(i % N_FRAMES), &e) < 0 ||
            store_put(w, key, p->value[i].data, p->value[i].len, &e) < 0)
            die();
    }
    if (store_publish(w, N_VIDEOS, &e) < 0)
        die();
    json_free(j);
    return ui_seconds() - start;
}

/* Seconds to write as many bytes to a plain file and sync them once. */
static double write_plain(const struct packed *p, const char *path)
{
    double start = ui_seconds();
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    for (size_t i = 0; i < N_VIDEOS * N_FRAMES; i++)
        if (write(fd, p->value[i].data, p->value[i].len) != (ssize_t)p->value[i].len)
            exit(1);
    if (fdatasync(fd) < 0 || close(fd) < 0)
        exit(1);
    return ui_seconds() - start;
}

/* Frame t of clip i: all over the store, as training reads it. */
static size_t frame_of(size_t clip, size_t t)
{
    struct rng r;
    rng_init(&r, 7, 0, clip);
    size_t video = rng_below(&r, N_VIDEOS);
    size_t start = rng_below(&r, N_FRAMES - (CLIP - 1) * STRIDE);
    return video * N_FRAMES + start + t * STRIDE;
}

static double read_clips(struct frames *f)
{
    static uint8_t clip[CLIP][PICTURE];
    double start = ui_seconds();
    for (size_t i = 0; i < N_CLIPS; i++)
        for (size_t t = 0; t < CLIP; t++) {
            size_t at = frame_of(i, t);
            if (frames_read(f, at / N_FRAMES, (int64_t)(at % N_FRAMES), clip[t], &e) < 0)
                die();
        }
    return ui_seconds() - start;
}

static double decompress_clips(const struct packed *p)
{
    static uint8_t plain[PICTURE + 4096];
    ZSTD_DCtx *context = ZSTD_createDCtx();
    double start = ui_seconds();
    for (size_t i = 0; i < N_CLIPS; i++)
        for (size_t t = 0; t < CLIP; t++) {
            const struct buf *v = &p->value[frame_of(i, t)];
            if (ZSTD_isError(ZSTD_decompressDCtx(context, plain, sizeof plain, v->data, v->len)))
                exit(1);
        }
    double seconds = ui_seconds() - start;
    ZSTD_freeDCtx(context);
    return seconds;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *seconds)
{
    qsort(seconds, N_RUNS, sizeof *seconds, compare);
    return seconds[N_RUNS / 2];
}

int main(int argc, char **argv)
{
    static struct packed p;
    char path[4096], plain[4096];
    double ours[N_RUNS], limit[N_RUNS];
    struct frames *f;
    if (argc != 2)
        return 2;
    snprintf(path, sizeof path, "%s/frames.lmdb", argv[1]);
    snprintf(plain, sizeof plain, "%s/plain", argv[1]);
    pack_all(&p);
    fprintf(stderr, "%d frames, %.2f of their size\n", N_VIDEOS * N_FRAMES,
            (double)p.bytes / PICTURE / N_VIDEOS / N_FRAMES);
    for (int i = 0; i < N_RUNS; i++) {
        ours[i] = write_store(&p, path);
        limit[i] = write_plain(&p, plain);
    }
    printf("store: writing\tMB/s\t%g\t-\t-\t%g\n", 1e-6 * (double)p.bytes / median(ours),
           1e-6 * (double)p.bytes / median(limit));
    if (frames_open(&f, path, &e) < 0)
        die();
    for (int i = -1; i < N_RUNS; i++) { /* the first is the warm-up */
        ours[i < 0 ? 0 : i] = read_clips(f);
        limit[i < 0 ? 0 : i] = decompress_clips(&p);
    }
    frames_close(f);
    double pixels = 1e-6 * N_CLIPS * CLIP * PICTURE;
    printf("store: reading clips (zstd alone)\tMB/s\t%g\t-\t-\t%g\n", pixels / median(ours),
           pixels / median(limit));
    return 0;
}
