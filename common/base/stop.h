/* SPDX-License-Identifier: Apache-2.0 */
/* Ctrl-C that loses nothing: SIGINT and SIGTERM set a flag that long loops ask for; a second one
 * kills. */
#ifndef TEG_BASE_STOP_H
#define TEG_BASE_STOP_H

#include <stdbool.h>

/* Once, from main, before it starts a thread: those started later have the signals blocked as well,
 * which a thread of their own waits for. */
void stop_install(void);
bool stop_requested(void);

#endif
