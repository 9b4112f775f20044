/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU_CLONES before a leaf function of a hot loop compiles it for several instruction sets; the
 * loader picks one at start. Without contraction all of them compute the same bits. A body that
 * OpenMP outlines is not cloned: call cloned functions from inside parallel loops.
 *
 * The levels are features (x86-64-v4 is AVX-512); the name of a processor, as in
 * arch=skylake-avx512, would be compared with the model and fit that one only.
 */
#ifndef TEG_KERNELS_CPU_CLONES_H
#define TEG_KERNELS_CPU_CLONES_H

#if !defined(__x86_64__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CPU_CLONES
#elif __GNUC__ >= 12
#define CPU_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CPU_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#endif

#endif
