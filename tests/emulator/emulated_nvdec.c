/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stand-in for libcuda and libnvcuvid, as far as FFmpeg's decoding goes through them: a GPU whose
 * every picture is one colour. It shows that pictures come from there, in number and size, and says
 * nothing about what the real decoder makes of a file. Built as a shared library of both names by
 * the tests of teg-decode.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LUMA = 99, CB = 101, CR = 150, PITCH = 512, LAUNCH_FAILED = 719, NOT_SUPPORTED = 801 };
enum { MEMORY_HOST = 1 };

typedef int result;

/* -- libcuda -- */

struct copy { /* CUDA_MEMCPY2D */
    size_t from_x, from_y;
    int from_type;
    const char *from_host;
    uint64_t from_device;
    void *from_array;
    size_t from_pitch, to_x, to_y;
    int to_type;
    char *to_host;
    uint64_t to_device;
    void *to_array;
    size_t to_pitch, width, height;
};

static int context;

result cuInit(unsigned flags)
{
    (void)flags;
    return 0;
}

result cuDeviceGetCount(int *n)
{
    *n = 1;
    return 0;
}

result cuDeviceGet(int *device, int i)
{
    *device = i;
    return i != 0;
}

/* How pitches are aligned, mostly. */
result cuDeviceGetAttribute(int *value, int attribute, int device)
{
    (void)attribute;
    (void)device;
    *value = PITCH;
    return 0;
}

result cuCtxCreate_v2(void **c, unsigned flags, int device)
{
    (void)flags;
    (void)device;
    *c = &context;
    return 0;
}

result cuDevicePrimaryCtxRetain(void **c, int device)
{
    return cuCtxCreate_v2(c, 0, device);
}

result cuCtxPopCurrent_v2(void **c)
{
    if (c)
        *c = &context;
    return 0;
}

/* Whether call number `*n` of this kind is to fail, as all behind it: the device is lost. */
static int fails(const char *name, int *n)
{
    const char *last = getenv(name);
    return last && __atomic_add_fetch(n, 1, __ATOMIC_RELAXED) > atoi(last);
}

result cuMemcpy2D_v2(const struct copy *c)
{
    static int n;
    if (fails("EMULATED_COPIES", &n))
        return LAUNCH_FAILED;
    const char *from =
        c->from_type == MEMORY_HOST ? c->from_host : (const char *)(uintptr_t)c->from_device;
    char *to = c->to_type == MEMORY_HOST ? c->to_host : (char *)(uintptr_t)c->to_device;
    for (size_t y = 0; y < c->height; y++)
        memcpy(to + (c->to_y + y) * c->to_pitch + c->to_x,
               from + (c->from_y + y) * c->from_pitch + c->from_x, c->width);
    return 0;
}

result cuMemcpy2DAsync_v2(const struct copy *c, void *stream)
{
    (void)stream;
    return cuMemcpy2D_v2(c);
}

result cuGetErrorName(int error, const char **name)
{
    *name = error == NOT_SUPPORTED ? "NOT_SUPPORTED" : "ERROR";
    return 0;
}

result cuGetErrorString(int error, const char **text)
{
    return cuGetErrorName(error, text);
}

/* -- libnvcuvid -- */

struct capabilities { /* CUVIDDECODECAPS */
    int codec, chroma;
    unsigned depth_minus_8, reserved[3];
    uint8_t supported, n_decoders;
    uint16_t formats;
    unsigned max_width, max_height, max_blocks;
    uint16_t min_width, min_height;
};

struct creation { /* the front of CUVIDDECODECREATEINFO */
    unsigned long width, height, n_surfaces;
};

struct decoder {
    uint8_t *picture;
};

result cuvidGetDecoderCaps(struct capabilities *c)
{
    c->supported = 1;
    c->formats = 1; /* NV12 */
    c->max_width = c->max_height = 4096;
    c->max_blocks = 65536;
    c->min_width = c->min_height = 16;
    return 0;
}

result cuvidCreateDecoder(struct decoder **d, const struct creation *c)
{
    size_t luma = (size_t)PITCH * c->height;
    if (c->width > PITCH)
        return NOT_SUPPORTED;
    *d = malloc(sizeof **d);
    (*d)->picture = malloc(2 * luma);
    memset((*d)->picture, LUMA, luma);
    for (size_t i = luma; i < 2 * luma; i++)
        (*d)->picture[i] = i % 2 ? CR : CB;
    return 0;
}

result cuvidDestroyDecoder(struct decoder *d)
{
    free(d->picture);
    free(d);
    return 0;
}

result cuvidMapVideoFrame64(struct decoder *d, int surface, uint64_t *device, unsigned *pitch,
                            void *how)
{
    static int n;
    (void)surface;
    (void)how;
    if (fails("EMULATED_PICTURES", &n))
        return LAUNCH_FAILED;
    *device = (uint64_t)(uintptr_t)d->picture;
    *pitch = PITCH;
    return 0;
}

/* -- what is called for its effect alone, or not at all -- */

#define DONE(name)                                                                                 \
    result name(void)                                                                              \
    {                                                                                              \
        return 0;                                                                                  \
    }
#define REFUSED(name)                                                                              \
    result name(void)                                                                              \
    {                                                                                              \
        fprintf(stderr, "stand-in for a GPU: " #name " was called\n");                             \
        return NOT_SUPPORTED;                                                                      \
    }

DONE(cuCtxPushCurrent_v2)
DONE(cuCtxDestroy_v2)
DONE(cuDevicePrimaryCtxRelease)
DONE(cuDevicePrimaryCtxSetFlags)
DONE(cuDevicePrimaryCtxGetState)
DONE(cuStreamSynchronize)
DONE(cuvidDecodePicture)
DONE(cuvidUnmapVideoFrame64)
DONE(cuvidCtxLockCreate)
DONE(cuvidCtxLockDestroy)
DONE(cuvidCtxLock)
DONE(cuvidCtxUnlock)

REFUSED(cuDeviceGetName)
REFUSED(cuDeviceComputeCapability)
REFUSED(cuDeviceGetUuid)
REFUSED(cuDeviceGetUuid_v2)
REFUSED(cuDeviceGetLuid)
REFUSED(cuDeviceGetByPCIBusId)
REFUSED(cuDeviceGetPCIBusId)
REFUSED(cuCtxSetLimit)
REFUSED(cuCtxGetCurrent)
REFUSED(cuCtxSetCurrent)
REFUSED(cuCtxGetDevice)
REFUSED(cuDevicePrimaryCtxReset)
REFUSED(cuMemAlloc_v2)
REFUSED(cuMemAllocPitch_v2)
REFUSED(cuMemAllocManaged)
REFUSED(cuMemsetD8Async)
REFUSED(cuMemFree_v2)
REFUSED(cuMemcpy)
REFUSED(cuMemcpyAsync)
REFUSED(cuMemcpyHtoD_v2)
REFUSED(cuMemcpyHtoDAsync_v2)
REFUSED(cuMemcpyDtoH_v2)
REFUSED(cuMemcpyDtoHAsync_v2)
REFUSED(cuMemcpyDtoD_v2)
REFUSED(cuMemcpyDtoDAsync_v2)
REFUSED(cuStreamCreate)
REFUSED(cuStreamQuery)
REFUSED(cuStreamDestroy_v2)
REFUSED(cuStreamAddCallback)
REFUSED(cuStreamWaitEvent)
REFUSED(cuEventCreate)
REFUSED(cuEventDestroy_v2)
REFUSED(cuEventSynchronize)
REFUSED(cuEventQuery)
REFUSED(cuEventRecord)
REFUSED(cuLaunchKernel)
REFUSED(cuLinkCreate)
REFUSED(cuLinkAddData)
REFUSED(cuLinkComplete)
REFUSED(cuLinkDestroy)
REFUSED(cuModuleLoadData)
REFUSED(cuModuleUnload)
REFUSED(cuModuleGetFunction)
REFUSED(cuModuleGetGlobal)
REFUSED(cuTexObjectCreate)
REFUSED(cuTexObjectDestroy)
REFUSED(cuGLGetDevices_v2)
REFUSED(cuGraphicsGLRegisterImage)
REFUSED(cuGraphicsUnregisterResource)
REFUSED(cuGraphicsMapResources)
REFUSED(cuGraphicsUnmapResources)
REFUSED(cuGraphicsSubResourceGetMappedArray)
REFUSED(cuGraphicsResourceGetMappedPointer_v2)
REFUSED(cuImportExternalMemory)
REFUSED(cuDestroyExternalMemory)
REFUSED(cuMipmappedArrayGetLevel)
REFUSED(cuMipmappedArrayDestroy)
REFUSED(cuImportExternalSemaphore)
REFUSED(cuDestroyExternalSemaphore)
REFUSED(cuWaitExternalSemaphoresAsync)
REFUSED(cuArray3DCreate_v2)
REFUSED(cuArrayDestroy)
REFUSED(cuEGLStreamProducerConnect)
REFUSED(cuEGLStreamProducerDisconnect)
REFUSED(cuEGLStreamConsumerDisconnect)
REFUSED(cuExternalMemoryGetMappedBuffer)
REFUSED(cuExternalMemoryGetMappedMipmappedArray)
REFUSED(cuSignalExternalSemaphoresAsync)
REFUSED(cuEGLStreamProducerPresentFrame)
REFUSED(cuEGLStreamProducerReturnFrame)
REFUSED(cuvidGetDecodeStatus)
REFUSED(cuvidReconfigureDecoder)
REFUSED(cuvidCreateVideoSource)
REFUSED(cuvidCreateVideoSourceW)
REFUSED(cuvidDestroyVideoSource)
REFUSED(cuvidSetVideoSourceState)
REFUSED(cuvidGetVideoSourceState)
REFUSED(cuvidGetSourceVideoFormat)
REFUSED(cuvidGetSourceAudioFormat)
REFUSED(cuvidCreateVideoParser)
REFUSED(cuvidParseVideoData)
REFUSED(cuvidDestroyVideoParser)
