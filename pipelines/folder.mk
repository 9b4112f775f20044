# SPDX-License-Identifier: Apache-2.0
# One's own videos: pre-trains both objectives on them, extracts features, and, where there are labels, compares.
#
#     make -f pipelines/folder.mk VIDEOS=DIR OUT=DIR
#
# DIR holds CLASS/FILE, or {train,val,test}/CLASS/FILE, or files of no class. SPLIT=FILE (lines "PATH-OR-ID SPLIT") says
# which videos are for training where folders do not. With classes and a split the end is a table of how well a
# linear classifier does, and only the split train is trained on; otherwise the end is the features, seed-S/METHOD/videos.lmdb.
#
# MAX_BAD=N puts up with N videos that are missing or broken. Every setting of common.mk can be given too.
#
# The defaults are those of the paper but for the batch. For a processor without a GPU:
#
#     make -f pipelines/folder.mk VIDEOS=DIR OUT=DIR MODEL=r3d-tiny SHORT_SIDE=64 CROP=56 AUGMENT=gentle LR=0.2

experiment := folder
here := $(dir $(lastword $(MAKEFILE_LIST)))
OUT ?= runs/folder
VIDEOS ?=##          folder with the videos
SPLIT ?=##           file with their splits
MODEL ?= r3d50##     r3d50 or r3d-tiny
SHORT_SIDE ?= 256##  pixels of the stored frames
CROP ?= 224##        pixels of the network's input
LONG ?= 32x4##       frames and stride of the long clip of an example
SHORT ?= 16x2##      of the short one
CLIP ?= 32x2##       of the clips that features are made from
CLIPS ?= 10##        clips a video
EPOCHS ?= 200##      of the pre-training
BATCH ?= 32##        examples a step
LR ?=##              learning rate (0.32 * BATCH / 1024)

include $(here)paths.mk
$(call want_paths,VIDEOS OUT SPLIT)
ifneq ($(words $(VIDEOS)) $(words $(OUT)),1 1)
$(error VIDEOS=DIR and OUT=DIR are needed)
endif
ifeq ($(wildcard $(VIDEOS)/.),)
$(error VIDEOS=$(VIDEOS): no such folder)
endif
ifneq ($(shell [ $(OUT) -ef $(VIDEOS) ] && echo same),)
$(error OUT=$(OUT): is the folder of the videos, want one of its own)
endif

# What the index found decides what is trained on and whether there is a table. Before there is one, `make -n` shows
# the plan for videos with classes and splits. The file is there from the start, only old: where it cannot be made, make
# says what failed, and nothing else.
splits := train val
n_classes := 2
ifeq ($(dry),)
$(shell mkdir -p $(OUT) && { [ -e $(OUT)/layout.mk ] || touch -d @0 $(OUT)/layout.mk; })
include $(OUT)/layout.mk
else
-include $(OUT)/layout.mk
endif
has_classes := $(filter-out 0 1,$(n_classes))
has_splits := $(and $(filter train,$(splits)),$(filter val test,$(splits)))

index_inputs = $(SPLIT) $(OUT)/videos.list
options.index := --format folder --videos $(VIDEOS) $(if $(SPLIT),--split $(SPLIT))
videos := $(VIDEOS)
options.decode := --short-side $(SHORT_SIDE)
options.draw.samples = --strategy contained --long $(LONG) --short $(SHORT) --epochs $(EPOCHS) \
    $(if $(filter train,$(splits)),--split train) $(augmentation)

methods := teg-ps teg-fg
train := --model $(MODEL) --crop-size $(CROP) --batch $(BATCH) $(if $(LR),--lr $(LR))
options.model.teg-ps := $(train) --objective teg-ps
options.model.teg-fg := $(train) --objective teg-fg

plans := videos
options.plan.videos := --strategy uniform --clip $(CLIP) --clips $(CLIPS)
options.embeddings := --crop-size $(CROP)

probes := $(if $(has_splits),$(if $(has_classes),videos))
clips.videos := videos
# Classes of the test that training lacks count as wrong: no reason to stop after days of training.
options.probe.videos := --labels class --allow-unseen

no_table = $(if $(probes),,no table, as the videos have no $(if $(has_classes),split (SPLIT=FILE says which are for \
    training),classes to compare): their features are in $(OUT)/seed-S/METHOD/videos.lmdb)

include $(here)common.mk
include $(here)report.mk

# A file that comes, goes or changes makes a new index; hidden ones do not count, nor those of OUT. What changes while make
# is at work, as its own log may, counts when it is called again.
ifeq ($(MAKE_RESTARTS),)
$(call keep,$(OUT)/videos.list,$(shell find -L $(VIDEOS)/ -mindepth 1 $(call outside,$(VIDEOS)) -name '.*' -prune -o -type f -printf '%P %s %T@\n' | LC_ALL=C sort | cksum))
endif

all: $(embeddings)

ifeq ($(dry),)
$(OUT)/layout.mk: $(OUT)/index.lmdb $(pipelines)layout.awk | $(BIN)/teg-inspect
	$(BIN)/teg-inspect show $< '!meta' | awk -f $(pipelines)layout.awk >$@.tmp
	mv $@.tmp $@
endif
