/* SPDX-License-Identifier: Apache-2.0 */
#include "common/video/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>

#include "common/base/buf.h"
#include "common/base/ui.h"
#include "common/video/avlog.h"
#include "common/video/clock.h"
#include "common/video/hardware.h"

/* Errors of a decoder that was given nothing new in between; some repeat theirs for ever. */
enum { MAX_ERRORS_IN_A_ROW = 64 };

struct reader {
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
    struct hardware
        *hardware;    /* that is to decode; NULL: none, or it has left it to the processor */
    AVFrame *fetched; /* on its way from there */
    AVStream *stream;
    struct reader_info info;
    double time_limit, deadline; /* seconds; seconds of ui_seconds */
    bool draining;               /* the file is at its end, the decoder gives what it holds */
    struct err read_error;       /* why the file ended early, "" where it did not */
    int64_t *pts, *dts;          /* of the packets, those that have one */
    size_t n_pts, n_dts, times_cap;
    int64_t n_read;    /* packets of the stream, all */
    int64_t n_packets; /* those that no edit list cuts away */
    int64_t n_damaged;
    struct err damage; /* the first complaint */
};

static bool out_of_time(const struct reader *r)
{
    return ui_seconds() > r->deadline;
}

static int interrupt(void *user)
{
    return out_of_time(user);
}

static int fail_slow(const struct reader *r, struct err *e)
{
    return err_set(e, "no frame within the time limit of %g s", r->time_limit);
}

/* -- opening -- */

static bool is_encrypted(const AVStream *stream)
{
    return av_dict_get(stream->metadata, "enc_key_id", NULL, 0) != NULL;
}

static int find_stream(struct reader *r, struct err *e)
{
    bool pictures = false;
    int best = av_find_best_stream(r->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (best >= 0 && r->format->streams[best]->disposition & AV_DISPOSITION_ATTACHED_PIC)
        pictures = true;
    if (best < 0 || pictures)
        return err_set(e, "no video stream%s", pictures ? " (only a cover picture)" : "");
    for (unsigned i = 0; i < r->format->nb_streams; i++)
        if ((int)i != best)
            r->format->streams[i]->discard = AVDISCARD_ALL;
    r->stream = r->format->streams[best];
    if (is_encrypted(r->stream))
        return err_set(e, "encrypted");
    return 0;
}

static int check_size(int width, int height, struct err *e)
{
    if (width <= 0 || height <= 0)
        return err_set(e, "no picture size");
    if ((int64_t)width * height > READER_MAX_PIXELS)
        return err_set(e, "%d x %d pixels are more than the %d that are taken", width, height,
                       READER_MAX_PIXELS);
    return 0;
}

static int open_codec(struct reader *r, struct err *e)
{
    const AVCodecParameters *p = r->stream->codecpar;
    const AVCodec *codec = hardware_decoder(r->hardware, (int)p->codec_id);
    if (!codec)
        codec = avcodec_find_decoder(p->codec_id);
    if (!codec && p->codec_id == AV_CODEC_ID_NONE)
        return err_set(e, "unknown codec");
    if (!codec)
        return err_set(e, "no decoder for codec %s", avcodec_get_name(p->codec_id));
    if (check_size(p->width, p->height, e) < 0)
        return ERR_FAIL;
    r->codec = avcodec_alloc_context3(codec);
    if (!r->codec)
        return err_set(e, "out of memory");
    int rc = avcodec_parameters_to_context(r->codec, p);
    if (rc < 0)
        return avlog_fail(e, rc, "cannot set up the decoder");
    r->codec->thread_count = 1;
    r->codec->max_pixels = READER_MAX_PIXELS;
    r->codec->pkt_timebase = r->stream->time_base;
    if (r->hardware && hardware_use(r->hardware, r->codec, e) < 0)
        return ERR_FAIL;
    rc = avcodec_open2(r->codec, codec, NULL);
    return rc < 0 ? avlog_fail(e, rc, "cannot open the decoder") : 0;
}

/* FFmpeg decodes a little to learn what the headers leave open: the same limits hold there. */
static int find_info(struct reader *r, struct err *e)
{
    char pixels[16];
    unsigned n = r->format->nb_streams;
    AVDictionary **options = mem_new(n ? n : 1, sizeof *options, e);
    if (!options)
        return ERR_FAIL;
    snprintf(pixels, sizeof pixels, "%d", READER_MAX_PIXELS);
    for (unsigned i = 0; i < n; i++) {
        av_dict_set(&options[i], "threads", "1", 0);
        av_dict_set(&options[i], "max_pixels", pixels, 0);
    }
    int rc = avformat_find_stream_info(r->format, options);
    for (unsigned i = 0; i < n; i++)
        av_dict_free(&options[i]);
    free(options);
    if (out_of_time(r)) /* FFmpeg takes an interruption here for the end of the file */
        return fail_slow(r, e);
    return rc < 0 ? avlog_fail(e, rc, "cannot read the streams") : 0;
}

static bool is_shortage(int number)
{
    return number == EMFILE || number == ENFILE || number == ENOMEM;
}

int reader_check_memory(int width, int height, struct err *e)
{
    /* A decoder holds 16 pictures, of two bytes a pixel or so; the rest is for all else. */
    size_t pixels = 0, rest = (size_t)64 << 20;
    if (check_size(width, height, NULL) == 0)
        pixels = (size_t)width * (size_t)height;
    return mem_check(rest + 32 * pixels, e);
}

/* What FFmpeg would wait for, or has many words for; a byte is read, so that what fails afterwards
 * is the file's fault. */
static int check_file(const char *path, struct err *e)
{
    struct stat about;
    char byte;
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
        return err_set(e, "not a regular file");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, &byte, 1);
    int number = errno;
    if (n < 0)
        err_errno(e, "cannot be opened");
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return is_shortage(number) ? ERR_SHORTAGE : ERR_SYSTEM;
    return n == 0 ? err_set(e, "empty file") : 0;
}

static int open_file(struct reader *r, const char *path, struct err *e)
{
    struct buf url = {0};
    AVDictionary *options = NULL;
    if (buf_printf(&url, e, "file:%s", path) < 0)
        return ERR_FAIL;
    r->format = avformat_alloc_context();
    if (!r->format) {
        buf_release(&url);
        return err_set(e, "out of memory");
    }
    r->format->interrupt_callback = (AVIOInterruptCB){interrupt, r};
    av_dict_set(&options, "protocol_whitelist", "file", 0);
    int rc = avformat_open_input(&r->format, (const char *)url.data, NULL, &options);
    av_dict_free(&options);
    buf_release(&url);
    if (rc == 0)
        return 0;
    if (out_of_time(r))
        return fail_slow(r, e);
    avlog_fail(e, rc, "cannot be opened");
    return rc == AVERROR(EMFILE) || rc == AVERROR(ENFILE) ? ERR_SHORTAGE : ERR_FAIL;
}

/* -- what the headers say -- */

static const int32_t *display_matrix(const AVStream *stream)
{
    const int32_t *matrix = NULL;
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 102) /* FFmpeg 6.1 moved it */
    const AVPacketSideData *data =
        av_packet_side_data_get(stream->codecpar->coded_side_data,
                                stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    if (data && data->size >= 9 * sizeof *matrix)
        matrix = (const int32_t *)data->data;
#else
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    if (data && size >= 9 * sizeof *matrix)
        matrix = (const int32_t *)data;
#endif
    return matrix;
}

static void set_rotation(struct reader_info *info, const int32_t *matrix)
{
    if (!matrix)
        return;
    int32_t m[9];
    memcpy(m, matrix, sizeof m);
    info->mirrored = (double)m[0] * m[4] - (double)m[1] * m[3] < 0;
    if (info->mirrored) { /* left-right after the turn: what remains without it is the turn */
        m[0] = m[0] == INT32_MIN ? INT32_MAX : -m[0];
        m[3] = m[3] == INT32_MIN ? INT32_MAX : -m[3];
    }
    double turn = -av_display_rotation_get(m); /* FFmpeg counts counter-clockwise */
    if (isfinite(turn))
        info->rotation = (int)(lround(turn / 90) % 4 + 4) % 4 * 90;
}

static void set_rate(AVRational rate, int64_t *num, int64_t *den)
{
    bool known = rate.num > 0 && rate.den > 0;
    *num = known ? rate.num : 0;
    *den = known ? rate.den : 1;
}

static int set_info(struct reader *r, struct err *e)
{
    struct reader_info *info = &r->info;
    const AVStream *stream = r->stream;
    info->width = stream->codecpar->width;
    info->height = stream->codecpar->height;
    if (stream->time_base.num <= 0 || stream->time_base.den <= 0)
        return err_set(e, "no time base");
    info->unit_num = stream->time_base.num;
    info->unit_den = stream->time_base.den;
    set_rate(stream->r_frame_rate, &info->rate_num, &info->rate_den);
    set_rate(stream->avg_frame_rate, &info->average_num, &info->average_den);
    snprintf(info->codec, sizeof info->codec, "%s", avcodec_get_name(stream->codecpar->codec_id));
    set_rotation(info, display_matrix(stream));
    return 0;
}

int reader_open(struct reader **out, const char *path, const struct reader_options *options,
                struct err *e)
{
    struct reader *r = mem_new(1, sizeof *r, e);
    if (!r)
        return ERR_FAIL;
    avlog_begin();
    r->time_limit = options->time_limit > 0 ? options->time_limit : READER_TIME_LIMIT;
    r->deadline = ui_seconds() + r->time_limit;
    r->hardware = options->hardware;
    r->packet = av_packet_alloc();
    r->fetched = av_frame_alloc();
    int rc = r->packet && r->fetched ? 0 : err_set(e, "out of memory");
    if (rc < 0)
        goto fail;
    if ((rc = check_file(path, e)) < 0 || (rc = open_file(r, path, e)) < 0 ||
        (rc = find_info(r, e)) < 0 || (rc = find_stream(r, e)) < 0 || (rc = open_codec(r, e)) < 0 ||
        (rc = set_info(r, e)) < 0)
        goto fail;
    *out = r;
    return 0;
fail:
    reader_close(r);
    return rc;
}

void reader_close(struct reader *r)
{
    if (!r)
        return;
    avlog_begin(); /* closing may complain, too */
    av_packet_free(&r->packet);
    av_frame_free(&r->fetched);
    avcodec_free_context(&r->codec);
    avformat_close_input(&r->format);
    free(r->pts);
    free(r->dts);
    free(r);
}

const struct reader_info *reader_info(const struct reader *r)
{
    return &r->info;
}

/* -- packets -- */

static int keep_times(struct reader *r, struct err *e)
{
    r->n_packets++;
    if (r->n_packets > READER_MAX_TIMES)
        return 0;
    if ((size_t)r->n_packets > r->times_cap) {
        size_t cap = r->times_cap ? 2 * r->times_cap : 256;
        int64_t *pts = mem_grow(r->pts, cap, sizeof *pts, e);
        r->pts = pts ? pts : r->pts;
        int64_t *dts = pts ? mem_grow(r->dts, cap, sizeof *dts, e) : NULL;
        r->dts = dts ? dts : r->dts;
        if (!pts || !dts)
            return ERR_FAIL;
        r->times_cap = cap;
    }
    if (r->packet->pts != AV_NOPTS_VALUE)
        r->pts[r->n_pts++] = r->packet->pts;
    if (r->packet->dts != AV_NOPTS_VALUE)
        r->dts[r->n_dts++] = r->packet->dts;
    return 0;
}

static void add_damage(struct reader *r, const char *what, int rc)
{
    if (r->n_damaged++)
        return;
    if (rc < 0)
        avlog_fail(&r->damage, rc, what);
    else
        err_set(&r->damage, "%s", avlog_line()[0] ? avlog_line() : what);
}

/* MP4 files list their packets at the front, so a cut-off one shows. */
static void note_end(struct reader *r, int rc)
{
    int n_listed = avformat_index_get_entries_count(r->stream);
    if (rc != AVERROR_EOF)
        avlog_fail(&r->read_error, rc, "reading ends early");
    else if (strncmp(r->format->iformat->name, "mov,", 4) == 0 && r->n_read < n_listed)
        err_set(&r->read_error, "the file ends after %lld of %d packets", (long long)r->n_read,
                n_listed);
}

/* The next packet of the video stream into r->packet: 1, 0 at the end. A read error ends the file,
 * too; it is kept for `ended`, as the decoder still holds frames. */
static int next_packet(struct reader *r, struct err *e)
{
    for (;;) {
        av_packet_unref(r->packet);
        if (out_of_time(r))
            return fail_slow(r, e);
        int rc = av_read_frame(r->format, r->packet);
        if (rc == AVERROR(EAGAIN))
            continue;
        if (rc < 0 && out_of_time(r))
            return fail_slow(r, e);
        if (rc < 0) {
            note_end(r, rc);
            return 0;
        }
        if (r->packet->stream_index != r->stream->index)
            continue;
        r->n_read++;
        if (av_packet_get_side_data(r->packet, AV_PKT_DATA_ENCRYPTION_INFO, NULL))
            return err_set(e, "encrypted");
        if (!(r->packet->flags & AV_PKT_FLAG_DISCARD) && keep_times(r, e) < 0)
            return ERR_FAIL;
        return 1;
    }
}

int64_t *reader_times(struct reader *r, size_t *n)
{
    bool display = r->n_pts >= r->n_dts;
    *n = display ? r->n_pts : r->n_dts;
    return display ? r->pts : r->dts;
}

int64_t reader_n_packets(const struct reader *r)
{
    return r->n_packets;
}

bool reader_on_hardware(const struct reader *r)
{
    return r->hardware != NULL;
}

int64_t reader_n_damaged(const struct reader *r)
{
    return r->n_damaged;
}

const char *reader_damage(const struct reader *r)
{
    return r->damage.text;
}

static int ended(const struct reader *r, struct err *e)
{
    return r->read_error.text[0] ? err_set(e, "%s", r->read_error.text) : 0;
}

int reader_skip(struct reader *r, struct err *e)
{
    int rc;
    do {
        avlog_begin();
        r->deadline = ui_seconds() + r->time_limit;
    } while ((rc = next_packet(r, e)) > 0);
    return rc == 0 ? ended(r, e) : rc;
}

/* -- frames -- */

/* Gives the decoder one packet, or the end of the file. */
static int feed(struct reader *r, struct err *e)
{
    int rc = next_packet(r, e);
    if (rc < 0)
        return rc;
    if (rc == 0) {
        r->draining = true;
        avcodec_send_packet(r->codec, NULL);
        return 0;
    }
    bool cut_off = r->packet->flags & AV_PKT_FLAG_CORRUPT;
    rc = avcodec_send_packet(r->codec, r->packet);
    if (rc == AVERROR(ENOMEM))
        return avlog_fail(e, rc, "cannot decode");
    if (rc < 0)
        add_damage(r, "cannot decode", rc);
    else if (cut_off)
        add_damage(r, "incomplete packet", 0);
    return 0;
}

/* Whether a device's pictures are of the file's pixel format: else its conversion is not ours. */
static bool is_coded_as(int format, enum AVPixelFormat coded)
{
    bool full_range = coded == AV_PIX_FMT_YUVJ420P; /* the same, with the range in its name */
    return format == (int)(full_range ? AV_PIX_FMT_YUV420P : coded);
}

static int check_frame(struct reader *r, AVFrame *frame, struct err *e)
{
    int fetched = hardware_fetch(frame, r->fetched, e);
    if (fetched < 0 || check_size(frame->width, frame->height, e) < 0)
        return ERR_FAIL;
    if (fetched && !is_coded_as(frame->format, r->codec->sw_pix_fmt))
        return err_set(e, "the GPU gives pictures of another kind than the file's");
    if (r->hardware && !fetched) {
        hardware_note_left(r->hardware, avlog_line());
        r->hardware = NULL;
    }
    if (!av_pix_fmt_desc_get(frame->format))
        return err_set(e, "unknown pixel format %d", frame->format);
    if (frame->flags & AV_FRAME_FLAG_CORRUPT || frame->decode_error_flags)
        add_damage(r, "damaged frame", 0);
    int64_t time = frame->best_effort_timestamp;
    frame->pts = time == AV_NOPTS_VALUE ? CLOCK_NO_TIME : time;
    return 1;
}

int reader_next(struct reader *r, struct AVFrame *frame, struct err *e)
{
    int n_errors = 0;
    r->deadline = ui_seconds() + r->time_limit;
    avlog_begin();
    for (;;) {
        int rc = avcodec_receive_frame(r->codec, frame);
        if (rc == 0)
            return check_frame(r, frame, e);
        if (rc == AVERROR_EOF)
            return ended(r, e);
        if (rc != AVERROR(EAGAIN)) {
            add_damage(r, "cannot decode", rc);
            if (++n_errors < MAX_ERRORS_IN_A_ROW)
                continue;
        }
        if (r->draining) /* a decoder that wants more where there is no more */
            return ended(r, e);
        if (feed(r, e) < 0)
            return ERR_FAIL;
    }
}

int64_t reader_duration(const struct AVFrame *frame)
{
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100) /* FFmpeg 6.0 renamed it */
    int64_t duration = frame->duration;
#else
    int64_t duration = frame->pkt_duration;
#endif
    return duration > 0 ? duration : 0;
}
