/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store/store_pages.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/num.h"

enum { PAGE_HEADER = 16, NODE_HEADER = 8, META_END = 152, MIN_PAGE = 512, MAX_PAGE = 32768 };
enum { MAX_DEPTH = 32, MAGIC = (int)0xbeefc0de, FORMAT_VERSION = 1 };
enum { P_BRANCH = 1, P_LEAF = 2, P_OVERFLOW = 4, P_META = 8, P_DIRTY = 16 };
enum { NODE_BIG = 1 }; /* the node holds the number of its value's first page */
#define NO_PAGE UINT64_MAX

/* The tree of keys as one of the two header pages describes it. */
struct header {
    size_t page_bytes;
    unsigned flags, depth;
    uint64_t n_branch, n_leaf, n_overflow, n_entries;
    uint64_t root, last_page, transaction;
};

struct check {
    const unsigned char *map;
    size_t file_bytes;
    struct header h;
    bool values;            /* look at the heads of long values too */
    unsigned char *visited; /* a bit for each page: a page is in the tree once */
    uint64_t n_branch, n_leaf, n_overflow, n_entries;
    const unsigned char *last_key; /* of the leaves seen so far, NULL at the start */
    size_t last_key_len;
    const unsigned char
        *bound; /* key of the branch that led here: no key of the leaf is below it */
    size_t bound_len;
};

static unsigned get16(const unsigned char *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

static uint32_t get32(const unsigned char *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const unsigned char *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

/* -- header pages -- */

static int read_header(const unsigned char *page, struct header *h, struct err *e)
{
    if (!(get16(page + 10) & P_META) || get32(page + 16) != (uint32_t)MAGIC)
        return err_set(e, "not a store (no LMDB file)");
    if (get32(page + 20) != FORMAT_VERSION)
        return err_set(e, "LMDB file format %u, this program reads %d", get32(page + 20),
                       FORMAT_VERSION);
    *h = (struct header){
        .page_bytes = get32(page + 40),
        .flags = get16(page + 92),
        .depth = get16(page + 94),
        .n_branch = get64(page + 96),
        .n_leaf = get64(page + 104),
        .n_overflow = get64(page + 112),
        .n_entries = get64(page + 120),
        .root = get64(page + 128),
        .last_page = get64(page + 136),
        .transaction = get64(page + 144),
    };
    size_t n = h->page_bytes;
    return n >= MIN_PAGE && n <= MAX_PAGE && (n & (n - 1)) == 0
               ? 0
               : err_set(e, "damaged: pages of %zu bytes", n);
}

bool pages_are_none(int fd)
{
    unsigned char start[META_END];
    struct header h;
    struct stat st;
    return fstat(fd, &st) == 0 &&
           (st.st_size == 0 ||
            (pread(fd, start, sizeof start, 0) == sizeof start &&
             read_header(start, &h, NULL) == 0 && (size_t)st.st_size < 2 * h.page_bytes));
}

/* The newer of the two headers, as LMDB picks it. */
static int check_header(struct check *c, struct err *e)
{
    struct header h[2];
    if (c->file_bytes < META_END)
        return err_set(e, "not a store (no LMDB file)");
    int rc = read_header(c->map, &h[0], e);
    if (rc < 0)
        return rc;
    if (c->file_bytes < 2 * h[0].page_bytes)
        return err_set(e, "truncated: %zu bytes", c->file_bytes);
    if ((rc = read_header(c->map + h[0].page_bytes, &h[1], e)) < 0)
        return rc;
    if (h[0].page_bytes != h[1].page_bytes)
        return err_set(e, "damaged: its headers disagree");
    c->h = h[1].transaction > h[0].transaction ? h[1] : h[0];
    if (c->h.last_page >= c->file_bytes / c->h.page_bytes)
        return err_set(e, "truncated: %zu bytes, %llu pages of %zu bytes were written",
                       c->file_bytes, (unsigned long long)c->h.last_page + 1, c->h.page_bytes);
    if (c->h.flags || c->h.depth > MAX_DEPTH || (c->h.root == NO_PAGE) != (c->h.depth == 0) ||
        (c->h.root != NO_PAGE && (c->h.root < 2 || c->h.root > c->h.last_page)))
        return err_set(e, "not a store (an LMDB file of another form)");
    return 0;
}

/* -- the tree -- */

static int damaged(uint64_t page, const char *what, struct err *e)
{
    return err_set(e, "damaged: page %llu: %s", (unsigned long long)page, what);
}

/* A page of the tree or of a value belongs to one place. */
static int visit(struct check *c, uint64_t first, uint64_t n, struct err *e)
{
    if (first < 2 || n > c->h.last_page || first > c->h.last_page - (n - 1))
        return damaged(first, "outside of the file", e);
    for (uint64_t p = first; p < first + n; p++) {
        if (c->visited[p / 8] & 1 << p % 8)
            return damaged(p, "used twice", e);
        c->visited[p / 8] |= (unsigned char)(1 << p % 8);
    }
    return 0;
}

static const unsigned char *page_at(const struct check *c, uint64_t page)
{
    return c->map + page * c->h.page_bytes;
}

static int compare_keys(const unsigned char *a, size_t a_len, const unsigned char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* A value with pages of its own. */
static int check_long_value(struct check *c, uint64_t first, uint64_t bytes, struct err *e)
{
    uint64_t n = (PAGE_HEADER - 1 + bytes) / c->h.page_bytes + 1;
    int rc = visit(c, first, n, e);
    if (rc < 0)
        return rc;
    c->n_overflow += n;
    const unsigned char *page = page_at(c, first);
    if (c->values &&
        (get64(page) != first || !(get16(page + 10) & P_OVERFLOW) || get32(page + 12) != n))
        return damaged(first, "not the value that a key points to", e);
    return 0;
}

static int check_leaf_node(struct check *c, uint64_t pgno, const unsigned char *node, size_t room,
                           struct err *e)
{
    size_t key_len = get16(node + 6), size = get32(node);
    unsigned flags = get16(node + 4);
    const unsigned char *key = node + NODE_HEADER;
    bool big = flags == NODE_BIG;
    if (flags & ~(unsigned)NODE_BIG || key_len == 0 || key_len + (big ? 8 : size) > room)
        return damaged(pgno, "a record leaves it", e);
    if (c->last_key && compare_keys(c->last_key, c->last_key_len, key, key_len) >= 0)
        return damaged(pgno, "keys are not in order", e);
    if (c->bound && compare_keys(c->bound, c->bound_len, key, key_len) > 0)
        return damaged(pgno, "keys are not below their branch", e);
    c->bound = NULL;
    c->last_key = key;
    c->last_key_len = key_len;
    c->n_entries++;
    return big ? check_long_value(c, get64(key + key_len), size, e) : 0;
}

/* Node i of a page, and the bytes behind its header up to the page's end. */
static const unsigned char *node_at(const struct check *c, const unsigned char *page, size_t i,
                                    size_t *room)
{
    size_t at = get16(page + PAGE_HEADER + 2 * i);
    if (at < get16(page + 14) || at + NODE_HEADER > c->h.page_bytes)
        return NULL;
    *room = c->h.page_bytes - at - NODE_HEADER;
    return page + at;
}

/* The common header of a page; the number of its nodes. */
static int check_page(struct check *c, uint64_t pgno, unsigned level, size_t *n_nodes,
                      struct err *e)
{
    int rc = visit(c, pgno, 1, e);
    if (rc < 0)
        return rc;
    const unsigned char *page = page_at(c, pgno);
    size_t lower = get16(page + 12), upper = get16(page + 14);
    unsigned want = level + 1 == c->h.depth ? P_LEAF : P_BRANCH;
    if (get64(page) != pgno || (get16(page + 10) & ~(unsigned)P_DIRTY) != want)
        return damaged(pgno, "not a page of the tree", e);
    if (lower < PAGE_HEADER + 2 || lower > upper || upper > c->h.page_bytes || lower % 2)
        return damaged(pgno, "its bounds are wrong", e);
    *n_nodes = (lower - PAGE_HEADER) / 2;
    if (want == P_BRANCH && *n_nodes < 2)
        return damaged(pgno, "a branch without alternative", e);
    return 0;
}

/* Where the walk stands on one level. */
struct place {
    uint64_t page;
    size_t next, n_nodes;
};

/* The next child of a branch; its key must lie behind all keys to the left of it. */
static int enter_child(struct check *c, struct place *at, uint64_t *child, struct err *e)
{
    size_t room, i = at->next++;
    const unsigned char *node = node_at(c, page_at(c, at->page), i, &room);
    size_t key_len = node ? get16(node + 6) : 0;
    if (!node || key_len > room)
        return damaged(at->page, "a branch leaves it", e);
    if (i && c->last_key &&
        compare_keys(c->last_key, c->last_key_len, node + NODE_HEADER, key_len) >= 0)
        return damaged(at->page, "branches are not in order", e);
    if (i) {
        c->bound = node + NODE_HEADER;
        c->bound_len = key_len;
    }
    *child = get32(node) | (uint64_t)get16(node + 4) << 32;
    return 0;
}

static int check_leaf(struct check *c, const struct place *at, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < at->n_nodes; i++) {
        size_t room;
        const unsigned char *node = node_at(c, page_at(c, at->page), i, &room);
        rc = node ? check_leaf_node(c, at->page, node, room, e)
                  : damaged(at->page, "a record leaves it", e);
    }
    c->n_leaf++;
    return rc;
}

/* Depth first, so that the leaves come in key order. */
static int check_tree(struct check *c, struct err *e)
{
    struct place stack[MAX_DEPTH];
    uint64_t page = c->h.root;
    unsigned level = 0;
    while (page != NO_PAGE) {
        struct place *at = &stack[level];
        *at = (struct place){.page = page};
        if (check_page(c, page, level, &at->n_nodes, e) < 0)
            return ERR_FAIL;
        if (level + 1 == c->h.depth) {
            if (check_leaf(c, at, e) < 0)
                return ERR_FAIL;
            at->next = at->n_nodes;
        } else {
            c->n_branch++;
        }
        while (at->next == at->n_nodes && level > 0)
            at = &stack[--level];
        if (at->next == at->n_nodes)
            break;
        if (enter_child(c, at, &page, e) < 0)
            return ERR_FAIL;
        level++;
    }
    if (c->n_branch != c->h.n_branch || c->n_leaf != c->h.n_leaf ||
        c->n_overflow != c->h.n_overflow || c->n_entries != c->h.n_entries)
        return err_set(e, "damaged: its header counts other pages or records than there are");
    return 0;
}

static int check_map(struct check *c, enum pages_depth depth, struct err *e)
{
    int rc = check_header(c, e);
    if (rc < 0 || depth == PAGES_HEADER)
        return rc;
    uint64_t n_pages;
    if (__builtin_add_overflow(c->h.n_branch, c->h.n_leaf, &n_pages) || n_pages > c->h.last_page)
        return err_set(e, "damaged: its header counts more pages than there are");
    if (depth == PAGES_TREE && n_pages > PAGES_MAX_AT_OPEN)
        return 0;
    c->values = depth == PAGES_ALL;
    c->visited = mem_new(c->h.last_page / 8 + 1, 1, e);
    rc = c->visited ? check_tree(c, e) : ERR_FAIL;
    free(c->visited);
    return rc;
}

int pages_check(const char *path, enum pages_depth depth, size_t *file_bytes, struct err *e)
{
    struct stat st;
    int rc = ERR_FAIL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not block */
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_errno(e, "cannot be read");
    } else if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        err_set(e, "not a store (%s)", S_ISREG(st.st_mode) ? "an empty file" : "not a file");
    } else {
        struct check c = {.file_bytes = (size_t)st.st_size};
        void *map = mmap(NULL, c.file_bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED) {
            err_errno(e, "cannot be mapped");
        } else {
            c.map = map;
            rc = check_map(&c, depth, e);
            munmap(map, c.file_bytes);
            *file_bytes = c.file_bytes;
        }
    }
    if (fd >= 0)
        close(fd);
    return rc;
}
