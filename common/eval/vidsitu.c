/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/vidsitu.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/eval/report.h"

const char *const vidsitu_rules_names[] = {"official", "min_agree_2", NULL};

enum { AGREED = 2 }; /* annotators */

/* -- one event -- */

/* A verb that was given, and how often. */
struct vote {
    uint32_t verb;
    size_t n;
};

/* The most frequent first, of equals the one that was given first. Returns how many there are. */
static size_t count_votes(const struct vidsitu_event *event, struct vote votes[VIDSITU_GIVEN])
{
    size_t n = 0;
    for (size_t i = 0; i < event->n_given && i < VIDSITU_GIVEN; i++) {
        size_t k = 0;
        while (k < n && votes[k].verb != event->given[i])
            k++;
        if (k == n)
            votes[n++] = (struct vote){event->given[i], 0};
        votes[k].n++;
    }
    for (size_t i = 1; i < n; i++) {
        struct vote vote = votes[i];
        size_t k = i;
        for (; k > 0 && votes[k - 1].n < vote.n; k--)
            votes[k] = votes[k - 1];
        votes[k] = vote;
    }
    return n;
}

/* Of the verbs that at least `min` gave: position of the best among the predictions, VIDSITU_TOP
 * where none is. */
static size_t rank_of_best(const struct vidsitu_event *event, const struct vote *votes, size_t n,
                           size_t min)
{
    for (size_t i = 0; i < event->n_predicted && i < VIDSITU_TOP; i++)
        for (size_t k = 0; k < n; k++)
            if (votes[k].n >= min && votes[k].verb == event->predicted[i])
                return i;
    return VIDSITU_TOP;
}

static bool is_predicted(const struct vidsitu_event *event, uint32_t verb)
{
    for (size_t i = 0; i < event->n_predicted && i < VIDSITU_TOP; i++)
        if (event->predicted[i] == verb)
            return true;
    return false;
}

/* -- accuracy -- */

struct hits {
    size_t events[VIDSITU_TOP], videos[VIDSITU_TOP];
    size_t worst; /* rank of the worst event of the video under way */
};

static void end_video(struct hits *h)
{
    for (size_t k = h->worst; k < VIDSITU_TOP; k++)
        h->videos[k]++;
    h->worst = 0;
}

static double share(size_t part, size_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

/* -- recall -- */

/* A verb that some event calls for, in the order in which they are first met. */
struct called {
    size_t order;
    size_t n, n_found; /* events */
    double mean;
};

struct recall {
    struct called *verbs; /* [n_verbs] by number of the verb; n 0: not met */
    size_t n_met;
};

static void add_recall(struct recall *r, const struct vidsitu_event *event,
                       const struct vote *votes, size_t n)
{
    for (size_t k = 0; k < n && votes[k].n >= AGREED; k++) {
        struct called *verb = &r->verbs[votes[k].verb];
        if (verb->n++ == 0)
            verb->order = r->n_met++;
        verb->n_found += is_predicted(event, votes[k].verb);
    }
}

/* Those that are met, by falling mean; of equals those that are met first. */
static int by_mean(const void *a, const void *b)
{
    const struct called *x = a, *y = b;
    if (!x->n || !y->n)
        return !x->n - !y->n;
    if (x->mean != y->mean)
        return x->mean > y->mean ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* The official sum runs along the sorted list, from left to right. */
static void average_recall(struct vidsitu_scores *s, struct recall *r, size_t n_verbs)
{
    for (size_t i = 0; i < n_verbs; i++)
        r->verbs[i].mean = share(r->verbs[i].n_found, r->verbs[i].n);
    qsort(r->verbs, n_verbs, sizeof *r->verbs, by_mean);
    for (size_t t = 0; t < VIDSITU_THRESHOLDS; t++) {
        double sum = 0;
        for (size_t i = 0; i < r->n_met; i++)
            if (r->verbs[i].n > t) {
                sum += r->verbs[i].mean;
                s->n_verbs[t]++;
            }
        s->recall[t] = s->n_verbs[t] ? sum / (double)s->n_verbs[t] : 0;
    }
}

/* -- the whole -- */

static size_t greatest_verb(const struct vidsitu_event *events, size_t n)
{
    size_t greatest = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < events[i].n_given && k < VIDSITU_GIVEN; k++)
            if (events[i].given[k] > greatest)
                greatest = events[i].given[k];
    return greatest;
}

int vidsitu_score(struct vidsitu_scores *s, const struct vidsitu_event *events, size_t n,
                  enum vidsitu_rules rules, struct err *e)
{
    size_t n_verbs = greatest_verb(events, n) + 1, min = rules == VIDSITU_OFFICIAL ? 1 : AGREED;
    struct hits hits = {0};
    struct recall recall = {.verbs = mem_new(n_verbs, sizeof *recall.verbs, e)};
    if (!recall.verbs)
        return ERR_FAIL;
    *s = (struct vidsitu_scores){.n_events = n};
    for (size_t i = 0; i < n; i++) {
        struct vote votes[VIDSITU_GIVEN];
        size_t n_votes = count_votes(&events[i], votes);
        size_t rank = rank_of_best(&events[i], votes, n_votes, min);
        for (size_t k = rank; k < VIDSITU_TOP; k++)
            hits.events[k]++;
        hits.worst = rank > hits.worst ? rank : hits.worst;
        if (i + 1 == n || events[i + 1].video != events[i].video) {
            end_video(&hits);
            s->n_videos++;
        }
        s->n_agreed += n_votes && votes[0].n >= AGREED;
        add_recall(&recall, &events[i], votes, n_votes);
    }
    for (size_t k = 0; k < VIDSITU_TOP; k++) {
        s->per_event[k] = share(hits.events[k], s->n_events);
        s->per_video[k] = share(hits.videos[k], s->n_videos);
    }
    average_recall(s, &recall, n_verbs);
    free(recall.verbs);
    return 0;
}

/* -- reporting -- */

static struct json *report_rules(const struct vidsitu_scores *s)
{
    struct report r = report_new();
    char name[40];
    for (size_t k = 0; k < VIDSITU_TOP; k++) {
        snprintf(name, sizeof name, "Per_Ev_Top_%zu", k + 1);
        report_put_f64(&r, name, s->per_event[k]);
    }
    for (size_t k = 0; k < VIDSITU_TOP; k++) {
        snprintf(name, sizeof name, "Per_Vid_Top_%zu", k + 1);
        report_put_f64(&r, name, s->per_video[k]);
    }
    report_put_f64(&r, "acc", s->per_event[VIDSITU_TOP - 1]);
    for (size_t t = 0; t < VIDSITU_THRESHOLDS; t++) {
        snprintf(name, sizeof name, "recall_macro_1_th_%zu", t);
        report_put_f64(&r, name, s->recall[t]);
        snprintf(name, sizeof name, "num_vbs_thresh_%zu", t);
        report_put_i64(&r, name, s->n_verbs[t]);
    }
    return report_take(&r);
}

struct json *vidsitu_report(const struct vidsitu_scores scores[VIDSITU_N_RULES])
{
    struct report r = report_new();
    report_put_i64(&r, "videos", scores->n_videos);
    report_put_i64(&r, "events", scores->n_events);
    report_put_i64(&r, "agreed_events", scores->n_agreed);
    for (size_t k = 0; k < VIDSITU_N_RULES; k++)
        report_put(&r, vidsitu_rules_names[k], report_rules(&scores[k]));
    return report_take(&r);
}

void vidsitu_print(FILE *out, const struct json *report)
{
    const struct json *official = json_member(report, "official"),
                      *agreed = json_member(report, "min_agree_2");
    static const struct {
        const char *member, *strict, *loose;
    } lines[] = {{"Per_Ev_Top_1", "top-1, given twice", "top-1, any of ten"},
                 {"Per_Ev_Top_5", "top-5, given twice", "top-5, any of ten"}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        report_print_share(out, lines[i].strict, json_f64(json_member(agreed, lines[i].member)));
        report_print_share(out, lines[i].loose, json_f64(json_member(official, lines[i].member)));
    }
    report_print_share(out, "macro recall@5",
                       json_f64(json_member(official, "recall_macro_1_th_9")));
    fprintf(out, "%-22s %lld verbs that ten events or more call for\n", "  over",
            (long long)json_i64(json_member(official, "num_vbs_thresh_9")));
    fprintf(out, "%-22s %lld in %lld videos, %lld with a verb given twice\n", "annotated events",
            (long long)json_i64(json_member(report, "events")),
            (long long)json_i64(json_member(report, "videos")),
            (long long)json_i64(json_member(report, "agreed_events")));
}
