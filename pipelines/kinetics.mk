# SPDX-License-Identifier: Apache-2.0
# Table 3: linear classification of Kinetics-400. Pre-trains on the training videos without labels, then a linear classifier
# on frozen features; `supervised` trains the same network from scratch with the labels.
#
#     make -f pipelines/kinetics.mk VIDEOS=DIR ANNOTATIONS=DIR OUT=DIR
#     make -f pipelines/kinetics.mk PRESET=smoke
#
# Every setting of benchmark.mk can be given too. Its models are what the benchmarks of fine-tuning begin with
# (PRETRAINED=OUT there). An epoch of the classifier sees each training video once, in one of VIEWS random clips and crops that
# were drawn once: the paper draws a new one for every epoch, but features that lie in a store are those of what was drawn.

experiment := kinetics
EPOCHS ?= $(call preset,800,4)
TEMPERATURE ?= 0.156
here := $(dir $(lastword $(MAKEFILE_LIST)))
include $(here)benchmark.mk
test := val
include $(here)linear.mk

LABEL_EPOCHS ?= $(call preset,44,4)##    of the supervised training
labelled := $(if $(filter supervised,$(methods)),labelled)
options.draw.labelled := --strategy single --clip 32x2 --labels class --split train --epochs $(LABEL_EPOCHS)
options.model.supervised = $(tuning) $(call rate) --task supervised
plans.supervised := test
probes.supervised := scores
clips.scores := test
options.probe.scores = --labels class --method logits $(unseen)

include $(here)benchmark_end.mk
