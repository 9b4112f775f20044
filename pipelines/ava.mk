# SPDX-License-Identifier: Apache-2.0
# Table 7: what each person does, AVA-Kinetics (or AVA), mean average precision at IoU 0.5. Fine-tunes an action transformer
# behind each pre-trained model on annotated boxes, and scores the boxes of a detector. `supervised` is pre-trained with the
# labels of Kinetics, as the paper's is: such a model only PRETRAINED has. Without it that row is "from scratch", new weights.
#
#     make -f pipelines/ava.mk VIDEOS=DIR ANNOTATIONS=DIR DETECTIONS=FILE PRETRAINED=runs/kinetics OUT=DIR
#     make -f pipelines/ava.mk DATA=ava VIDEOS=DIR ANNOTATIONS=DIR DETECTIONS=FILE OUT=DIR
#     make -f pipelines/ava.mk PRESET=smoke
#
# DETECTIONS is a CSV file "video,timestamp,x1,y1,x2,y2,[class],score" of the validation videos, or a pickle of proposals
# {"video,timestamp": [[x1, y1, x2, y2, score], ...]}, which python3 then converts. PRETRAINED is the folder of a
# run of kinetics.mk; without it models are pre-trained on the training videos. In the test clips are shown whole, drawn to a
# square, so that nobody is cut off. Every setting of benchmark.mk can be given too. AVA-Kinetics is measured by ActivityNet's
# rules, AVA by SlowFast's; the paper's numbers are of AVA-Kinetics. The training knows all 80 actions; those are scored that
# ava_action_list_v2.2_for_activitynet_2019.pbtxt lists, 60 of them, or all where ANNOTATIONS has ava_action_list_v2.2.pbtxt
# only, and then without the paper's numbers. Files of films may be whole or begin at second 900 (teg-index(1)): whole ones are
# decoded from their beginning to their end, where `ffmpeg -ss 900 -t 901` would have left the part that is annotated.

DATA ?= ava-kinetics##       ava-kinetics or ava
DETECTIONS ?=##              boxes of a detector
BOX_SCORE ?= 0.2##           of its boxes, those that are more certain
VIDEO_START ?=##             second of the film at which all files of films begin (found out)
TUNE_EPOCHS ?= $(call preset,36,4)##     of the fine-tuning
TUNE_BATCH ?= $(call preset,256,8)##     clips a step of it
ifeq ($(filter ava ava-kinetics,$(DATA)),)
$(error DATA=$(DATA): want ava or ava-kinetics)
endif
experiment := $(DATA)
OUT ?= runs/$(DATA)
published := $(DATA:ava-kinetics=ava)
ifeq ($(DATA),ava)
published := none
endif
TUNE_CROP ?= $(call preset,256,40)##     pixels of the network's input in the fine-tuning
here := $(dir $(lastword $(MAKEFILE_LIST)))
include $(here)benchmark.mk

ifdef generated
DETECTIONS := $(ANNOTATIONS)/ava_val_predicted_boxes.csv
synth := --frames 150
else
$(call want_paths,DETECTIONS)
ifneq ($(words $(DETECTIONS)),1)
$(error DETECTIONS=FILE is needed)
endif
found := $(if $(filter %.pkl,$(DETECTIONS)),$(call absolute,OUT)/$(patsubst %.pkl,%.json,$(notdir $(DETECTIONS))),$(call absolute,DETECTIONS))
index_inputs += $(found)
endif
# What an index says of these data sets: an OUT whose index says something else has it made anew, and what follows.
meaning := $(OUT)/versions/ava
$(call keep,$(meaning),all 80 actions; each film from where its file begins)
index_inputs += $(meaning)
options.index += --detections $(or $(found),$(DETECTIONS)) $(addprefix --video-start ,$(VIDEO_START))

plans :=
probes :=
labelled := labelled
options.draw.labelled = --strategy keyframes --clip 32x2 --shuffle --augment linear --split train --epochs $(TUNE_EPOCHS)
options.plan.people = --strategy keyframes --clip 32x2 --boxes detected --box-score $(BOX_SCORE) --augment none --split val

ifneq ($(PRETRAINED),)
pretrained := $(methods)
source.supervised := $(PRETRAINED)
else
methods := $(methods:supervised=scratch)
endif
$(foreach m,$(pretrained),$(eval tunings.$m := fine-tuned))
options.model.fine-tuned = $(tuning) $(call rate) --task localize
options.model.scratch = $(options.model.fine-tuned)
draw.scratch := labelled
plans.fine-tuned := people
plans.scratch := people
probes.fine-tuned := ava
probes.scratch := ava
rules := $(if $(filter ava,$(DATA)),slowfast,activitynet)
named = $(if $(generated),$(ANNOTATIONS)/$(firstword $1),$(firstword $(wildcard $(foreach n,$1,$(ANNOTATIONS)/$n))))
films := $(call named,ava_val_v2.2.csv ava_val_v2.1.csv)
clips_too := $(if $(filter ava-kinetics,$(DATA)),$(call named,kinetics_val_v1.0.csv))
# Of several the first, in the order of read_maps in common/datasets/ava_files.c: its names are those of the index.
lists := ava_action_list_v2.2_for_activitynet_2019.pbtxt ava_action_list_v2.1_for_activitynet_2018.pbtxt
scored := $(call named,$(lists) $(lists:=.txt))
actions := $(or $(scored),$(call named,ava_action_list_v2.2.pbtxt ava_action_list_v2.1.pbtxt))
ifeq ($(scored),)
published := none
endif
excluded := $(if $(filter slowfast,$(rules)),$(call named,ava_val_excluded_timestamps_v2.2.csv ava_val_excluded_timestamps_v2.1.csv))
ifeq ($(words $(films) $(actions)),2)
options.probe.ava = --rules $(rules) --labels $(actions) $(addprefix --annotations ,$(films) $(clips_too)) $(addprefix --exclude ,$(excluded))
else
$(error ANNOTATIONS=$(ANNOTATIONS): no ava_val_v2.2.csv, or no ava_action_list_v2.2_for_activitynet_2019.pbtxt nor ava_action_list_v2.2.pbtxt (or those of version 2.1))
endif

include $(here)benchmark_end.mk

ifneq ($(filter %.pkl,$(DETECTIONS)),)
$(call keep,$(found).settings,from $(abspath $(DETECTIONS)))
$(found): $(DETECTIONS) $(found).settings
	python3 $(pipelines)pkl2json.py -o $@.tmp $<
	mv $@.tmp $@
endif

$(OUT)/seed-%/ava.json: $$(call files,$(OUT)/seed-$$*/people.lmdb) $(index_inputs) $(OUT)/seed-%/ava.json.settings | $(BIN)/teg-ava-eval
	$(BIN)/teg-ava-eval --scores $(@D)/people.lmdb $(options) --print none -o $@
