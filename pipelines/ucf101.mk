# SPDX-License-Identifier: Apache-2.0
# Table 6: UCF101, fine-tuned and linear, the mean over its three divisions into training and test.
#
#     make -f pipelines/ucf101.mk VIDEOS=DIR ANNOTATIONS=DIR PRETRAINED=runs/kinetics OUT=DIR
#     make -f pipelines/ucf101.mk PRESET=smoke
#
# The paper's models are pre-trained on Kinetics-400: PRETRAINED is the folder of such a run of kinetics.mk. Without it they
# are pre-trained on the training videos of each division. FOLD=1 runs one alone. Every setting of benchmark.mk can be given too.

experiment := ucf101
here := $(dir $(lastword $(MAKEFILE_LIST)))
include $(here)benchmark.mk

base_lr := 0.64
include $(here)folds.mk
