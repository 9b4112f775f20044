# SPDX-License-Identifier: Apache-2.0
# What the benchmarks of the paper have in common: presets, objectives, how a model is trained with and without labels,
# generated videos, the paper's numbers. A benchmark includes this file, sets its variables, and includes benchmark_end.mk.
#
#     make -f pipelines/NAME.mk VIDEOS=DIR ANNOTATIONS=PATH OUT=DIR         as in the paper
#     make -f pipelines/NAME.mk PRESET=smoke OUT=DIR                        in minutes, on generated videos
#
# MAX_BAD=N puts up with N videos that are missing or broken. Every setting of common.mk can be given too.
#
# Batch normalisation is over a micro-batch, where the paper has it over the whole batch of 1024: what MICRO_BATCH is, and as
# `auto` the memory of the device, is a setting of the training like any other. Runs that are compared want the same one, so
# give the number that fits the smallest device. teg-train warns where it is less than the batch.
#
# PRESET=smoke shows that all works, with a tiny network and a few steps; what it measures means nothing.

# $(call preset,PAPER,SMOKE): a value; texts with commas go through variables.
PRESET ?= paper##            paper or smoke
ifneq ($(words $(filter paper smoke,$(PRESET))),1)
$(error PRESET=$(PRESET): want paper or smoke)
endif
smoke := $(filter smoke,$(PRESET))
preset = $(if $(smoke),$2,$1)

OUT ?= runs/$(experiment)
OBJECTIVE ?= teg-ps teg-fg cvrl supervised##   what is compared
VIDEOS ?=##                  folder with the videos
ANNOTATIONS ?=##             file or folder of the official annotations
PRETRAINED ?=##              folder of another run (kinetics.mk, say) whose pre-trained models are used
MODEL ?= $(call preset,r3d50,r3d-tiny)##       r3d50 or r3d-tiny
SHORT_SIDE ?= $(call preset,256,48)##          pixels of the stored frames
CROP ?= $(call preset,224,40)##                pixels of the network's input in training
TEST_CROP ?= $(call preset,256,48)##           in the test
FPS ?= $(fps)##              frames a second of the stored videos, as the protocol says (their own)
BATCH ?= $(call preset,1024,8)##               examples a step
MICRO_BATCH ?= $(call preset,auto,)##          examples in memory at a time, and behind a mean of batch normalisation (the whole batch)
LR ?= $(call preset,,0.1)##       learning rate of the pre-training (that of the recipe, in proportion to BATCH)
TUNE_LR ?= $(call preset,,0.1)##  of the training with labels (that of the recipe, in proportion to TUNE_BATCH)
N_VIDEOS ?= 24##             generated videos

ifneq ($(if $(strip $(OBJECTIVE)),,none)$(filter-out teg-ps teg-fg cvrl supervised,$(OBJECTIVE)),)
$(error OBJECTIVE=$(OBJECTIVE): want some of teg-ps teg-fg cvrl supervised)
endif
methods := $(OBJECTIVE)
pretrained := $(filter-out supervised,$(methods))

# -- videos --

include $(here)paths.mk
$(call want_paths,OUT VIDEOS ANNOTATIONS PRETRAINED)
ifeq ($(VIDEOS)$(ANNOTATIONS),)
ifeq ($(smoke),)
$(error VIDEOS=DIR and ANNOTATIONS=PATH are needed; PRESET=smoke makes its own)
endif
generated := yes
world := $(call absolute,OUT)/world
VIDEOS := $(world)/videos
ANNOTATIONS := $(world)/annotations
index_inputs := $(world)/done
else
ifneq ($(words $(VIDEOS)) $(words $(ANNOTATIONS)),1 1)
$(error VIDEOS=DIR and ANNOTATIONS=PATH are needed, both)
endif
index_inputs = $(or $(shell find -L $(ANNOTATIONS) $(call outside,$(ANNOTATIONS)) -type f ! -name '* *' -print 2>/dev/null | LC_ALL=C sort),$(error ANNOTATIONS=$(ANNOTATIONS): no such file, or a folder without files))
endif
options.world = --dataset $(experiment) --videos $(N_VIDEOS) --size $(SHORT_SIDE) --seed 1 $(synth)
options.index = --format $(experiment) --videos $(call absolute,VIDEOS) --annotations $(call absolute,ANNOTATIONS)
videos := $(VIDEOS)
options.decode = --short-side $(SHORT_SIDE) $(addprefix --fps ,$(FPS))
# A classifier of features is trained on pictures as large as the network was trained on.
options.embeddings = --crop-size $(if $(filter train,$p),$(CROP),$(TEST_CROP))
# Classes of the test that training lacks count as wrong, as the official programs have it.
unseen := --allow-unseen

# -- pre-training: clips of LONG and SHORT frames x stride, EPOCHS, loss of K_SHORT,K_LONG feature steps --

EPOCHS ?= $(call preset,200,4)##    of the pre-training
LONG ?= 32x4##               frames and stride of the long clip of a pair
SHORT ?= 16x2##              of the short one
AGGREGATE ?= 2,1##           feature steps behind a fine-grained embedding, of the short and the long clip
ALPHA ?= 0.9##               weight of the fine-grained loss in teg-fg
TEMPERATURE ?= 0.1
network = --model $(MODEL) --crop-size $(CROP)
steps = --batch $(BATCH) $(addprefix --micro-batch ,$(MICRO_BATCH))
pretraining = $(network) $(steps) $(addprefix --lr ,$(LR)) --temperature $(TEMPERATURE)

draws = $(if $(filter teg-ps teg-fg,$(methods)),samples) $(if $(filter cvrl,$(methods)),cvrl) $(labelled)
# $(call pairs,STRATEGY,LONG): clips of the pre-training.
pairs = --strategy $1 --long $2 --short $(SHORT) --labels none --split train --epochs $(EPOCHS) $(augmentation)
options.draw.samples = $(call pairs,contained,$(LONG))
options.draw.cvrl = $(call pairs,cvrl,$(SHORT))
options.model.teg-ps = $(pretraining) --objective teg-ps
options.model.teg-fg = $(pretraining) --alpha $(ALPHA) --aggregate $(AGGREGATE)
options.model.cvrl = $(pretraining) --objective cvrl
draw.cvrl := cvrl
ifneq ($(PRETRAINED),)
$(foreach m,$(pretrained),$(eval source.$m := $(PRETRAINED)))
draws = $(labelled)
endif

# -- training with labels: `labelled` names its draws, TUNE_EPOCHS says how long --

TUNE_BATCH ?= $(BATCH)##      examples a step
TUNE_CROP ?= $(CROP)##        pixels of the network's input
# $(call rate,OPTIONS): TUNE_LR, or else these, or else the task's own.
rate = $(if $(TUNE_LR),--lr $(TUNE_LR),$1)
tuning = --model $(MODEL) --crop-size $(TUNE_CROP) --batch $(TUNE_BATCH) $(addprefix --micro-batch ,$(MICRO_BATCH))
draw.supervised := labelled
draw.fine-tuned := labelled
