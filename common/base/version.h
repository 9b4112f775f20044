/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEG_BASE_VERSION_H
#define TEG_BASE_VERSION_H

#define TEG_VERSION "0.1.0"

#endif
