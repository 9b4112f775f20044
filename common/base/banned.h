/* SPDX-License-Identifier: Apache-2.0 */
/* Force-included into every C file: functions that have no safe use become compile errors. */
#ifndef TEG_BASE_BANNED_H
#define TEG_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat strncpy strtok sprintf vsprintf atoi atol atoll atof gets

#endif
