/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AVA's label maps (ava_action_list_*.pbtxt): which class ids are scored, and their names. Read
 * line by line, as the official tools do it, not as protobuf text: a line that begins with " name:"
 * says what the ids behind it are called, one with "  id:" or "  label_id:" adds a class.
 */
#ifndef TEG_EVAL_AVA_LABELS_H
#define TEG_EVAL_AVA_LABELS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum { AVA_MAX_ID = 65535 };

struct ava_class {
    int64_t id;      /* 1 .. AVA_MAX_ID */
    char *name;      /* UTF-8; several ids may have the same */
    size_t position; /* in the file: of two entries with one id the later counts */
};

struct ava_labels {
    struct ava_class *classes; /* [n], ids rising */
    size_t n, cap;
    int32_t *at; /* [greatest id + 1] position of each id in classes, -1: none */
};

/* Fills a zeroed `l`; errors begin with "line N". A map without classes is refused. */
int ava_labels_read_text(struct ava_labels *l, const char *text, size_t len, struct err *e);
void ava_labels_release(struct ava_labels *l);
long ava_labels_find(const struct ava_labels *l, int64_t id); /* -1: not scored */

#endif
