/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/conv_choice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void conv_choice_name(const struct conv_choice *c, char name[CONV_CHOICE_NAME])
{
    if (c->way == WAY_PRODUCT)
        snprintf(name, CONV_CHOICE_NAME, "product %d algorithm %ld", c->index, c->number);
    else if (c->way == WAY_GRAPH)
        snprintf(name, CONV_CHOICE_NAME, "graph %d %d engine %ld knobs %08" PRIx32 " %s",
                 c->n_spatial, c->index, c->number, c->knobs,
                 c->w_type == DTYPE_BF16 ? "bf16" : "f32");
    else
        snprintf(name, CONV_CHOICE_NAME, "%s",
                 c->way != WAY_FUSED        ? "plain"
                 : c->fusion == FUSES_AFTER ? "fused after"
                                            : "fused");
}

void conv_choice_write(const struct conv_choice *c, char text[CONV_CHOICE_TEXT])
{
    char name[CONV_CHOICE_NAME];
    conv_choice_name(c, name);
    if (c->way == WAY_PLAIN)
        snprintf(text, CONV_CHOICE_NAME, "%s", name);
    else if (c->way == WAY_FUSED)
        snprintf(text, CONV_CHOICE_TEXT, "%s in %.4g ms, apart in %.4g", name, (double)c->ms,
                 (double)c->apart_ms);
    else
        snprintf(text, CONV_CHOICE_TEXT, "%s in %.4g ms", name, (double)c->ms);
}

bool conv_choice_read(struct conv_choice *c, const char *line)
{
    char type[8] = "", text[CONV_CHOICE_NAME];
    int end = 0;
    const char *measured = strstr(line, " in ");
    snprintf(text, sizeof text, "%.*s", measured ? (int)(measured - line) : CONV_CHOICE_NAME, line);
    *c = (struct conv_choice){.way = WAY_PLAIN, .w_type = DTYPE_F32};
    if (sscanf(text, "product %d algorithm %ld%n", &c->index, &c->number, &end) == 2 &&
        !text[end]) {
        c->way = WAY_PRODUCT;
        return true;
    }
    if (sscanf(text, "graph %d %d engine %ld knobs %" SCNx32 " %7s%n", &c->n_spatial, &c->index,
               &c->number, &c->knobs, type, &end) == 5 &&
        !text[end]) {
        c->way = WAY_GRAPH;
        c->w_type = strcmp(type, "bf16") == 0 ? DTYPE_BF16 : DTYPE_F32;
        return true;
    }
    bool all = strcmp(text, "fused") == 0, after = strcmp(text, "fused after") == 0;
    if (all || after) {
        c->way = WAY_FUSED;
        c->fusion = all ? FUSES_ALL : FUSES_AFTER;
    }
    return c->way == WAY_FUSED || strcmp(text, "plain") == 0;
}
