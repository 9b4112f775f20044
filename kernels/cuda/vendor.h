/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuDNN and cuBLASLt, loaded when a GPU is opened: a program built with CUDA starts, and computes
 * on the CPU, where they are not installed. (The CUDA runtime is linked statically, and loads the
 * driver in the same way.) Calls go through the tables:
 *
 *     vendor_open(&v, stream, &e);
 *     v->dnn.cudnnBackendFinalize(descriptor);
 *     v->blas.cublasLtMatmul(v->blas_handle, ...);
 */
#ifndef TEG_KERNELS_CUDA_VENDOR_H
#define TEG_KERNELS_CUDA_VENDOR_H

#include <cublasLt.h>
#include <cudnn.h>

#include "common/base/err.h"

#define VENDOR_DNN(F)                                                                              \
    F(cudnnGetVersion)                                                                             \
    F(cudnnGetErrorString)                                                                         \
    F(cudnnCreate)                                                                                 \
    F(cudnnDestroy)                                                                                \
    F(cudnnSetStream)                                                                              \
    F(cudnnBackendCreateDescriptor)                                                                \
    F(cudnnBackendDestroyDescriptor)                                                               \
    F(cudnnBackendSetAttribute)                                                                    \
    F(cudnnBackendGetAttribute)                                                                    \
    F(cudnnBackendFinalize)                                                                        \
    F(cudnnBackendExecute)

#define VENDOR_BLAS(F)                                                                             \
    F(cublasLtGetVersion)                                                                          \
    F(cublasLtGetStatusString)                                                                     \
    F(cublasLtCreate)                                                                              \
    F(cublasLtDestroy)                                                                             \
    F(cublasLtMatmulDescCreate)                                                                    \
    F(cublasLtMatmulDescDestroy)                                                                   \
    F(cublasLtMatmulDescSetAttribute)                                                              \
    F(cublasLtMatrixLayoutCreate)                                                                  \
    F(cublasLtMatrixLayoutDestroy)                                                                 \
    F(cublasLtMatmulPreferenceCreate)                                                              \
    F(cublasLtMatmulPreferenceDestroy)                                                             \
    F(cublasLtMatmulPreferenceSetAttribute)                                                        \
    F(cublasLtMatmulAlgoGetHeuristic)                                                              \
    F(cublasLtMatmulAlgoConfigGetAttribute)                                                        \
    F(cublasLtMatmul)

/* Names that came with cuDNN 9.8. */
#if CUDNN_VERSION < 90800
#define CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR       ((cudnnBackendDescriptorType_t)38)
#define CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION ((cudnnBackendAttributeName_t)2702)
#define CUDNN_ATTR_ENGINEHEUR_DEVICEPROP          ((cudnnBackendAttributeName_t)204)
#define CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP      ((cudnnBackendAttributeName_t)407)
#endif

#define VENDOR_MEMBER(name)     __typeof__(&name) name;
#define VENDOR_NAME(name)       #name,
#define VENDOR_TEXT(n)          VENDOR_TEXT_OF(n)
#define VENDOR_TEXT_OF(n)       #n
#define VENDOR_FILE(name, part) "lib" name ".so." VENDOR_TEXT(part)

struct vendor_library {
    const char *file;
    const char *const *names;
    size_t n_names;
    void *functions; /* a struct of as many pointers */
};

/* Stays loaded. The error names what is missing, and what helps. */
int vendor_load(void **handle, const struct vendor_library *l, struct err *e);

struct vendor {
    void *dnn_library, *blas_library;
    struct {
        VENDOR_DNN(VENDOR_MEMBER)
    } dnn;
    struct {
        VENDOR_BLAS(VENDOR_MEMBER)
    } blas;
    cudnnHandle_t dnn_handle;
    cudnnBackendDescriptor_t described; /* cuDNN's word for a device that is not there, or NULL */
    cublasLtHandle_t blas_handle;
    char versions[64];
};

/* The error names the library that is missing or too old, and what helps. */
int vendor_open(struct vendor **v, cudaStream_t stream, struct err *e);
void vendor_close(struct vendor *v);

/*
 * cuDNN alone (9.8 or newer), for a GPU that is not there but described, in JSON as it does itself
 * (CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION): what it would run there can be planned, not run.
 */
int vendor_open_described(struct vendor **v, const char *json, struct err *e);

/* "cuDNN 9.19.0, cuBLASLt 13.1.0" */
const char *vendor_versions(const struct vendor *v);

#endif
