# SPDX-License-Identifier: Apache-2.0
# Table 1: verbs of VidSitu's events. Pre-trains on the training videos without labels, then a linear classifier decides on
# each event of 2 s; `supervised` trains the same network from scratch on the events of the training videos.
#
#     make -f pipelines/vidsitu.mk VIDEOS=DIR ANNOTATIONS=vidsitu_annotations OUT=DIR
#     make -f pipelines/vidsitu.mk PRESET=smoke
#
# Videos are put on 30 frames a second; `FPS=` keeps their own rate, and so what an OUT has that was made at it. The classifier
# is trained on random crops, each event in one of VIEWS an epoch, as the paper's appendix has it, and tested on the square in
# the centre. Every setting of benchmark.mk can be given too. A figure of the table is the accuracy in verbs that at least two
# of an event's annotators gave (the paper's); seed-S/METHOD/*.json has the official "any of ten" and the recall beside it.

experiment := vidsitu
here := $(dir $(lastword $(MAKEFILE_LIST)))
include $(here)benchmark.mk

include $(here)linear_events.mk

LABEL_EPOCHS ?= $(call preset,100,4)##    of the supervised training
labelled := $(if $(filter supervised,$(methods)),labelled)
options.draw.labelled := --strategy events --clip 32x2 --augment linear --shuffle --labels events --split train --epochs $(LABEL_EPOCHS)
options.model.supervised = $(tuning) $(call rate) --task supervised
plans.supervised := val
probes.supervised := scores
clips.scores := val
options.probe.scores := --labels events --method logits $(unseen)

include $(here)benchmark_end.mk
