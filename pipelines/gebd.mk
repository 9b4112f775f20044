# SPDX-License-Identifier: Apache-2.0
# Table 2: generic event boundaries of Kinetics-GEBD, F1 at a relative distance of 0.05. Pre-trains on the training videos
# without labels, fine-tunes on windows with and without a boundary in their middle, and takes each run of positive windows
# for one boundary; `supervised` is trained on the windows from scratch.
#
#     make -f pipelines/gebd.mk VIDEOS=DIR ANNOTATIONS=DIR OUT=DIR
#     make -f pipelines/gebd.mk PRESET=smoke
#
# ANNOTATIONS holds, of train and val, k400_mr345_SPLIT_min_change_duration0.3 or k400_SPLIT_raw_annotation, as .json or as
# the .pkl of the release (which python3 then converts). Every setting of benchmark.mk can be given too.
#
# Windows lie wholly in the video, in the training and, as the paper has the same in both, in the test: none is centred on the
# first 0.6 s or the last. TEST_WINDOWS=all adds those that reach beyond an end of the video, whose last picture fills them.
#
# Two rows need no labels at all: "shot changes", and the column pa, unpredictable moments of the pre-trained features.
# What was found in one video: teg-gebd-eval --plot ID.

experiment := gebd
LONG ?= 16x2
SHORT ?= 8x2
AGGREGATE ?= 1,1
TUNE_BATCH ?= $(call preset,256,8)##     windows a step of the fine-tuning
TUNE_EPOCHS ?= $(call preset,30,4)##     of the fine-tuning
STEP ?= $(call preset,3,10)##            frames from one window to the next
TEST_WINDOWS ?= inside##                 windows of the test: inside the video, or all
RULES ?= challenge##                     official evaluator: challenge or notebook
here := $(dir $(lastword $(MAKEFILE_LIST)))
include $(here)benchmark.mk

fps := 25
window := --strategy window --clip 16x2 --step $(STEP)
ifneq ($(words $(filter inside all,$(TEST_WINDOWS))),1)
$(error TEST_WINDOWS=$(TEST_WINDOWS): want inside or all)
endif

plans := windows
options.plan.windows := $(window) $(if $(filter inside,$(TEST_WINDOWS)),--inside) --labels none --split val
options.embeddings.fine-tuned = $(options.embeddings)
options.embeddings.supervised = $(options.embeddings)
$(foreach m,$(pretrained),$(eval options.embeddings.$m = $$(options.embeddings) --form dense)$(eval tunings.$m := fine-tuned))
probes := pa
probes.fine-tuned := gebd
probes.supervised := gebd
options.probe.gebd := --rules $(RULES)
options.probe.pa := --rules $(RULES)

labelled := labelled
options.draw.labelled := $(window) --inside --labels boundaries --balance --augment linear --split train --epochs $(TUNE_EPOCHS)
options.model.fine-tuned = $(tuning) $(call rate) --task boundary
options.model.supervised = $(options.model.fine-tuned)

# -- annotations, prepared as the data set's notebook does --

prepared = k400_mr345_$1_min_change_duration0.3
truth := $(if $(generated),$(ANNOTATIONS),$(call absolute,OUT)/annotations)
truths := $(foreach s,train val,$(truth)/$(call prepared,$s).json)
val_truth := $(lastword $(truths))
ifndef generated
index_inputs := $(truths)
options.index = --format gebd --videos $(call absolute,VIDEOS) --annotations $(truth)
endif
other_metrics := $(OUT)/baselines/shots/gebd.json

include $(here)benchmark_end.mk

ifdef generated
$(truths): $(world)/done ;
else
released = $(firstword $(wildcard $(foreach n,$(call prepared,$1) k400_$1_raw_annotation,$(ANNOTATIONS)/$n.json $(ANNOTATIONS)/$n.pkl)))
$(foreach s,train val,$(if $(call released,$s),,$(error ANNOTATIONS=$(ANNOTATIONS): no $(call prepared,$s) nor k400_$s_raw_annotation, .json or .pkl)))
$(truth)/$(call prepared,train).json: $(call released,train)
$(truth)/$(call prepared,val).json: $(call released,val)
from = $(filter-out %.settings,$^)
$(foreach s,train val,$(call keep,$(truth)/$(call prepared,$s).json.settings,from $(abspath $(call released,$s))))
$(truths): %: %.settings | $(BIN)/teg-gebd-eval
	$(if $(filter %.pkl,$(from)),python3 $(pipelines)pkl2json.py -o $@.released $(from),cp $(from) $@.released)
	$(if $(findstring _raw_annotation,$(from)),$(call run,gebd-eval) --prepare $@.released -o $@ && rm $@.released,mv $@.released $@)
endif

# -- measures --

evaluate = $(call run,gebd-eval) --annotations $(val_truth) --print none

$(OUT)/seed-%/gebd.json: $$(call files,$(OUT)/seed-$$*/windows.lmdb) $(val_truth) $(OUT)/seed-%/gebd.json.settings | $(BIN)/teg-gebd-eval
	$(evaluate) --scores $(@D)/windows.lmdb $(options) -o $@

$(OUT)/seed-%/pa.json: $$(call files,$(OUT)/seed-$$*/windows.lmdb) $(val_truth) $(OUT)/seed-%/pa.json.settings | $(BIN)/teg-gebd-eval
	$(call run,gebd-eval) --detect pa --embeddings $(@D)/windows.lmdb -o $(@D)/pa.found.json
	$(evaluate) --predictions $(@D)/pa.found.json $(options) -o $@

$(call keep,$(OUT)/baselines/shots/gebd.json.settings,$(options.probe.gebd))
$(OUT)/baselines/shots/gebd.json: $(frames) $(val_truth) $(OUT)/baselines/shots/gebd.json.settings | $(BIN)/teg-gebd-eval
	$(call run,gebd-eval) --detect shots --frames $(OUT)/frames.lmdb -o $(@D)/found.json
	$(evaluate) --predictions $(@D)/found.json $(options) -o $@
