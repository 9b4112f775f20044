/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/ui.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"

static const double first_draw = 1.0; /* seconds after the start */
static const double draw_every = 0.1;

struct progress {
    bool running;
    bool drawn; /* the line is on the terminal now */
    char what[64], unit[32], text[128];
    uint64_t total, done, skipped;
    double started, last_drawn;
};

struct ui {
    struct ui_options options;
    char *tool, *log_path;
    FILE *log;
    int log_errno;  /* of the first failed write */
    bool terminal;  /* progress may be drawn */
    size_t n_items; /* messages of ui_note_item and ui_warn_item, said or not */
    pthread_mutex_t lock;
    struct progress progress;
};

double ui_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void ui_free(struct ui *ui)
{
    pthread_mutex_destroy(&ui->lock);
    free(ui->tool);
    free(ui->log_path);
    free(ui);
}

int ui_check_log(const char *path, struct err *e)
{
    char first = '{';
    struct stat about;
    if (stat(path, &about) < 0 || !S_ISREG(about.st_mode))
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, &first, 1);
    int rc = n < 0 ? err_errno(e, "%s", path) : 0;
    if (fd >= 0)
        close(fd);
    if (rc == 0 && first != '{')
        return err_set(e, "%s: is there and no log of JSON Lines: give another --log", path);
    return rc;
}

int ui_open(struct ui **out, const struct ui_options *options, struct err *e)
{
    struct ui *ui = mem_new(1, sizeof *ui, e);
    if (!ui)
        return ERR_FAIL;
    pthread_mutex_init(&ui->lock, NULL);
    ui->options = *options;
    ui->terminal = !options->quiet && isatty(STDERR_FILENO);
    int rc = 0;
    if (!(ui->tool = mem_strdup(options->tool, e)))
        rc = ERR_FAIL;
    if (rc == 0 && options->log_path) {
        if (!(ui->log_path = mem_strdup(options->log_path, e)))
            rc = ERR_FAIL;
        else if ((rc = ui_check_log(options->log_path, e)) == 0 &&
                 !(ui->log = fopen(options->log_path, "ae")))
            rc = err_errno(e, "%s", options->log_path);
    }
    if (rc < 0) {
        ui_free(ui);
        return rc;
    }
    *out = ui;
    return 0;
}

/* -- progress; all with the lock held -- */

static void erase_progress(struct ui *ui)
{
    if (ui->progress.drawn)
        fputs("\r\033[K", stderr);
    ui->progress.drawn = false;
}

static void print_eta(char *out, size_t size, double seconds)
{
    uint64_t s = seconds < 1e7 ? (uint64_t)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(out, size, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600, s / 60 % 60, s % 60);
    else if (seconds < 1e7)
        snprintf(out, size, "%" PRIu64 ":%02" PRIu64, s / 60, s % 60);
    else
        snprintf(out, size, "?");
}

static void print_progress(const struct progress *p, double now, char *out, size_t size)
{
    double rate = (double)(p->done - p->skipped) / (now - p->started);
    const char *gap = p->text[0] ? ", " : "";
    if (!p->total && !p->done) { /* nothing to count */
        snprintf(out, size, "%s%s%s", p->what, gap, p->text);
        return;
    }
    if (!p->total || p->done > p->total) {
        snprintf(out, size, "%s %" PRIu64 " %s, %.3g/s%s%s", p->what, p->done, p->unit, rate, gap,
                 p->text);
        return;
    }
    char eta[32];
    print_eta(eta, sizeof eta, (double)(p->total - p->done) / rate);
    snprintf(out, size, "%s %" PRIu64 "/%" PRIu64 " %s (%.0f %%), %.3g/s, ETA %s%s%s", p->what,
             p->done, p->total, p->unit, 100 * (double)p->done / (double)p->total, rate, eta, gap,
             p->text);
}

static void draw_progress(struct ui *ui)
{
    struct progress *p = &ui->progress;
    double now = ui_seconds();
    if (!ui->terminal || !p->running || now - p->started < first_draw ||
        now - p->last_drawn < draw_every)
        return;
    char line[512];
    print_progress(p, now, line, sizeof line);
    struct winsize size;
    int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
    fprintf(stderr, "\r%.*s\033[K", columns - 1, line); /* a full line would wrap */
    fflush(stderr);
    p->drawn = true;
    p->last_drawn = now;
}

void ui_progress_start(struct ui *ui, const char *what, uint64_t total, const char *unit)
{
    if (!ui)
        return;
    pthread_mutex_lock(&ui->lock);
    erase_progress(ui);
    ui->progress = (struct progress){.running = true, .total = total, .started = ui_seconds()};
    snprintf(ui->progress.what, sizeof ui->progress.what, "%s", what);
    snprintf(ui->progress.unit, sizeof ui->progress.unit, "%s", unit);
    pthread_mutex_unlock(&ui->lock);
}

void ui_progress_skip(struct ui *ui, uint64_t n)
{
    if (!ui)
        return;
    pthread_mutex_lock(&ui->lock);
    ui->progress.done += n;
    ui->progress.skipped += n;
    pthread_mutex_unlock(&ui->lock);
}

void ui_progress_add(struct ui *ui, uint64_t n)
{
    if (!ui)
        return;
    pthread_mutex_lock(&ui->lock);
    ui->progress.done += n;
    draw_progress(ui);
    pthread_mutex_unlock(&ui->lock);
}

void ui_progress_text(struct ui *ui, const char *format, ...)
{
    if (!ui)
        return;
    pthread_mutex_lock(&ui->lock);
    va_list args;
    va_start(args, format);
    vsnprintf(ui->progress.text, sizeof ui->progress.text, format, args);
    va_end(args);
    draw_progress(ui);
    pthread_mutex_unlock(&ui->lock);
}

void ui_progress_end(struct ui *ui)
{
    if (!ui)
        return;
    pthread_mutex_lock(&ui->lock);
    erase_progress(ui);
    ui->progress.running = false;
    pthread_mutex_unlock(&ui->lock);
}

/* -- messages -- */

static void say(struct ui *ui, const char *kind, const char *format, va_list args)
{
    struct err line; /* for its flattening to one line */
    char text[sizeof line.text];
    vsnprintf(text, sizeof text, format, args);
    err_set(&line, "%s", text);
    pthread_mutex_lock(&ui->lock);
    erase_progress(ui);
    fprintf(stderr, "%s: %s: %s\n", ui->tool, kind, line.text);
    ui->progress.last_drawn = 0;
    draw_progress(ui);
    pthread_mutex_unlock(&ui->lock);
}

void ui_note(struct ui *ui, const char *format, ...)
{
    if (!ui || ui->options.quiet)
        return;
    va_list args;
    va_start(args, format);
    say(ui, "note", format, args);
    va_end(args);
}

void ui_warn(struct ui *ui, const char *format, ...)
{
    if (!ui)
        return;
    va_list args;
    va_start(args, format);
    say(ui, "warning", format, args);
    va_end(args);
}

/* Whether the next message about an item is to be said. */
static bool count_item(struct ui *ui)
{
    pthread_mutex_lock(&ui->lock);
    bool few = ui->n_items++ < UI_MAX_ITEMS || ui->options.verbose;
    pthread_mutex_unlock(&ui->lock);
    return few;
}

void ui_note_item(struct ui *ui, const char *format, ...)
{
    if (!ui || ui->options.quiet || !count_item(ui))
        return;
    va_list args;
    va_start(args, format);
    say(ui, "note", format, args);
    va_end(args);
}

void ui_warn_item(struct ui *ui, const char *format, ...)
{
    if (!ui || !count_item(ui))
        return;
    va_list args;
    va_start(args, format);
    say(ui, "warning", format, args);
    va_end(args);
}

/* In the end. */
static void count_unsaid(struct ui *ui)
{
    if (ui->n_items > UI_MAX_ITEMS && !ui->options.verbose)
        ui_warn(ui, "%zu more like these (--verbose says all)", ui->n_items - UI_MAX_ITEMS);
}

void ui_detail(struct ui *ui, const char *format, ...)
{
    if (!ui || !ui->options.verbose || ui->options.quiet)
        return;
    va_list args;
    va_start(args, format);
    say(ui, "detail", format, args);
    va_end(args);
}

/* -- log -- */

/* Line by line to the file, so that a run can be watched and a killed one keeps its log. */
void ui_log(struct ui *ui, struct json *record)
{
    if (ui && ui->log && record) {
        pthread_mutex_lock(&ui->lock);
        errno = 0;
        if ((fprintf(ui->log, "%s\n", json_text(record)) < 0 || fflush(ui->log) != 0) &&
            !ui->log_errno)
            ui->log_errno = errno ? errno : EIO;
        pthread_mutex_unlock(&ui->lock);
    }
    json_free(record);
}

int ui_close(struct ui *ui, struct err *e)
{
    if (!ui)
        return 0;
    count_unsaid(ui);
    erase_progress(ui);
    if (ui->log && fclose(ui->log) != 0 && !ui->log_errno)
        ui->log_errno = errno;
    int rc = 0;
    if (ui->log_errno) {
        errno = ui->log_errno;
        rc = err_errno(e, "%s", ui->log_path);
    }
    ui_free(ui);
    return rc;
}
