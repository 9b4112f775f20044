/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/nccl.h"

#include "kernels/cuda/cuda.h"

#if TEG_NCCL

#include <nccl.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "kernels/cuda/vendor.h"

#define NCCL_FUNCTIONS(F)                                                                          \
    F(ncclGetErrorString)                                                                          \
    F(ncclGetUniqueId)                                                                             \
    F(ncclCommInitRank)                                                                            \
    F(ncclCommDestroy)                                                                             \
    F(ncclAllReduce)                                                                               \
    F(ncclAllGather)                                                                               \
    F(ncclBroadcast)

static const char *const names[] = {NCCL_FUNCTIONS(VENDOR_NAME)};

struct collective {
    void *library;
    struct {
        NCCL_FUNCTIONS(VENDOR_MEMBER)
    } nccl;
    ncclComm_t communicator;
};

static int check(const struct collective *c, ncclResult_t rc, const char *what, struct err *e)
{
    return rc == ncclSuccess ? 0 : err_set(e, "nccl: %s: %s", what, c->nccl.ncclGetErrorString(rc));
}

/* NCCL would say it with its own words only. */
static int check_gpus(const struct cuda_state *s, const struct processes *p, struct err *e)
{
    struct cudaDeviceProp device;
    cudaUUID_t *all = mem_new(p->n, sizeof *all, e);
    if (!all)
        return ERR_FAIL;
    int rc = cuda_check(cudaGetDeviceProperties(&device, s->device), "the device", e);
    if (rc == 0)
        rc = p->gather(p, all, &device.uuid, sizeof *all, e);
    for (size_t i = 0; i < p->n && rc == 0; i++)
        for (size_t k = 0; k < i && rc == 0; k++)
            if (memcmp(&all[i], &all[k], sizeof *all) == 0)
                rc = err_set(e,
                             "device cuda: processes %zu and %zu have one GPU between them: start "
                             "no more than there are GPUs, or use --device cpu",
                             k, i);
    free(all);
    return rc;
}

static int join(struct collective *c, struct backend *b, struct err *e)
{
    const struct processes *p = b->processes;
    ncclUniqueId id = {0};
    if (check_gpus(cuda_of(b), p, e) < 0)
        return ERR_FAIL;
    if (p->rank == 0 && check(c, c->nccl.ncclGetUniqueId(&id), "starting", e) < 0)
        return ERR_FAIL;
    if (p->broadcast(p, &id, sizeof id, e) < 0)
        return ERR_FAIL;
    return check(c, c->nccl.ncclCommInitRank(&c->communicator, (int)p->n, id, (int)p->rank),
                 "starting", e);
}

/* The first call is one of all processes, and none that is recorded. */
static struct collective *collective_of(struct backend *b, struct err *e)
{
    struct cuda_state *s = cuda_of(b);
    if (s->collective)
        return s->collective;
    struct collective *c = mem_new(1, sizeof *c, e);
    if (!c)
        return NULL;
    const struct vendor_library nccl = {VENDOR_FILE("nccl", NCCL_MAJOR), names,
                                        sizeof names / sizeof names[0], &c->nccl};
    if (vendor_load(&c->library, &nccl, e) < 0 || join(c, b, e) < 0) {
        collective_close(c);
        return NULL;
    }
    return s->collective = c;
}

void collective_close(struct collective *c)
{
    if (!c)
        return;
    if (c->communicator)
        c->nccl.ncclCommDestroy(c->communicator);
    free(c);
}

int cuda_all_reduce(struct backend *b, void *x, enum reduce_type type, size_t n, struct err *e)
{
    struct collective *c = collective_of(b, e);
    ncclDataType_t number = type == REDUCE_F64 ? ncclDouble : ncclFloat;
    return c ? check(
                   c,
                   c->nccl.ncclAllReduce(x, x, n, number, ncclSum, c->communicator, cuda_stream(b)),
                   "a sum", e)
             : ERR_FAIL;
}

int cuda_all_gather(struct backend *b, float *to, const float *from, size_t n, struct err *e)
{
    struct collective *c = collective_of(b, e);
    return c ? check(c,
                     c->nccl.ncclAllGather(from, to, n, ncclFloat, c->communicator, cuda_stream(b)),
                     "a gathering", e)
             : ERR_FAIL;
}

int cuda_broadcast(struct backend *b, void *x, size_t bytes, struct err *e)
{
    struct collective *c = collective_of(b, e);
    return c ? check(
                   c,
                   c->nccl.ncclBroadcast(x, x, bytes, ncclChar, 0, c->communicator, cuda_stream(b)),
                   "a broadcast", e)
             : ERR_FAIL;
}

#else

static int absent(struct err *e)
{
    return err_set(e, "several processes on GPUs need NCCL, which this build has not: install it "
                      "and build again, or use --device cpu");
}

void collective_close(struct collective *c)
{
    (void)c;
}

int cuda_all_reduce(struct backend *b, void *x, enum reduce_type type, size_t n, struct err *e)
{
    (void)b, (void)x, (void)type, (void)n;
    return absent(e);
}

int cuda_all_gather(struct backend *b, float *to, const float *from, size_t n, struct err *e)
{
    (void)b, (void)to, (void)from, (void)n;
    return absent(e);
}

int cuda_broadcast(struct backend *b, void *x, size_t bytes, struct err *e)
{
    (void)b, (void)x, (void)bytes;
    return absent(e);
}

#endif
