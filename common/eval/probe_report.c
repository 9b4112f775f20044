/* SPDX-License-Identifier: Apache-2.0 */
#include "common/eval/probe_report.h"

#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/eval/report.h"
#include "common/nn/nn_device.h"

/* -- settings and inputs -- */

static void put_sgd(struct report *o, const struct probe_options *p)
{
    report_put_i64(o, "epochs", p->sgd.epochs);
    report_put_i64(o, "warmup_epochs", p->sgd.warmup_epochs);
    report_put_i64(o, "batch", p->sgd.batch);
    report_put_f64(o, "lr", p->sgd.lr);
    report_put_f64(o, "momentum", p->sgd.momentum);
    report_put_f64(o, "weight_decay", p->sgd.weight_decay);
    if (p->sgd.views_per_epoch)
        report_put_i64(o, "views_per_epoch", p->sgd.views_per_epoch);
    report_put_i64(o, "seed", p->sgd.seed);
}

static struct json *settings(const struct probe_options *p)
{
    struct report o = report_new();
    report_put_str(&o, "labels", p->source.of_events ? "events" : "class");
    report_put_str(&o, "method", probe_method_names[p->method]);
    if (p->method == PROBE_LOGITS)
        return report_take(&o);
    report_put_str(&o, "precision", nn_precision_names[p->precision]);
    report_put_str(&o, "normalize", probe_normalize_names[p->normalize]);
    if (p->method == PROBE_KNN) {
        report_put_i64(&o, "k", p->k);
        report_put_f64(&o, "temperature", p->temperature);
        return report_take(&o);
    }
    report_put(&o, "bias", json_new_bool(p->bias));
    if (p->method == PROBE_LINEAR) {
        put_sgd(&o, p);
    } else {
        report_put_i64(&o, "max_iterations", p->lbfgs.max_iterations);
        report_put_f64(&o, "l2", p->lbfgs.l2);
        report_put_f64(&o, "tolerance", p->lbfgs.tolerance);
    }
    return report_take(&o);
}

static struct json *inputs(const struct probe_data *d)
{
    struct report o = report_new();
    const struct store_meta *train = store_meta(embeddings_store(d->store[PROBE_TRAIN]));
    const char *model;
    report_put_str(&o, "embeddings", train->identity);
    if (d->store[PROBE_TEST])
        report_put_str(&o, "test", store_meta(embeddings_store(d->store[PROBE_TEST]))->identity);
    report_put_str(&o, "index", store_meta(index_store(d->index))->identity);
    if (train->inputs && json_get_str(train->inputs, "model", &model, NULL) == 0)
        report_put_str(&o, "model", model);
    return report_take(&o);
}

/* -- what was measured -- */

static struct json *side(const struct probe_result *r, enum probe_side which)
{
    const struct probe_set *set = &r->data->set[which];
    struct report o = report_new();
    report_put_i64(&o, "videos", set->n_videos);
    report_put_i64(&o, "decisions", set->n_decisions);
    report_put_i64(&o, "clips", set->n_rows);
    report_put_i64(&o, "unlabelled_clips", set->n_unlabelled);
    if (which == PROBE_TRAIN && r->fitted) {
        report_put_i64(&o, "steps", r->fit.steps);
        report_put_f64(&o, "loss", r->fit.loss);
        report_put_f64(&o, "top1", r->fit.accuracy);
    }
    return report_take(&o);
}

static struct json *gaps(const struct probe_data *d, const struct gap_list *list, bool reasons)
{
    struct json *array = json_new_array();
    for (size_t i = 0; i < list->n && array; i++) {
        const struct video *v = index_video(d->index, list->gaps[i].video);
        struct report o = report_new();
        report_put_str(&o, "video", v->id);
        if (list->gaps[i].event >= 0)
            report_put_i64(&o, "event", (size_t)list->gaps[i].event);
        if (reasons && v->reason)
            report_put_str(&o, "reason", v->reason);
        array = report_append(array, report_take(&o));
    }
    return array;
}

/* The class taken most often for class k where it is wrong, by the smaller number on ties; its
 * count. */
static size_t most_confused(const struct probe_result *r, size_t k, uint32_t *count, size_t *other)
{
    size_t n_classes = r->data->n_classes, most = 0;
    for (size_t c = 0; c < n_classes; c++)
        count[c] = 0;
    for (size_t i = 0; i < r->data->set[PROBE_TEST].n_decisions; i++)
        if ((size_t)r->data->set[PROBE_TEST].decisions[i].label == k && r->predicted[i] != k)
            count[r->predicted[i]]++;
    for (size_t c = 0; c < n_classes; c++)
        if (count[c] > most) {
            most = count[c];
            *other = c;
        }
    return most;
}

static struct json *class_entry(const struct probe_result *r, size_t k, uint32_t *count)
{
    const struct probe_data *d = r->data;
    const struct class_count *c = &r->accuracy.classes[k];
    struct report o = report_new();
    size_t other = 0, most = most_confused(r, k, count, &other);
    report_put_str(&o, "class", index_class(d->index, d->of_events, k));
    report_put_i64(&o, "train_clips", d->n_train_clips[k]);
    report_put_i64(&o, "n", c->n);
    report_put_i64(&o, "correct", c->correct);
    if (c->n)
        report_put_f64(&o, "accuracy", (double)c->correct / (double)c->n);
    if (most) {
        report_put_str(&o, "taken_for", index_class(d->index, d->of_events, other));
        report_put_i64(&o, "taken_for_n", most);
    }
    return report_take(&o);
}

/* Of every class that occurs in the training or the test. */
static struct json *classes(const struct probe_result *r)
{
    struct json *array = json_new_array();
    uint32_t *count = mem_new(r->data->n_classes, sizeof *count, NULL);
    for (size_t k = 0; count && k < r->data->n_classes && array; k++)
        if (r->data->n_train_clips[k] || r->accuracy.classes[k].n)
            array = report_append(array, class_entry(r, k, count));
    if (!count) {
        json_free(array);
        array = NULL;
    }
    free(count);
    return array;
}

static struct json *square(const double *values, size_t n)
{
    struct json *rows = json_new_array();
    for (size_t i = 0; i < n && rows; i++) {
        struct json *row = json_new_array();
        for (size_t j = 0; j < n && row; j++)
            row = report_append(row, json_new_f64(values[i * n + j]));
        rows = report_append(rows, row);
    }
    return rows;
}

static void put_similarity(struct report *o, const struct similarity *s)
{
    double cosine;
    if (similarity_within(s, &cosine))
        report_put_f64(o, "within_video_cosine", cosine);
    if (similarity_between(s, &cosine))
        report_put_f64(o, "between_video_cosine", cosine);
    if (!similarity_mean(s))
        return;
    struct report moments = report_new();
    report_put_i64(&moments, "videos", similarity_n_full(s));
    report_put(&moments, "mean", square(similarity_mean(s), similarity_n_moments(s)));
    report_put(o, "moment_cosine", report_take(&moments));
}

/*
 * Accuracies of guessing: any class of the training alike, and always the class with the most
 * training clips. A guess is never right where the label is a class that the training lacks.
 */
static void put_guesses(struct report *o, const struct probe_result *r)
{
    const struct probe_data *d = r->data;
    size_t most = 0;
    uint64_t n_guessable = 0;
    for (size_t k = 0; k < d->n_classes; k++) {
        if (d->n_train_clips[k] > d->n_train_clips[most])
            most = k;
        if (r->options->source.scores || d->n_train_clips[k])
            n_guessable += r->accuracy.classes[k].n;
    }
    report_put_f64(o, "chance", (double)n_guessable / (double)r->accuracy.n / (double)d->n_trained);
    if (!r->options->source.scores)
        report_put_f64(o, "majority", (double)r->accuracy.classes[most].n / (double)r->accuracy.n);
}

static void put_videos(struct report *o, const struct probe_data *d)
{
    report_put_i64(o, "n_missing", d->missing.n);
    report_put_i64(o, "n_bad", d->bad.n);
    report_put_i64(o, "n_unlabelled", d->unlabelled.n);
    report_put_i64(o, "n_overlap", d->n_overlap);
}

struct json *probe_report(const struct probe_result *r)
{
    const struct probe_data *d = r->data;
    struct report o = report_start("teg-probe", r->options->argv);
    report_put(&o, "settings", settings(r->options));
    report_put(&o, "inputs", inputs(d));
    report_put_f64(&o, "top1", accuracy_top1(&r->accuracy));
    report_put_f64(&o, "top5", accuracy_top5(&r->accuracy));
    report_put_f64(&o, "mean_class_accuracy", accuracy_mean_class(&r->accuracy));
    put_guesses(&o, r);
    report_put_i64(&o, "n_classes", d->n_trained);
    report_put_i64(&o, "n_unseen_classes", d->n_unseen);
    put_videos(&o, d);
    if (!r->options->source.scores)
        report_put(&o, "train", side(r, PROBE_TRAIN));
    report_put(&o, "test", side(r, PROBE_TEST));
    if (r->has_verbs)
        report_put(&o, "vidsitu", vidsitu_report(r->verbs));
    put_similarity(&o, r->similarity);
    report_put(&o, "missing", gaps(d, &d->missing, false));
    report_put(&o, "bad", gaps(d, &d->bad, true));
    report_put(&o, "unlabelled", gaps(d, &d->unlabelled, false));
    report_put(&o, "classes", classes(r));
    return report_take(&o);
}

/* -- predictions -- */

static struct json *best_classes(const struct probe_result *r, const double *scores)
{
    enum { BEST = 5 };
    const struct probe_data *d = r->data;
    uint32_t top[BEST];
    size_t n = d->n_classes < BEST ? d->n_classes : BEST;
    struct json *array = json_new_array();
    scores_top(scores, d->n_classes, n, top);
    for (size_t i = 0; i < n && array; i++) {
        struct report o = report_new();
        report_put_str(&o, "class", index_class(d->index, d->of_events, top[i]));
        report_put_f64(&o, "score", scores[top[i]]);
        array = report_append(array, report_take(&o));
    }
    return array;
}

int probe_write_predictions(const struct probe_result *r, const char *path, struct err *e)
{
    const struct probe_data *d = r->data;
    struct file_out *f = NULL;
    int rc = file_out_open(&f, path, e);
    for (size_t i = 0; rc == 0 && i < d->set[PROBE_TEST].n_decisions; i++) {
        const struct decision *decision = &d->set[PROBE_TEST].decisions[i];
        struct report o = report_new();
        report_put_str(&o, "video", index_video(d->index, decision->video)->id);
        if (d->of_events)
            report_put_i64(&o, "event", decision->event);
        report_put_str(&o, "label", index_class(d->index, d->of_events, (size_t)decision->label));
        report_put(&o, "best", best_classes(r, r->scores + i * d->n_classes));
        struct json *line = report_take(&o);
        if (!line)
            rc = err_set(e, "%s: out of memory", path);
        else if (fprintf(file_out_stream(f), "%s\n", json_text(line)) < 0)
            rc = err_errno(e, "%s", path);
        json_free(line);
    }
    if (rc == 0)
        return file_out_publish(f, e);
    file_out_abandon(f);
    return rc;
}

/* -- the table for people -- */

static double number(const struct json *object, const char *name)
{
    return json_f64(json_member(object, name));
}

static long long count(const struct json *object, const char *name)
{
    return (long long)json_i64(json_member(object, name));
}

static void print_cosine(FILE *out, const struct json *metrics, const char *name, const char *title)
{
    if (json_member(metrics, name))
        fprintf(out, "%-22s %6.3f\n", title, number(metrics, name));
}

/* Classes in the order of their accuracy; those that do not occur in the test come last. */
static int by_accuracy(const void *a, const void *b)
{
    const struct json *const *x = a, *const *y = b;
    long long n_x = count(*x, "n"), n_y = count(*y, "n");
    if (!n_x || !n_y)
        return !n_x - !n_y;
    double accuracy_x = number(*x, "accuracy"), accuracy_y = number(*y, "accuracy");
    if (accuracy_x != accuracy_y)
        return accuracy_x < accuracy_y ? -1 : 1;
    return strcmp(json_str(json_member(*x, "class")), json_str(json_member(*y, "class")));
}

static void print_worst(FILE *out, const struct json *metrics)
{
    enum { SHOWN = 5 };
    const struct json *list = json_member(metrics, "classes");
    size_t n = json_len(list);
    const struct json **sorted = mem_new(n ? n : 1, sizeof *sorted, NULL);
    for (size_t i = 0; sorted && i < n; i++)
        sorted[i] = json_at(list, i);
    if (sorted)
        qsort(sorted, n, sizeof *sorted, by_accuracy);
    for (size_t i = 0; sorted && i < n && i < SHOWN; i++) {
        const char *other = json_str(json_member(sorted[i], "taken_for"));
        if (!count(sorted[i], "n") || count(sorted[i], "correct") == count(sorted[i], "n"))
            break;
        fprintf(out, "%-22s %6.2f %%  %s (%lld), most often taken for %s\n",
                i ? "" : "weakest classes", 100 * number(sorted[i], "accuracy"),
                json_str(json_member(sorted[i], "class")), count(sorted[i], "n"),
                other ? other : "none");
    }
    free(sorted);
}

void probe_print(FILE *out, const struct json *metrics)
{
    const struct json *train = json_member(metrics, "train"), *test = json_member(metrics, "test");
    const struct json *set = json_member(metrics, "settings");
    fprintf(out, "%-22s %s, %s\n", "probe", json_str(json_member(set, "method")),
            json_str(json_member(set, "labels")));
    if (train)
        fprintf(out, "%-22s %lld videos, %lld clips, %lld classes\n", "trained on",
                count(train, "videos"), count(train, "clips"), count(metrics, "n_classes"));
    fprintf(out, "%-22s %lld videos, %lld clips, %lld decisions\n", "tested on",
            count(test, "videos"), count(test, "clips"), count(test, "decisions"));
    fprintf(out, "%-22s %lld missing, %lld bad, %lld unlabelled\n", "left out",
            count(metrics, "n_missing"), count(metrics, "n_bad"), count(metrics, "n_unlabelled"));
    report_print_share(out, "top-1", number(metrics, "top1"));
    report_print_share(out, "top-5", number(metrics, "top5"));
    report_print_share(out, "mean over classes", number(metrics, "mean_class_accuracy"));
    if (json_member(metrics, "vidsitu"))
        vidsitu_print(out, json_member(metrics, "vidsitu"));
    report_print_share(out, "chance", number(metrics, "chance"));
    if (json_member(metrics, "majority"))
        report_print_share(out, "largest class", number(metrics, "majority"));
    if (json_member(train, "top1"))
        report_print_share(out, "top-1 in training", number(train, "top1"));
    print_cosine(out, metrics, "within_video_cosine", "cosine within videos");
    print_cosine(out, metrics, "between_video_cosine", "cosine between videos");
    print_worst(out, metrics);
}
