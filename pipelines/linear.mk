# SPDX-License-Identifier: Apache-2.0
# Linear classification of videos on frozen features (RECIPE section 4): an epoch of the training sees each video once, in one
# of VIEWS random clips and crops of CROP pixels; the test is over ten clips with three crops of TEST_CROP pixels each.
# Included behind benchmark.mk, for the methods without labels.
#
#   test            name of the split for the test

VIEWS ?= $(call preset,10,2)##             random clips of a training video
PROBE_EPOCHS ?= $(call preset,100,20)##    of the linear classifier
TEST_CLIPS ?= $(call preset,10,2)##        clips of a test video
TEST_CROPS ?= $(call preset,3,1)##         crops of each

plans := train test
options.plan.train = --strategy single --clip 32x2 --clips $(VIEWS) --epochs 1 --augment linear --split train
options.plan.test = --strategy uniform --clip 32x2 --clips $(TEST_CLIPS) --crops $(TEST_CROPS) --augment test --split $(test)
probes := linear
clips.linear := train test
options.probe.linear = --labels class --method linear --lr 32 --views-per-epoch 1 --epochs $(PROBE_EPOCHS) $(unseen)
