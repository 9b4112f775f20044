/* SPDX-License-Identifier: Apache-2.0 */
/* Ctrl-C that loses nothing: SIGINT and SIGTERM set a flag that long loops ask for; a second one
 * kills. */
#ifndef TEG_BASE_STOP_H
#define TEG_BASE_STOP_H

#include <stdbool.h>

void stop_install(void); /* once, from main */
bool stop_requested(void);

#endif
