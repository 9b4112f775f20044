/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FFmpeg's log, kept off the terminal: the first error line since avlog_begin is remembered per
 * thread and becomes part of a reason text.
 *
 *     avlog_begin();
 *     int rc = avformat_open_input(...);
 *     if (rc < 0)
 *         return avlog_fail(e, rc, "cannot open");  -> "cannot open: moov atom not found"
 */
#ifndef TEG_VIDEO_AVLOG_H
#define TEG_VIDEO_AVLOG_H

#include "common/base/err.h"

/* Installs the callback at the first call; forgets what this thread has seen. */
void avlog_begin(void);
/* The first error line of this thread since avlog_begin, "" where there was none. */
const char *avlog_line(void);
/* "what: line", with FFmpeg's text of error `rc` where nothing was logged. Returns ERR_FAIL. */
int avlog_fail(struct err *e, int rc, const char *what);

#endif
