# SPDX-License-Identifier: Apache-2.0
# The demonstration: on generated videos (teg-synth(1) says what they show), trains the two objectives of the paper
# from scratch and compares what their features know. `make demo`, or with more than one run:
#
#     make -f pipelines/demo.mk SEEDS="1 2 3"
#
# With a GPU, a large network on more and larger videos:
#
#     make -f pipelines/demo.mk OUT=runs/large MODEL=r3d50 SIZE=128 CROP=112 N_VIDEOS=4096 BATCH=64

experiment := demo
OUT ?= runs/demo
N_VIDEOS ?= 512##    generated videos, a quarter of them for validation
SIZE ?= 48##         pixels of their sides
CROP ?= 40##         of those the network sees
MODEL ?= r3d-tiny##  or r3d50
LR ?= 0.2##          of the pre-training
EPOCHS ?= 80##       likewise
BATCH ?= 32##        examples a step
PRECISION ?= $(if $(shell nvidia-smi -L >/dev/null 2>&1 && echo 1)$(shell grep -m1 -E 'avx512_bf16|amx_bf16' /proc/cpuinfo),bf16,f32)##  bf16 where it is faster

world := $(OUT)/world
options.world := --dataset events --videos $(N_VIDEOS) --size $(SIZE) --seed 1
index_inputs := $(world)/done
options.index := --format annotations --videos $(world)/videos --annotations $(world)/annotations.jsonl
options.decode := --short-side $(SIZE)

# The class of a scene is the direction of its stripes, which neither mirroring nor much stretching leaves as it is.
AUGMENT ?= gentle
options.draw.samples = --strategy contained --long 32x4 --short 16x2 --split train --epochs $(EPOCHS) \
    --flip-probability 0 $(augmentation)

methods := untrained teg-ps teg-fg
train := --model $(MODEL) --crop-size $(CROP) --batch $(BATCH) --lr $(LR)
options.model.untrained := $(train) --objective teg-ps --epochs 0
options.model.teg-ps := $(train) --objective teg-ps
options.model.teg-fg := $(train) --objective teg-fg

plans := events videos
options.plan.events := --strategy events --clip 16x2
options.plan.videos := --strategy uniform --clip 32x4 --clips 2

options.embeddings := --crop-size $(CROP)

probes := events videos
clips.events := events
clips.videos := videos
options.probe.events := --labels events --method logistic
pictures.events := similarity confusion
options.probe.videos := --labels class --method logistic

include $(dir $(lastword $(MAKEFILE_LIST)))common.mk
include $(pipelines)report.mk
include $(pipelines)world.mk
