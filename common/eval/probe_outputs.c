/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/probe_outputs.h"

#include <string.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/eval/report.h"

/* What the kind of a file is told by. */
struct head {
    char text[1 << 16];
    size_t len;
};

/* Metrics begin in the same way up to the tool's name, as report_write writes them. */
static bool is_metrics(const struct head *h)
{
    struct report r = report_start("teg-probe", NULL);
    struct json *start = report_take(&r);
    const char *text = start ? json_pretty(start) : NULL;
    const char *end = text ? strstr(text, "\"teg-probe\"") : NULL;
    size_t len = end ? (size_t)(end - text) + sizeof "\"teg-probe\"" - 1 : 0;
    bool same = len && h->len >= len && memcmp(h->text, text, len) == 0;
    json_free(start);
    return same;
}

static bool is_picture(const struct head *h)
{
    static const char signature[] = "\x89PNG\r\n\x1a\n";
    size_t len = sizeof signature - 1;
    return h->len >= len && memcmp(h->text, signature, len) == 0;
}

/* By the first line. */
static bool is_predictions(const struct head *h)
{
    const char *end = memchr(h->text, '\n', h->len);
    struct json *line = end ? json_parse(h->text, (size_t)(end - h->text), NULL) : NULL;
    bool is = line && json_member(line, "video") && json_member(line, "label") &&
              json_member(line, "best");
    json_free(line);
    return is;
}

struct output {
    const char *option, *path, *kind;
    bool (*is_kind)(const struct head *h);
};

static int read_head(const char *path, struct head *h, struct err *e)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return err_errno(e, "%s", path);
    h->len = fread(h->text, 1, sizeof h->text, f);
    int rc = ferror(f) ? err_errno(e, "%s", path) : 0;
    fclose(f);
    return rc;
}

static int check_replaced(const struct output *o, struct err *e)
{
    struct stat st;
    struct head h;
    if (stat(o->path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return 0;
    if (read_head(o->path, &h, e) < 0)
        return ERR_FAIL;
    if (o->is_kind(&h))
        return 0;
    return err_set(e, "%s: exists already and is not %s; remove it or give --force", o->path,
                   o->kind);
}

int probe_outputs_check(const struct probe_options *p, struct err *e)
{
    const struct output outputs[] = {
        {"--output", p->out, "metrics of teg-probe", is_metrics},
        {"--confusion", p->confusion, "a PNG picture", is_picture},
        {"--similarity", p->similarity, "a PNG picture", is_picture},
        {"--predictions", p->predictions, "predictions of teg-probe", is_predictions},
    };
    size_t n = sizeof outputs / sizeof *outputs;
    for (size_t i = 0; i < n; i++) {
        const struct output *o = &outputs[i];
        for (size_t k = 0; o->path && k < i; k++)
            if (outputs[k].path && strcmp(outputs[k].path, o->path) == 0 &&
                strncmp(o->path, "/dev/", 5) != 0)
                return err_set(e, "%s: is the file of both %s and %s", o->path, outputs[k].option,
                               o->option);
        if (o->path && !p->force && check_replaced(o, e) < 0)
            return ERR_FAIL;
        if (o->path && file_out_check(o->path, e) < 0)
            return ERR_FAIL;
    }
    return 0;
}
