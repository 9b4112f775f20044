/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error messages that travel upwards. A function that can fail returns 0 (or a positive result) or
 * one of the negative codes below, and fills the caller's `struct err` with one line of text: what,
 * which file / key / line, why; lower case, no full stop. Callers put context in front while
 * unwinding.
 *
 *     struct err e = {0};
 *     if (video_from_json(&video, json, &e) < 0)
 *         return err_add(&e, "%s: %s", path, id);   -> "index.lmdb: v7: member 'fps' is missing"
 */
#ifndef TEG_BASE_ERR_H
#define TEG_BASE_ERR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum err_code {
    ERR_FAIL = -1,      /* anything that has no code of its own */
    ERR_STOPPED = -2,   /* the user asked to stop (SIGINT, SIGTERM); nothing is lost */
    ERR_NOT_FOUND = -3, /* the key, file or member does not exist */
    ERR_SYSTEM = -4,    /* the system does not give a file out; another try may succeed */
    ERR_SHORTAGE = -5,  /* files or memory have run out, whatever the file; the same holds */
};

struct err {
    char text[1024]; /* NUL-terminated, never holds a newline; "" when nothing failed */
};

/* Replaces the text; returns ERR_FAIL. `e` may be NULL (the text is dropped). */
int err_set(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As err_set, returning `code`. */
int err_code(struct err *e, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and strerror(errno) behind the text. */
int err_errno(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " in front of the text; returns ERR_FAIL. */
int err_add(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As err_add, returning `code` (to pass a code through while adding context). */
int err_add_code(struct err *e, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif

#endif
