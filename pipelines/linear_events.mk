# SPDX-License-Identifier: Apache-2.0
# Linear classification of VidSitu's events on frozen features (RECIPE section 4): one clip in the middle of each event.
# Included behind benchmark.mk, for the methods without labels.

include $(here)vidsitu_annotations.mk

PROBE_EPOCHS ?= $(call preset,100,20)##    of the linear classifier

plans := train val
options.plan.train := --strategy events --clip 32x2 --split train
options.plan.val := --strategy events --clip 32x2 --split val
probes := linear
clips.linear := train val
options.probe.linear = --labels events --method linear --lr 4 --epochs $(PROBE_EPOCHS) $(unseen)
