/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the library may say while it works. Tools own a `struct ui` and hand it down; the library
 * never writes to a terminal by any other way. Progress appears on a terminal only, after one
 * second, with an ETA; notes and warnings go to stderr as "tool: note: ..."; records go to the
 * --log file as JSON Lines.
 *
 *     ui_progress_start(ui, "decoding", n_videos, "videos");
 *     ui_progress_add(ui, 1);
 *     ui_progress_end(ui);
 *
 * All functions are safe from any thread and accept a NULL ui (nothing is said).
 */
#ifndef TEG_BASE_UI_H
#define TEG_BASE_UI_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/json.h"

struct ui;

struct ui_options {
    const char *tool;     /* "teg-decode" */
    const char *log_path; /* JSON Lines, appended; NULL for none */
    bool quiet;           /* no notes, no progress */
    bool verbose;         /* details too */
};

/* Refuses a file that is there and is no log of JSON Lines: by mistake it is some other output. */
int ui_check_log(const char *path, struct err *e);
int ui_open(struct ui **ui, const struct ui_options *options, struct err *e);
/* Closes the log; an error of writing it comes back here. */
int ui_close(struct ui *ui, struct err *e);

void ui_note(struct ui *ui, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ui_warn(struct ui *ui, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ui_detail(struct ui *ui, const char *format, ...) __attribute__((format(printf, 2, 3)));
/*
 * What is odd about one item of very many (a missing video). Without --verbose only the first
 * UI_MAX_ITEMS are said, and in the end how many more there were.
 */
enum { UI_MAX_ITEMS = 100 };
void ui_note_item(struct ui *ui, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ui_warn_item(struct ui *ui, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes `record` over. */
void ui_log(struct ui *ui, struct json *record);

void ui_progress_start(struct ui *ui, const char *what, uint64_t total, const char *unit);
void ui_progress_add(struct ui *ui, uint64_t n);
/* n items that an earlier run did: done, but no part of the rate. */
void ui_progress_skip(struct ui *ui, uint64_t n);
/* A short text behind the bar ("loss 3.21"). */
void ui_progress_text(struct ui *ui, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ui_progress_end(struct ui *ui);

double ui_seconds(void); /* monotonic clock, for rates */

#endif
