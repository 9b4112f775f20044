# SPDX-License-Identifier: Apache-2.0
# Table 4: fine-tuning on Something-Something v2.
#
#     make -f pipelines/ssv2.mk VIDEOS=DIR ANNOTATIONS=DIR PRETRAINED=runs/kinetics OUT=DIR
#     make -f pipelines/ssv2.mk PRESET=smoke
#
# The paper's models are pre-trained on Kinetics-400: PRETRAINED is the folder of such a run of kinetics.mk. Without it they
# are pre-trained on the training videos of this data set. Every setting of benchmark.mk can be given too.

experiment := ssv2
here := $(dir $(lastword $(MAKEFILE_LIST)))
include $(here)benchmark.mk

# Left and right are part of what the classes mean.
test := val
base_lr := 3.0
augment := --flip-probability 0
TEST_CLIPS ?= 1
plans :=
probes :=
include $(here)finetune.mk
include $(here)benchmark_end.mk
