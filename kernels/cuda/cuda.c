/* SPDX-License-Identifier: Apache-2.0 */
/* The CUDA backend's table, opening, memory operations and the ways between host and device. */
#include "kernels/cuda/cuda.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "kernels/cuda/backend_cuda.h"
#include "kernels/cuda/nccl.h"
#include "kernels/cuda/conv_plan.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/lanes.h"
#include "kernels/cuda/vendor.h"
#include "kernels/plan_cache.h"
#include "kernels/plan_file.h"

enum { NEEDED_MAJOR = 8, GROWTH = 1 << 21 };

/* To be raised where our own kernels become faster: what was measured before is measured again. */
enum { KERNELS_VERSION = 1 };

static const struct backend_ops cuda_ops = {
#define OP(name, args) .name = cuda_##name,
#include "kernels/ops.def"
#undef OP
};

int cuda_check(cudaError_t rc, const char *what, struct err *e)
{
    return rc == cudaSuccess ? 0 : err_set(e, "cuda: %s: %s", what, cudaGetErrorString(rc));
}

/* -- opening -- */

/* Also one that is too old for the CUDA runtime. */
static bool has_driver(void)
{
    return access("/dev/nvidiactl", F_OK) == 0;
}

bool cuda_has_device(void)
{
    int n = 0;
    cudaError_t rc = cudaGetDeviceCount(&n);
    return rc == cudaSuccess ? n > 0 : rc == cudaErrorInsufficientDriver && has_driver();
}

static int choose_device(struct backend *b, size_t gpu, struct cudaDeviceProp *device,
                         struct err *e)
{
    struct cuda_state *s = cuda_of(b);
    const struct processes *p = b->processes;
    int n = 0;
    cudaError_t rc = cudaGetDeviceCount(&n);
    if (rc == cudaErrorInsufficientDriver) /* also where there is none */
        return err_set(e, "device cuda: %s; %s or use --device cpu", cudaGetErrorString(rc),
                       has_driver() ? "install a newer NVIDIA driver"
                                    : "no NVIDIA driver is running: install one");
    if (rc != cudaSuccess || n == 0)
        return err_set(e, "device cuda: %s; use --device cpu",
                       rc == cudaSuccess ? "no GPU was found" : cudaGetErrorString(rc));
    s->device = (int)((p ? p->local_rank : gpu) % (size_t)n); /* a launcher may show each its own */
    rc = cudaSetDevice(s->device);
    if (rc == cudaSuccess)
        rc = cudaGetDeviceProperties(device, s->device);
    if (rc != cudaSuccess)
        return err_set(e, "device cuda: %s; use --device cpu", cudaGetErrorString(rc));
    if (device->major < NEEDED_MAJOR)
        return err_set(e,
                       "device cuda: %s has compute capability %d.%d, %d.0 is needed; use --device "
                       "cpu",
                       device->name, device->major, device->minor, NEEDED_MAJOR);
    return 0;
}

static int open_memory(struct backend *b, struct err *e)
{
    struct cuda_state *s = cuda_of(b);
    size_t unused;
    cudaError_t rc = cudaStreamCreateWithFlags(&s->stream, cudaStreamNonBlocking);
    if (rc == cudaSuccess)
        rc = cudaMemGetInfo(&unused, &b->memory);
    for (int i = 0; i < CUDA_N_STAGES && rc == cudaSuccess; i++)
        rc = cudaEventCreateWithFlags(&s->stage[i].copied, cudaEventDisableTiming);
    return cuda_check(rc, "opening", e);
}

int cuda_open(struct backend *b, const struct backend_options *options, struct err *e)
{
    struct cudaDeviceProp device;
    struct cuda_state *s = mem_new(1, sizeof *s, e);
    if (!s)
        return ERR_FAIL;
    b->state = s;
    b->ops = &cuda_ops;
    b->name = "cuda";
    s->tf32 = options->tf32;
    s->measuring = options->measuring;
    s->user = options->user;
    int rc = 0;
    if (choose_device(b, options->gpu, &device, e) < 0 || open_memory(b, e) < 0 ||
        vendor_open(&s->vendor, s->stream, e) < 0)
        rc = ERR_NOT_FOUND;
    if (rc == 0)
        rc = lanes_new(&s->lanes, s->device, e);
    if (rc == 0) {
        char machine[512];
        snprintf(machine, sizeof machine, "%s, %s, kernels %d%s", device.name,
                 vendor_versions(s->vendor), KERNELS_VERSION, s->tf32 ? ", tf32" : "");
        rc = plan_file_open(&s->plan_file, options->plan_file, machine, e);
        if (rc == 0)
            rc = plan_cache_open(&s->plan_cache, options->plan_cache, machine, e);
    }
    if (rc < 0)
        cuda_close(b);
    else
        b->fuses = b->measures = b->is_apart = true;
    return rc;
}

void cuda_close(struct backend *b)
{
    struct cuda_state *s = cuda_of(b);
    if (!s)
        return;
    if (s->stream)
        cudaStreamSynchronize(s->stream);
    conv_plans_free(b);
    gemm_cache_free(b);
    collective_close(s->collective);
    lanes_free(s->lanes);
    vendor_close(s->vendor);
    plan_file_close(s->plan_file);
    plan_cache_close(s->plan_cache);
    cudaFree(s->scratch.memory);
    for (int i = 0; i < CUDA_N_STAGES; i++) {
        cudaFreeHost(s->stage[i].host.memory);
        if (s->stage[i].copied)
            cudaEventDestroy(s->stage[i].copied);
    }
    if (s->stream)
        cudaStreamDestroy(s->stream);
    free(s);
    b->state = NULL;
}

/* -- between host and device -- */

int cuda_launched(struct backend *b)
{
    struct cuda_state *s = cuda_of(b);
    cudaError_t rc = cudaGetLastError();
    if (rc == cudaSuccess)
        return 0;
    return s->failure.text[0] ? ERR_FAIL : cuda_check(rc, "launching a kernel", &s->failure);
}

/* Waits for the stream; fails with what failed on it, or before that without a word. */
static int wait(struct backend *b, struct err *e)
{
    struct cuda_state *s = cuda_of(b);
    if (cuda_check(cudaStreamSynchronize(s->stream), "the GPU", e) < 0)
        return ERR_FAIL;
    if (!s->failure.text[0])
        return 0;
    err_set(e, "%s", s->failure.text);
    s->failure.text[0] = '\0';
    return ERR_FAIL;
}

static size_t room_for(size_t bytes)
{
    return bytes > SIZE_MAX - GROWTH ? bytes : (bytes + GROWTH - 1) / GROWTH * GROWTH;
}

static int no_memory(size_t bytes, cudaError_t rc, struct err *e)
{
    const double gib = 1024.0 * 1024.0 * 1024.0;
    size_t available = 0, total = 0;
    cudaGetLastError(); /* so that the next launch is not blamed */
    if (rc != cudaErrorMemoryAllocation || cudaMemGetInfo(&available, &total) != cudaSuccess)
        return err_set(e, "cuda: %zu bytes of GPU memory: %s", bytes, cudaGetErrorString(rc));
    return err_set(e,
                   "%.2f GiB of GPU memory are needed, %.2f of %.2f are free; smaller batches "
                   "need less",
                   (double)bytes / gib, (double)available / gib, (double)total / gib);
}

int cuda_grow(struct cuda_buffer *buffer, size_t bytes, struct err *e)
{
    if (bytes <= buffer->bytes)
        return 0;
    size_t room = room_for(bytes);
    cudaDeviceSynchronize(); /* launched work may still use it */
    cudaFree(buffer->memory);
    *buffer = (struct cuda_buffer){0};
    cudaError_t rc = cudaMalloc(&buffer->memory, room);
    if (rc != cudaSuccess)
        return no_memory(room, rc, e);
    buffer->bytes = room;
    return 0;
}

int cuda_grow_host(struct cuda_buffer *buffer, size_t bytes, struct err *e)
{
    if (bytes <= buffer->bytes)
        return 0;
    cudaFreeHost(buffer->memory);
    *buffer = (struct cuda_buffer){0};
    cudaError_t rc = cudaHostAlloc(&buffer->memory, bytes, cudaHostAllocDefault);
    if (rc != cudaSuccess) {
        cudaGetLastError();
        return err_set(e, "cuda: %zu bytes of page-locked memory: %s", bytes,
                       cudaGetErrorString(rc));
    }
    buffer->bytes = bytes;
    return 0;
}

int cuda_reserve(struct backend *b, size_t bytes, struct err *e)
{
    struct cuda_state *s = cuda_of(b);
    size_t before = s->scratch.bytes;
    if (bytes > before && s->recording)
        return err_set(e, "cuda: scratch memory would move while a step is recorded");
    int rc = cuda_grow(&s->scratch, bytes ? bytes : 1, e);
    s->n_moves += s->scratch.bytes != before;
    return rc;
}

void cuda_free_scratch(struct backend *b)
{
    struct cuda_state *s = cuda_of(b);
    cudaStreamSynchronize(s->stream);
    cudaFree(s->scratch.memory);
    s->scratch = (struct cuda_buffer){0};
    s->n_moves++;
}

void *cuda_scratch(struct backend *b, size_t bytes)
{
    struct cuda_state *s = cuda_of(b);
    return cuda_reserve(b, bytes, &s->failure) < 0 ? NULL : s->scratch.memory;
}

/* -- memory operations -- */

int cuda_alloc(struct backend *b, size_t bytes, void **memory, struct err *e)
{
    (void)b;
    cudaError_t rc = cudaMalloc(memory, bytes ? bytes : 1);
    return rc == cudaSuccess ? 0 : no_memory(bytes, rc, e);
}

int cuda_release(struct backend *b, void *memory)
{
    if (!memory)
        return 0;
    cudaStreamSynchronize(cuda_stream(b));
    return cudaFree(memory) == cudaSuccess ? 0 : ERR_FAIL;
}

int cuda_upload(struct backend *b, void *to, const void *from, size_t bytes, struct err *e)
{
    cudaError_t rc = cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, cuda_stream(b));
    return cuda_check(rc, "an upload", e) < 0 ? ERR_FAIL : wait(b, e);
}

int cuda_post(struct backend *b, void *to, const void *from, size_t bytes, struct err *e)
{
    struct cuda_state *s = cuda_of(b);
    if (bytes == 0) /* `from` may be NULL */
        return 0;
    struct cuda_stage *stage = &s->stage[s->next_stage];
    s->next_stage = (s->next_stage + 1) % CUDA_N_STAGES;
    if (cuda_check(cudaEventSynchronize(stage->copied), "an upload", e) < 0 ||
        cuda_grow_host(&stage->host, bytes, e) < 0)
        return ERR_FAIL;
    memcpy(stage->host.memory, from, bytes);
    cudaError_t rc =
        cudaMemcpyAsync(to, stage->host.memory, bytes, cudaMemcpyHostToDevice, s->stream);
    if (rc == cudaSuccess)
        rc = cudaEventRecord(stage->copied, s->stream);
    return cuda_check(rc, "an upload", e);
}

int cuda_download(struct backend *b, void *to, const void *from, size_t bytes, struct err *e)
{
    cudaError_t rc = cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, cuda_stream(b));
    return cuda_check(rc, "a download", e) < 0 ? ERR_FAIL : wait(b, e);
}

int cuda_zero(struct backend *b, void *memory, size_t bytes, struct err *e)
{
    return cuda_check(cudaMemsetAsync(memory, 0, bytes, cuda_stream(b)), "zeroing", e);
}

int cuda_sync(struct backend *b, struct err *e)
{
    return wait(b, e);
}
