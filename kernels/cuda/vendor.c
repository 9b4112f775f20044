/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cuda/vendor.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

static const char *const dnn_names[] = {VENDOR_DNN(VENDOR_NAME)};
static const char *const blas_names[] = {VENDOR_BLAS(VENDOR_NAME)};

int vendor_load(void **handle, const struct vendor_library *l, struct err *e)
{
    *handle = dlopen(l->file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!*handle)
        return err_set(e,
                       "device cuda: %s; install it or put its folder into LD_LIBRARY_PATH, or use "
                       "--device cpu",
                       dlerror());
    for (size_t i = 0; i < l->n_names; i++) {
        void *function = dlsym(*handle, l->names[i]);
        memcpy((char *)l->functions + i * sizeof function, &function, sizeof function);
        if (!function)
            return err_set(e, "device cuda: %s has no %s; install a newer one or use --device cpu",
                           l->file, l->names[i]);
    }
    return 0;
}

/* cuDNN counts 9.19.0 as 91900, cuBLASLt 13.1.0 as 130100. */
static void write_versions(struct vendor *v)
{
    size_t dnn = v->dnn.cudnnGetVersion(), blas = v->blas.cublasLtGetVersion();
    snprintf(v->versions, sizeof v->versions, "cuDNN %zu.%zu.%zu, cuBLASLt %zu.%zu.%zu",
             dnn / 10000, dnn / 100 % 100, dnn % 100, blas / 10000, blas / 100 % 100, blas % 100);
}

static int make_handles(struct vendor *v, cudaStream_t stream, struct err *e)
{
    cudnnStatus_t dnn = v->dnn.cudnnCreate(&v->dnn_handle);
    if (dnn == CUDNN_STATUS_SUCCESS)
        dnn = v->dnn.cudnnSetStream(v->dnn_handle, stream);
    if (dnn != CUDNN_STATUS_SUCCESS)
        return err_set(e, "device cuda: %s: %s; use --device cpu", v->versions,
                       v->dnn.cudnnGetErrorString(dnn));
    cublasStatus_t blas = v->blas.cublasLtCreate(&v->blas_handle);
    if (blas != CUBLAS_STATUS_SUCCESS)
        return err_set(e, "device cuda: %s: %s; use --device cpu", v->versions,
                       v->blas.cublasLtGetStatusString(blas));
    return 0;
}

static int load_dnn(struct vendor *v, struct err *e)
{
    const struct vendor_library dnn = {VENDOR_FILE("cudnn", CUDNN_MAJOR), dnn_names,
                                       sizeof dnn_names / sizeof dnn_names[0], &v->dnn};
    return vendor_load(&v->dnn_library, &dnn, e);
}

static int load_blas(struct vendor *v, struct err *e)
{
    const struct vendor_library blas = {VENDOR_FILE("cublasLt", CUBLAS_VER_MAJOR), blas_names,
                                        sizeof blas_names / sizeof blas_names[0], &v->blas};
    return vendor_load(&v->blas_library, &blas, e);
}

static int describe(struct vendor *v, const char *json, struct err *e)
{
    size_t version = v->dnn.cudnnGetVersion();
    if (version < 90800)
        return err_set(e, "device cuda: cuDNN %zu.%zu knows no devices by description; 9.8 does",
                       version / 10000, version / 100 % 100);
    cudnnStatus_t rc =
        v->dnn.cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &v->described);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc =
            v->dnn.cudnnBackendSetAttribute(v->described, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                            CUDNN_TYPE_CHAR, (int64_t)strlen(json) + 1, json);
    if (rc == CUDNN_STATUS_SUCCESS)
        rc = v->dnn.cudnnBackendFinalize(v->described);
    return rc == CUDNN_STATUS_SUCCESS ? 0
                                      : err_set(e, "cuDNN: the description of a device: %s",
                                                v->dnn.cudnnGetErrorString(rc));
}

int vendor_open_described(struct vendor **out, const char *json, struct err *e)
{
    struct vendor *v = mem_new(1, sizeof *v, e);
    if (!v)
        return ERR_FAIL;
    int rc = load_dnn(v, e);
    if (rc == 0)
        rc = describe(v, json, e);
    if (rc < 0)
        vendor_close(v);
    else
        *out = v;
    return rc;
}

int vendor_open(struct vendor **out, cudaStream_t stream, struct err *e)
{
    struct vendor *v = mem_new(1, sizeof *v, e);
    if (!v)
        return ERR_FAIL;
    int rc = load_blas(v, e);
    if (rc == 0)
        rc = load_dnn(v, e);
    if (rc == 0) {
        write_versions(v);
        rc = make_handles(v, stream, e);
    }
    if (rc < 0)
        vendor_close(v);
    else
        *out = v;
    return rc;
}

void vendor_close(struct vendor *v)
{
    if (!v)
        return;
    if (v->blas_handle)
        v->blas.cublasLtDestroy(v->blas_handle);
    if (v->dnn_handle)
        v->dnn.cudnnDestroy(v->dnn_handle);
    if (v->described)
        v->dnn.cudnnBackendDestroyDescriptor(v->described);
    if (v->dnn_library)
        dlclose(v->dnn_library);
    if (v->blas_library)
        dlclose(v->blas_library);
    free(v);
}

const char *vendor_versions(const struct vendor *v)
{
    return v->versions;
}
