# SPDX-License-Identifier: Apache-2.0
# Table 5: fine-tuning on Diving48 (V2).
#
#     make -f pipelines/diving48.mk VIDEOS=DIR ANNOTATIONS=DIR PRETRAINED=runs/kinetics OUT=DIR
#     make -f pipelines/diving48.mk PRESET=smoke
#
# The paper's models are pre-trained on Kinetics-400: PRETRAINED is the folder of such a run of kinetics.mk. Without it they
# are pre-trained on the training videos of this data set. Every setting of benchmark.mk can be given too.

experiment := diving48
here := $(dir $(lastword $(MAKEFILE_LIST)))
include $(here)benchmark.mk

test := test
base_lr := 2.0
plans :=
probes :=
include $(here)finetune.mk
include $(here)benchmark_end.mk
