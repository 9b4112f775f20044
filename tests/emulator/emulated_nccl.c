/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-in for NCCL: what processes do together goes over MPI, in order with the work on a stream.
 */
#include <mpi.h>
#include <nccl.h>

#include "tests/emulator/emulated.h"

static const char secret[] = "of process 0";

struct call {
    const void *from;
    void *to;
    int n;
    MPI_Datatype type;
    MPI_Comm communicator;
};

const char *ncclGetErrorString(ncclResult_t rc)
{
    return rc == ncclSuccess ? "success" : "refused by the emulator";
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
    memcpy(id->internal, secret, sizeof secret);
    return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t *c, int n, ncclUniqueId id, int rank)
{
    int own_n, own_rank;
    MPI_Comm_size(MPI_COMM_WORLD, &own_n);
    MPI_Comm_rank(MPI_COMM_WORLD, &own_rank);
    CHECK(n == own_n && rank == own_rank);
    CHECK(memcmp(id.internal, secret, sizeof secret) == 0);
    CHECK(!emulated_refused(NULL));
    MPI_Comm *own = malloc(sizeof *own);
    CHECK(own && MPI_Comm_dup(MPI_COMM_WORLD, own) == MPI_SUCCESS);
    *c = (ncclComm_t)own;
    return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t c)
{
    CHECK(MPI_Comm_free((MPI_Comm *)c) == MPI_SUCCESS);
    free(c);
    return ncclSuccess;
}

static void put(cudaStream_t stream, void (*run)(const void *data), const struct call *call)
{
    CHECK(call->communicator != MPI_COMM_NULL);
    emulated_enqueue(stream, run, call, sizeof *call);
}

static MPI_Datatype type_of(ncclDataType_t type)
{
    CHECK(type == ncclFloat || type == ncclDouble || type == ncclChar);
    return type == ncclFloat ? MPI_FLOAT : type == ncclDouble ? MPI_DOUBLE : MPI_BYTE;
}

static void reduce(const void *data)
{
    const struct call *c = data;
    MPI_Allreduce(c->from == c->to ? MPI_IN_PLACE : c->from, c->to, c->n, c->type, MPI_SUM,
                  c->communicator);
}

ncclResult_t ncclAllReduce(const void *from, void *to, size_t n, ncclDataType_t type,
                           ncclRedOp_t op, ncclComm_t c, cudaStream_t stream)
{
    struct call call = {from, to, (int)n, type_of(type), *(MPI_Comm *)c};
    CHECK(op == ncclSum);
    put(stream, reduce, &call);
    return ncclSuccess;
}

static void gather(const void *data)
{
    const struct call *c = data;
    MPI_Allgather(c->from, c->n, c->type, c->to, c->n, c->type, c->communicator);
}

ncclResult_t ncclAllGather(const void *from, void *to, size_t n, ncclDataType_t type, ncclComm_t c,
                           cudaStream_t stream)
{
    struct call call = {from, to, (int)n, type_of(type), *(MPI_Comm *)c};
    put(stream, gather, &call);
    return ncclSuccess;
}

static void broadcast(const void *data)
{
    const struct call *c = data;
    MPI_Bcast(c->to, c->n, c->type, 0, c->communicator);
}

ncclResult_t ncclBroadcast(const void *from, void *to, size_t n, ncclDataType_t type, int root,
                           ncclComm_t c, cudaStream_t stream)
{
    struct call call = {from, to, (int)n, type_of(type), *(MPI_Comm *)c};
    CHECK(root == 0 && from == to);
    put(stream, broadcast, &call);
    return ncclSuccess;
}
