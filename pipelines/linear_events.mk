# SPDX-License-Identifier: Apache-2.0
# Linear classification of VidSitu's events on frozen features (RECIPE section 4): one clip in the middle of each event. An
# epoch of the training sees each event once, in one of VIEWS random crops of CROP pixels (appendix A.1 of the paper); the
# test is on the square of TEST_CROP pixels in the centre. Included behind benchmark.mk, for the methods without labels.

include $(here)vidsitu_annotations.mk

fps := 30
VIEWS ?= $(call preset,4,2)##              random crops of a training event
PROBE_EPOCHS ?= $(call preset,100,20)##    of the linear classifier

plans := train val
options.plan.train = --strategy events --clip 32x2 --augment linear --crops $(VIEWS) --split train
options.plan.val := --strategy events --clip 32x2 --split val
probes := linear
clips.linear := train val
options.probe.linear = --labels events --method linear --lr 4 --views-per-epoch 1 --epochs $(PROBE_EPOCHS) $(unseen)
