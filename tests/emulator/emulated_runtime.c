/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices and memory of the stand-in for the CUDA runtime. Device memory is the host's, but while
 * no stream is at work nobody may touch it: as on a GPU, it is no memory at all. Behind each block
 * lie bytes that must stay what they are, and a page that nobody may touch.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/emulator/emulated.h"

/* A block of the device's memory, or page-locked memory of the host. */
struct block {
    char *memory;
    size_t bytes;
    char *pages; /* of the device alone, without the last */
    size_t page_bytes;
    struct block *next;
};

static struct {
    pthread_mutex_t lock;
    struct block *first;
    int n_open;  /* streams that are at work */
    size_t used; /* bytes of the device */
} blocks = {.lock = PTHREAD_MUTEX_INITIALIZER};

enum { ALIGNMENT = 256, UNWRITTEN = 0x7d };

static size_t aligned_size(size_t n)
{
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Bytes of the device; $EMULATED_MEMORY says how many MiB. */
static size_t total_memory(void)
{
    const char *mib = getenv("EMULATED_MEMORY");
    return (mib ? strtoul(mib, NULL, 10) : 8192) << 20;
}

static void protect(struct block *b, int protection)
{
    if (b->pages)
        CHECK(mprotect(b->pages, b->page_bytes, protection) == 0);
}

void emulated_memory_open(void)
{
    pthread_mutex_lock(&blocks.lock);
    if (blocks.n_open++ == 0)
        for (struct block *b = blocks.first; b; b = b->next)
            protect(b, PROT_READ | PROT_WRITE);
    pthread_mutex_unlock(&blocks.lock);
}

void emulated_memory_close(void)
{
    pthread_mutex_lock(&blocks.lock);
    if (--blocks.n_open == 0)
        for (struct block *b = blocks.first; b; b = b->next)
            protect(b, PROT_NONE);
    pthread_mutex_unlock(&blocks.lock);
}

static void add(struct block b)
{
    struct block *mine = malloc(sizeof *mine);
    CHECK(mine);
    *mine = b;
    pthread_mutex_lock(&blocks.lock);
    if (blocks.n_open == 0)
        protect(mine, PROT_NONE);
    mine->next = blocks.first;
    blocks.first = mine;
    blocks.used += b.pages ? aligned_size(b.bytes) : 0;
    pthread_mutex_unlock(&blocks.lock);
}

/* The block that begins at an address, out of the list. */
static struct block *take(const void *p)
{
    pthread_mutex_lock(&blocks.lock);
    struct block **at = &blocks.first;
    while (*at && (*at)->memory != p)
        at = &(*at)->next;
    struct block *b = *at;
    CHECK(b);
    *at = b->next;
    blocks.used -= b->pages ? aligned_size(b->bytes) : 0;
    pthread_mutex_unlock(&blocks.lock);
    return b;
}

/* Whose memory an address is. */
enum { PAGEABLE, PAGE_LOCKED, DEVICE };

static int owner(const void *p, size_t n)
{
    const char *begin = p;
    int found = PAGEABLE;
    pthread_mutex_lock(&blocks.lock);
    for (const struct block *b = blocks.first; b && !found; b = b->next)
        if (begin >= b->memory && begin < b->memory + b->bytes) {
            CHECK(n <= b->bytes - (size_t)(begin - b->memory));
            found = b->pages ? DEVICE : PAGE_LOCKED;
        }
    pthread_mutex_unlock(&blocks.lock);
    return found;
}

static size_t available_memory(void)
{
    size_t total = total_memory();
    pthread_mutex_lock(&blocks.lock);
    size_t used = blocks.used;
    pthread_mutex_unlock(&blocks.lock);
    return used < total ? total - used : 0;
}

/* One, or as many as $EMULATED_GPUS says; where $EMULATED_UUID has a sign of its own for each
 * process, it is shown one that no other sees. */
cudaError_t cudaGetDeviceCount(int *n)
{
    const char *text = getenv("EMULATED_GPUS");
    *n = text ? (int)strtol(text, NULL, 10) : 1;
    return cudaSuccess;
}

static _Thread_local int device_of_thread;

cudaError_t cudaSetDevice(int device)
{
    int n;
    cudaGetDeviceCount(&n);
    if (device >= n)
        return cudaErrorInvalidDevice;
    device_of_thread = device;
    return cudaSuccess;
}

void emulated_check_device(void)
{
    static atomic_int of_process = -1;
    int none = -1;
    atomic_compare_exchange_strong(&of_process, &none, device_of_thread);
    CHECK(device_of_thread == of_process);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, device ? "emulator %d" : "emulator", device);
    p->major = 9;
    const char *other = getenv("EMULATED_UUID");
    memset(&p->uuid, other ? *other : 1 + device, sizeof p->uuid);
    return device == device_of_thread ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    *total = total_memory();
    *available = available_memory();
    return cudaSuccess;
}

/* Not zeroed, as on a GPU: float32 2.1e37 everywhere. Ends where its last page does, but for what
 * it takes to begin at a multiple of 256. */
cudaError_t cudaMalloc(void **p, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), aligned = aligned_size(n);
    size_t bytes = (aligned + page - 1) / page * page;
    emulated_check_device();
    if (emulated_refused(NULL))
        return cudaErrorStreamCaptureUnsupported;
    if (n > available_memory())
        return cudaErrorMemoryAllocation;
    char *pages =
        mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return cudaErrorMemoryAllocation;
    CHECK(mprotect(pages + bytes, page, PROT_NONE) == 0);
    *p = pages + bytes - aligned;
    memset(*p, UNWRITTEN, aligned);
    add((struct block){.memory = *p, .bytes = n, .pages = pages, .page_bytes = bytes});
    return cudaSuccess;
}

/* Waits for nothing: work that still needs the memory fails. */
cudaError_t cudaFree(void *p)
{
    if (emulated_refused(NULL))
        return cudaErrorStreamCaptureUnsupported;
    if (!p)
        return cudaSuccess;
    struct block *b = take(p);
    CHECK(b->pages);
    protect(b, PROT_READ | PROT_WRITE);
    for (size_t i = b->bytes; i < aligned_size(b->bytes); i++)
        CHECK(b->memory[i] == UNWRITTEN);
    munmap(b->pages, b->page_bytes + (size_t)sysconf(_SC_PAGESIZE));
    free(b);
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **p, size_t n, unsigned flags)
{
    (void)flags;
    emulated_check_device();
    if (emulated_refused(NULL))
        return cudaErrorStreamCaptureUnsupported;
    *p = malloc(n);
    if (!*p)
        return cudaErrorMemoryAllocation;
    add((struct block){.memory = *p, .bytes = n});
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *p)
{
    if (emulated_refused(NULL))
        return cudaErrorStreamCaptureUnsupported;
    if (!p)
        return cudaSuccess;
    struct block *b = take(p);
    CHECK(!b->pages);
    free(p);
    free(b);
    return cudaSuccess;
}

struct copy { /* or a fill */
    void *to;
    const void *from; /* NULL: what lies behind */
    size_t n;
    int value;
    char staged[];
};

static void copy(const void *data)
{
    const struct copy *c = data;
    memmove(c->to, c->from ? c->from : c->staged, c->n);
}

static void fill(const void *data)
{
    const struct copy *c = data;
    memset(c->to, c->value, c->n);
}

/* What comes from pageable memory is taken at once, unless it is recorded; what goes there is there
 * at once. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    int from_owner = owner(from, n), to_owner = owner(to, n);
    const struct copy c = {.to = to, .from = from, .n = n};
    CHECK((from_owner == DEVICE) ==
          (kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice));
    CHECK((to_owner == DEVICE) ==
          (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice));
    if (!stream)
        return cudaErrorInvalidResourceHandle;
    if (from_owner == PAGEABLE && !emulated_recording(stream)) {
        struct copy *staged = malloc(sizeof c + n);
        CHECK(staged);
        *staged = (struct copy){.to = to, .n = n};
        memcpy(staged->staged, from, n);
        emulated_enqueue(stream, copy, staged, sizeof *staged + n);
        free(staged);
        return cudaSuccess;
    }
    emulated_enqueue(stream, copy, &c, sizeof c);
    return to_owner == PAGEABLE ? cudaStreamSynchronize(stream) : cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t n, cudaStream_t stream)
{
    const struct copy c = {.to = to, .n = n, .value = value};
    CHECK(owner(to, n) == DEVICE);
    emulated_enqueue(stream, fill, &c, sizeof c);
    return stream ? cudaSuccess : cudaErrorInvalidResourceHandle;
}

const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaErrorMemoryAllocation ? "out of memory" : "refused by the emulator";
}
