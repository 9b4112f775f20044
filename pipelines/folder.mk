# SPDX-License-Identifier: Apache-2.0
# One's own videos: pre-trains both objectives on them, extracts features, and, where there are labels, compares.
#
#     make -f pipelines/folder.mk VIDEOS=DIR OUT=DIR
#
# DIR holds CLASS/FILE, or {train,val,test}/CLASS/FILE, or files of no class. SPLIT=FILE (lines "PATH-OR-ID SPLIT") says
# which videos are for training where folders do not. With classes and a split the end is a table of how well a
# linear classifier does; otherwise the end is the features, seed-S/METHOD/videos.lmdb.
#
# The defaults are those of the paper but for the batch. For a processor without a GPU:
#
#     make -f pipelines/folder.mk VIDEOS=DIR OUT=DIR MODEL=r3d-tiny SHORT_SIDE=64 CROP=56 EPOCHS=50

experiment := folder
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
MAX_BAD ?= 0##       videos that may be broken

ifeq ($(wildcard $(VIDEOS)),)
$(error VIDEOS=DIR is needed, a folder with videos)
endif

has_split := $(or $(SPLIT),$(wildcard $(VIDEOS)/train))
has_classes := $(firstword $(wildcard $(VIDEOS)/$(if $(wildcard $(VIDEOS)/train),train/*/*,*/*)))

index_inputs = $(SPLIT) $(OUT)/videos.list
options.index := --format folder --videos $(VIDEOS) $(if $(SPLIT),--split $(SPLIT)) --max-bad $(MAX_BAD)
options.decode := --short-side $(SHORT_SIDE) --max-bad $(MAX_BAD)
options.samples := --strategy contained --long $(LONG) --short $(SHORT) --epochs $(EPOCHS) --max-bad $(MAX_BAD) \
    $(if $(has_split),--split train)

methods := teg-ps teg-fg
train := --model $(MODEL) --crop-size $(CROP) --batch $(BATCH) $(if $(LR),--lr $(LR))
options.model.teg-ps := $(train) --objective teg-ps
options.model.teg-fg := $(train) --objective teg-fg

plans := videos
options.plan.videos := --strategy uniform --clip $(CLIP) --clips $(CLIPS) --max-bad $(MAX_BAD)
options.embeddings := --crop-size $(CROP)

probes := $(if $(has_split),$(if $(has_classes),videos))
clips.videos := videos
options.probe.videos := --labels class --max-missing $(MAX_BAD)

include $(dir $(lastword $(MAKEFILE_LIST)))common.mk
include $(pipelines)report.mk

# A file that comes, goes or changes makes a new index.
$(call keep,$(OUT)/videos.list,$(shell cd '$(VIDEOS)' && find -L . -type f -printf '%P %s %T@\n' | LC_ALL=C sort | cksum))

all: $(embeddings)
