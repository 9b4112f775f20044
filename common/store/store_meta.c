/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_meta.h"

#include <limits.h>
#include <string.h>

#include "common/base/version.h"
#include "common/store/embeddings.h"
#include "common/store/frames.h"
#include "common/store/index.h"
#include "common/store/samples.h"
#include "common/store/shard.h"

static const struct {
    const char *schema;
    int version;
} known[] = {
    {INDEX_SCHEMA, INDEX_VERSION},
    {FRAMES_SCHEMA, FRAMES_VERSION},
    {SAMPLES_SCHEMA, SAMPLES_VERSION},
    {EMBEDDINGS_SCHEMA, EMBEDDINGS_VERSION},
};

static const char *const head_members[] = {"schema", "version",  "tool",  "tool_version",
                                           "argv",   "settings", "inputs"};
enum { N_HEAD_MEMBERS = sizeof head_members / sizeof *head_members };

/* -- making -- */

/* A value of its own, as it would be read back from a file. */
static struct json *copy(struct json *v, struct err *e)
{
    const char *text = json_text(v);
    return json_parse(text, strlen(text), e);
}

static int add_shard(struct json *head, const struct shard *shard, struct err *e)
{
    char text[SHARD_TEXT_BYTES];
    shard_text(shard, text);
    int rc = json_add(json_member(head, "settings"), SHARD_SETTING, json_new_str(text));
    return rc < 0 ? err_set(e, "out of memory: " STORE_META_KEY) : 0;
}

struct json *meta_head(const struct store_spec *spec, struct err *e)
{
    struct json *head = json_new_object(), *whole = NULL;
    if (head && json_add(head, "schema", json_new_str(spec->schema)) == 0 &&
        json_add(head, "version", json_new_i64(spec->version)) == 0 &&
        json_add(head, "tool", json_new_str(spec->tool)) == 0 &&
        json_add(head, "tool_version", json_new_str(TEG_VERSION)) == 0 &&
        json_add(head, "argv", spec->argv ? json_ref(spec->argv) : json_new_array()) == 0 &&
        json_add(head, "settings", spec->settings ? json_ref(spec->settings) : json_new_object()) ==
            0 &&
        json_add(head, "inputs", spec->inputs ? json_ref(spec->inputs) : json_new_object()) == 0)
        whole = copy(head, e);
    else
        err_set(e, "out of memory: " STORE_META_KEY);
    json_free(head);
    if (whole && spec->shard.of && add_shard(whole, &spec->shard, e) < 0) {
        json_free(whole);
        return NULL;
    }
    return whole;
}

struct json *meta_build(const struct json *head, const struct meta_state *state,
                        struct json *summary, uint64_t count, struct err *e)
{
    char content[HASH_TEXT_BYTES];
    hash_text(state->content, content);
    struct json *root = json_new_object();
    int rc = root ? 0 : ERR_FAIL;
    for (size_t i = 0; rc == 0 && i < N_HEAD_MEMBERS; i++)
        rc = json_add(root, head_members[i], json_ref(json_member(head, head_members[i])));
    if (rc == 0 && summary)
        rc = json_add(root, "summary", json_ref(summary));
    if (rc == 0 && summary)
        rc = json_add(root, "count", json_new_i64((int64_t)count));
    if (rc == 0)
        rc = json_add(root, "records", json_new_i64((int64_t)state->n_records));
    if (rc == 0)
        rc = json_add(root, "content", json_new_str(content));
    if (rc == 0)
        rc = json_add(root, "last", json_new_str(state->last));
    if (rc == 0)
        rc = json_add(root, "complete", json_new_bool(summary != NULL));
    if (rc == 0 && *json_text(root))
        return root;
    err_set(e, "out of memory: " STORE_META_KEY);
    json_free(root);
    return NULL;
}

/* -- comparing -- */

/* Settings and inputs are compared member by member, so that the difference names the one. */
static bool objects_differ(const char *object, const struct json *a, const struct json *b,
                           struct meta_difference *d)
{
    const char *name;
    struct json *value;
    struct json_walk of_b = {0}, of_a = {0};
    while (json_next(b, &of_b, &name, &value)) {
        *d = (struct meta_difference){.a = json_member(a, name), .b = value};
        snprintf(d->name, sizeof d->name, "%s.%s", object, name);
        if (!d->a || !json_equal(d->a, value))
            return true;
    }
    while (json_next(a, &of_a, &name, &value)) {
        *d = (struct meta_difference){.a = value};
        snprintf(d->name, sizeof d->name, "%s.%s", object, name);
        if (!json_member(b, name))
            return true;
    }
    return false;
}

bool meta_differ(const struct json *a, const struct json *b, struct meta_difference *d)
{
    for (size_t i = 0; i < N_HEAD_MEMBERS; i++) {
        const char *name = head_members[i];
        struct json *x = json_member(a, name), *y = json_member(b, name);
        /* All that decides the content is in settings. */
        if (strcmp(name, "argv") == 0)
            continue;
        if (x && y && json_kind(x) == JSON_OBJECT && json_kind(y) == JSON_OBJECT) {
            if (objects_differ(name, x, y, d))
                return true;
        } else if (!x || !y || !json_equal(x, y)) {
            *d = (struct meta_difference){.a = x, .b = y};
            snprintf(d->name, sizeof d->name, "%s", name);
            return true;
        }
    }
    return false;
}

int meta_compare(const struct json *there, const struct json *head, struct err *e)
{
    struct meta_difference d;
    if (!meta_differ(there, head, &d))
        return 0;
    return err_set(e, "%s is %.200s there, %.200s now", d.name, d.a ? json_text(d.a) : "absent",
                   d.b ? json_text(d.b) : "absent");
}

/* -- reading -- */

static int get_i64(const struct json *root, const char *name, int64_t max, int64_t *out,
                   struct err *e)
{
    int rc = json_get_i64(root, name, out, e);
    if (rc < 0)
        return rc;
    return *out >= 0 && *out <= max ? 0 : err_set(e, "%s is %lld", name, (long long)*out);
}

int meta_check_kind(const struct json *root, const char *schema, int version, struct err *e)
{
    const char *is;
    int64_t is_version;
    if (json_kind(root) != JSON_OBJECT)
        return err_set(e, STORE_META_KEY " is not an object");
    if (json_get_str(root, "schema", &is, e) < 0 ||
        get_i64(root, "version", INT_MAX, &is_version, e) < 0)
        return err_add(e, STORE_META_KEY);
    if (schema && strcmp(is, schema) != 0)
        return err_set(e, "holds %s, not %s", is, schema);
    for (size_t i = 0; !schema && i < sizeof known / sizeof *known; i++)
        if (strcmp(is, known[i].schema) == 0) {
            schema = known[i].schema;
            version = known[i].version;
        }
    if (!schema)
        return err_set(e, "schema %s is unknown to this program", is);
    if (is_version != version)
        return err_set(e, "schema %s version %lld, this program reads %d", is,
                       (long long)is_version, version);
    return 0;
}

int meta_read_state(struct meta_state *state, const struct json *root, struct err *e)
{
    const char *content;
    int64_t n_records;
    if (get_i64(root, "records", INT64_MAX, &n_records, e) < 0 ||
        json_get_str(root, "content", &content, e) < 0 ||
        json_get_str(root, "last", &state->last, e) < 0)
        return err_add(e, STORE_META_KEY);
    if (hash_from_text(content, &state->content) < 0)
        return err_set(e, STORE_META_KEY ": content is not 32 hexadecimal digits");
    if (strlen(state->last) > STORE_MAX_KEY)
        return err_set(e, STORE_META_KEY ": last is too long for a key");
    state->n_records = (uint64_t)n_records;
    return 0;
}

/* Members that this program does not use, yet every store has. */
static int check_rest(const struct json *root, struct err *e)
{
    const char *text;
    struct json *value;
    struct meta_state state;
    if (json_get_str(root, "tool_version", &text, e) < 0 ||
        json_get_array(root, "argv", &value, e) < 0)
        return err_add(e, STORE_META_KEY);
    for (size_t i = 0; i < json_len(value); i++)
        if (json_kind(json_at(value, i)) != JSON_STRING)
            return err_set(e, STORE_META_KEY ": argv holds something else than strings");
    return meta_read_state(&state, root, e);
}

/* Two command lines that mean the same make the same store, so argv has no part in it. */
static int find_identity(struct store_meta *m, struct err *e)
{
    struct json *rest = json_new_object(), *value;
    struct json_walk w = {0};
    const char *name;
    int rc = rest ? 0 : ERR_FAIL;
    while (rc == 0 && json_next(m->root, &w, &name, &value))
        if (strcmp(name, "argv") != 0)
            rc = json_add(rest, name, json_ref(value));
    const char *text = rc == 0 ? json_text(rest) : "";
    if (*text)
        hash_text(hash_bytes(text, strlen(text)), m->identity);
    else
        rc = err_set(e, "out of memory: " STORE_META_KEY);
    json_free(rest);
    return rc;
}

int meta_read(struct store_meta *out, struct json *root, struct err *e)
{
    struct store_meta m = {.root = root};
    int64_t version, count = 0;
    struct json *summary, *identity;
    const char *name;
    struct json_walk w = {0};
    if (json_kind(root) != JSON_OBJECT)
        return err_set(e, STORE_META_KEY " is not an object");
    if (json_get_str(root, "schema", &m.schema, e) < 0 ||
        get_i64(root, "version", INT_MAX, &version, e) < 0 ||
        json_get_str(root, "tool", &m.tool, e) < 0 ||
        json_get_object(root, "settings", &m.settings, e) < 0 ||
        json_get_object(root, "inputs", &m.inputs, e) < 0 ||
        json_get_bool(root, "complete", &m.complete, e) < 0)
        return err_add(e, STORE_META_KEY);
    if (m.complete && (json_get_object(root, "summary", &summary, e) < 0 ||
                       get_i64(root, "count", INT64_MAX, &count, e) < 0))
        return err_add(e, STORE_META_KEY);
    while (json_next(m.inputs, &w, &name, &identity))
        if (!json_str(identity))
            return err_set(e, STORE_META_KEY ": inputs.%s is not a string", name);
    if (check_rest(root, e) < 0 || find_identity(&m, e) < 0)
        return ERR_FAIL;
    m.version = (int)version;
    m.count = (uint64_t)count;
    *out = m;
    return 0;
}
