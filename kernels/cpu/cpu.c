/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU backend's table, memory operations and opening. */
#include "kernels/cpu/cpu.h"

#include <omp.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "kernels/cpu/backend_cpu.h"
#include "kernels/cpu/onednn.h"

const struct backend_ops cpu_ops = {
#define OP(name, args) .name = cpu_##name,
#include "kernels/ops.def"
#undef OP
};

int cpu_open(struct backend *b, struct err *e)
{
    struct cpu_state *s = mem_new(1, sizeof *s, e);
    if (!s)
        return ERR_FAIL;
    if (onednn_open(&s->onednn, e) < 0) {
        free(s);
        return ERR_FAIL;
    }
    omp_set_dynamic(0);
    omp_set_num_threads((int)b->n_threads);
    b->ops = &cpu_ops;
    b->name = "cpu";
    b->memory = mem_limit() / (b->processes ? b->processes->n_local : 1);
    b->state = s;
    return 0;
}

void cpu_close(struct backend *b)
{
    struct cpu_state *s = b->state;
    onednn_close(s->onednn);
    free(s->scratch);
    free(s);
}

void *cpu_scratch(struct backend *b, size_t bytes)
{
    struct cpu_state *s = b->state;
    if (bytes > s->scratch_bytes) {
        void *grown = mem_aligned(bytes, NULL);
        if (!grown)
            return NULL;
        free(s->scratch);
        s->scratch = grown;
        s->scratch_bytes = bytes;
    }
    return s->scratch;
}

int cpu_alloc(struct backend *b, size_t bytes, void **memory, struct err *e)
{
    (void)b;
    *memory = mem_aligned(bytes ? bytes : 1, e);
    return *memory ? 0 : ERR_FAIL;
}

int cpu_release(struct backend *b, void *memory)
{
    (void)b;
    free(memory);
    return 0;
}

int cpu_upload(struct backend *b, void *to, const void *from, size_t bytes, struct err *e)
{
    (void)b;
    (void)e;
    memcpy(to, from, bytes);
    return 0;
}

int cpu_post(struct backend *b, void *to, const void *from, size_t bytes, struct err *e)
{
    return bytes ? cpu_upload(b, to, from, bytes, e) : 0; /* `from` may be NULL then */
}

int cpu_download(struct backend *b, void *to, const void *from, size_t bytes, struct err *e)
{
    return cpu_upload(b, to, from, bytes, e);
}

int cpu_zero(struct backend *b, void *memory, size_t bytes, struct err *e)
{
    (void)b;
    (void)e;
    memset(memory, 0, bytes);
    return 0;
}

int cpu_sync(struct backend *b, struct err *e)
{
    (void)b;
    (void)e;
    return 0;
}

int cpu_repeat(struct backend *b, struct recording **r, int (*run)(void *user, struct err *e),
               void *user, struct err *e)
{
    (void)b;
    (void)r;
    return run(user, e);
}

int cpu_recording_free(struct backend *b, struct recording *r)
{
    (void)b;
    (void)r;
    return 0;
}

CPU_CLONES static void convert_span(void *to, enum dtype to_type, const void *from,
                                    enum dtype from_type, size_t begin, size_t end)
{
    if (to_type == DTYPE_BF16 && from_type == DTYPE_F32)
        for (size_t i = begin; i < end; i++)
            ((uint16_t *)to)[i] = f32_to_bf16(((const float *)from)[i]);
    else if (to_type == DTYPE_F32 && from_type == DTYPE_BF16)
        for (size_t i = begin; i < end; i++)
            ((float *)to)[i] = bf16_to_f32(((const uint16_t *)from)[i]);
    else
        memcpy((char *)to + begin * dtype_bytes(to_type),
               (const char *)from + begin * dtype_bytes(from_type),
               (end - begin) * dtype_bytes(to_type));
}

int cpu_convert(struct backend *b, void *to, enum dtype to_type, const void *from,
                enum dtype from_type, size_t n)
{
    enum { SPAN = 1 << 16 };
    long n_spans = (long)((n + SPAN - 1) / SPAN);
#pragma omp parallel for num_threads(b->n_threads) schedule(static)
    for (long s = 0; s < n_spans; s++) {
        size_t begin = (size_t)s * SPAN, end = begin + SPAN < n ? begin + SPAN : n;
        convert_span(to, to_type, from, from_type, begin, end);
    }
    return 0;
}

CPU_CLONES static void accumulate_span(float *to, const void *from, enum dtype from_type,
                                       size_t begin, size_t end)
{
    if (from_type == DTYPE_BF16)
        for (size_t i = begin; i < end; i++)
            to[i] += bf16_to_f32(((const uint16_t *)from)[i]);
    else
        for (size_t i = begin; i < end; i++)
            to[i] += ((const float *)from)[i];
}

int cpu_accumulate(struct backend *b, float *to, const void *from, enum dtype from_type, size_t n,
                   bool add)
{
    if (!add)
        return cpu_convert(b, to, DTYPE_F32, from, from_type, n);
    accumulate_span(to, from, from_type, 0, n);
    return 0;
}
