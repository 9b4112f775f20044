# SPDX-License-Identifier: Apache-2.0
# The demonstration: on generated videos (teg-synth(1) says what they show), trains the two objectives of the paper
# from scratch and compares what their features know. `make demo`, or with more than one run:
#
#     make -f pipelines/demo.mk SEEDS="1 2 3"

experiment := demo
OUT ?= runs/demo
N_VIDEOS ?= 512##    generated videos, a quarter of them for validation
EPOCHS ?= 80##       of the pre-training
BATCH ?= 32##        examples a step
PRECISION ?= $(if $(shell grep -m1 -E 'avx512_bf16|amx_bf16' /proc/cpuinfo),bf16,f32)##  bf16 where it is faster

world := $(OUT)/world
options.world := --dataset events --videos $(N_VIDEOS) --size 48 --seed 1
index_inputs := $(world)/done
options.index := --format annotations --videos $(world)/videos --annotations $(world)/annotations.jsonl
options.decode := --short-side 48

# The class of a scene is the direction of its stripes, which neither mirroring nor much stretching leaves as it is.
AUGMENT ?= gentle
options.draw.samples = --strategy contained --long 32x4 --short 16x2 --split train --epochs $(EPOCHS) \
    --flip-probability 0 $(augmentation)

methods := untrained teg-ps teg-fg
train := --model r3d-tiny --crop-size 40 --batch $(BATCH) --lr 0.2
options.model.untrained := $(train) --objective teg-ps --epochs 0
options.model.teg-ps := $(train) --objective teg-ps
options.model.teg-fg := $(train) --objective teg-fg

plans := events videos
options.plan.events := --strategy events --clip 16x2
options.plan.videos := --strategy uniform --clip 32x4 --clips 2

options.embeddings := --crop-size 40

probes := events videos
clips.events := events
clips.videos := videos
options.probe.events := --labels events --method logistic
pictures.events := similarity confusion
options.probe.videos := --labels class --method logistic

include $(dir $(lastword $(MAKEFILE_LIST)))common.mk
include $(pipelines)report.mk
include $(pipelines)world.mk
