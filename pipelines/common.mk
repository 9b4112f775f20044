# SPDX-License-Identifier: Apache-2.0
# The stages of an experiment, one rule each:
#
#   videos ── index.lmdb ── frames.lmdb ──┬── seed-S/DRAW.lmdb ── seed-S/MODEL/model.safetensors ──┐
#                                         └── plans/PLAN.lmdb ──┬──────────────────────────────────┘
#                                                  seed-S/MODEL/PLAN.lmdb ── seed-S/MODEL/PROBE.json
#
# MODEL is METHOD, or METHOD/TASK: what a tuning made of the method's model.
#
# An experiment sets the variables of the next section, includes this file, and names the results that it wants.
#
# Beside every output lies OUTPUT.settings, the options that its tool is run with. A changed option rewrites that file,
# and so redoes this stage and those behind it, no others. A tool that was built anew redoes nothing. An
# interrupted run goes on when it is called again. Tools are parallel themselves: stages run one after another.
#
# SHARDS=n has frames and embeddings written as n shards, each a target of its own: frames.lmdb.1-of-n ... Those that are
# ready run side by side with `make -j n`, and divide THREADS among them; or each is asked for on another machine. What
# follows waits for all. One model is trained at a time. A store that is there, or was begun, keeps its number of files.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.SECONDEXPANSION:
.DEFAULT_GOAL := all
.PHONY: all
MAKEFLAGS += --no-builtin-rules

# ---- What a user may set (brackets at the end of a line: what no value means) -----------------------

BIN ?= build##                folder with the tools
OUT ?= runs/$(experiment)##   folder of everything that is made
SEEDS ?= 1##                  one run each: draws of the pre-training, initial weights
THREADS ?=##                  threads of each tool (all processors)
SHARDS ?= 1##                 files that frames, and embeddings, are written to
DEVICE ?= auto##              auto, cpu or cuda
DECODER ?= cpu##              what decodes the videos: cpu or cuda
PRECISION ?= f32##            f32, bf16 or tf32
PROCESSES ?= 1##              that train a model together, with a GPU each (LAUNCHER starts them)
LAUNCHER ?= mpirun -n $(PROCESSES)##  what starts several of them; on several machines with their names
RECOMPUTE ?=##                1: training keeps less in memory and computes it again
MAX_BAD ?= 0##                videos that may be missing or broken
AUGMENT ?= paper##            of the pre-training: paper, or gentle for small pictures and few steps

# ---- What an experiment sets ------------------------------------------------------------------------
#
#   experiment           its name
#   index_inputs         files whose change makes a new index
#   options.index        options of teg-index, teg-decode
#   options.decode
#   videos               folder of the videos (default: where the index has them, as seen from OUT)
#   draws                kinds of clips to train on, drawn for every seed (default: samples)
#   options.draw.D       options of teg-sample for draw D
#   methods              ways to get a model
#   tunings.M            tasks that the models of method M are gone on with
#   options.model.X      options of teg-train for method or task X
#   draw.X               draw that it trains on (default: samples)
#   source.M             folder of another run, whose models of method M are taken
#   plans, plans.X       sets of clips to be looked at, by all models or by those of method or task X
#   options.plan.P       options of teg-sample for plan P
#   options.embeddings   options of teg-extract, in which $p is the plan; options.embeddings.X for method or task X
#   probes, probes.X     what is measured
#   clips.T              plans of probe T: one for all splits, or one for training and one for testing
#   options.probe.T      options of teg-probe
#   pictures.T           its pictures: similarity confusion
#   other_metrics        files of metrics that the experiment has rules for, besides those of the probes

# ---- Settings ---------------------------------------------------------------------------------------

# A thousandth of the paper's steps is too little to learn to see through all of its crops and colours, and pictures of some
# fifty pixels have nothing finer to lose than what a blur would take.
ifeq ($(filter paper gentle,$(AUGMENT)),)
$(error AUGMENT=$(AUGMENT): want paper or gentle)
endif
, := ,
augmentation := $(if $(filter gentle,$(AUGMENT)),--crop-area 0.7$(,)1 --crop-aspect 0.9$(,)1.1 --blur-probability 0 \
    --brightness 0.4 --contrast 0.4 --saturation 0.4 --hue 0.1)

pipelines := $(dir $(lastword $(MAKEFILE_LIST)))
include $(pipelines)paths.mk
$(call want_path,OUT,$(call given,OUT))
$(call want_values,$(MAKEFILE_LIST))
$(call want_paths,BIN)
run = $(BIN)/teg-$1$(addprefix $() --threads ,$(if $(shard),$(share),$(THREADS)))
ifneq ($(shell [[ '$(PROCESSES)' =~ ^[1-9][0-9]{0,3}$$ ]] && echo right),right)
$(error PROCESSES=$(PROCESSES): want a number from 1 to 9999)
endif
launch = $(if $(filter-out 1,$(PROCESSES)),$(LAUNCHER) )
device := --device $(DEVICE) --precision $(PRECISION)

# How many may be bad decides whether a stage succeeds, not what it writes.
bad = $(if $(filter-out 0,$(MAX_BAD)), --max-bad $(MAX_BAD))
missing = $(if $(filter-out 0,$(MAX_BAD)), --max-missing $(MAX_BAD))
# Too many leave the store unpublished, and teg-decode names its own option only.
or_advise = || { [ ! -e $@.part ] || echo 'make: MAX_BAD=N allows for N bad videos, as --max-bad of all stages' >&2; exit 1; }

# Models are named by their folder: seed-S/METHOD or seed-S/METHOD/TASK.
draws ?= samples
models := $(foreach s,$(SEEDS),$(foreach m,$(methods),seed-$s/$m $(tunings.$m:%=seed-$s/$m/%)))
method = $(notdir $1)
seed = $(patsubst seed-%,%,$(firstword $(subst /, ,$1)))
own = $(if $(filter undefined,$(origin $1.$(call method,$2))),$($1),$($1.$(call method,$2)))
plans_of = $(call own,plans,$1)
probes_of = $(call own,probes,$1)
all_plans := $(sort $(plans) $(foreach m,$(models),$(call plans_of,$m)))
model_file = $(OUT)/$1/model.safetensors
draw_file = $(OUT)/seed-$(call seed,$1)/$(or $(draw.$(call method,$1)),samples).lmdb
init_file = $(if $(filter $(patsubst %/,%,$(dir $1)),$(models)),$(call model_file,$(patsubst %/,%,$(dir $1))))
taken := $(foreach m,$(models),$(if $(source.$(call method,$m)),$m))
trained := $(filter-out $(taken),$(models))
store_version = $(OUT)/versions/$1
options = $(settings.$(store).settings)

# $(call files,STORE): itself, or its shards. In a recipe, $(store) is the store that $@ is (a shard of), $(shard) the option.
ifneq ($(shell [[ '$(SHARDS)' =~ ^[1-9][0-9]{0,3}$$ ]] && echo right),right)
$(error SHARDS=$(SHARDS): want a number from 1 to 9999)
endif
begun := $(shell find $(OUT) -maxdepth 4 -name '*-of-*' -printf '%P\n' 2>/dev/null | \
    sed -nE 's/\.[1-9][0-9]*-of-([1-9][0-9]*)(\.part)?$$/@\1/p' | sort -u)
n_begun = $(patsubst $1@%,%,$(firstword $(filter $1@%,$(begun))))
n_files = $(if $(wildcard $1 $1.part),1,$(or $(call n_begun,$(1:$(OUT)/%=%)),$(SHARDS)))
names = $(if $(filter 1,$2),$1,$(foreach i,$(shell seq $2),$1.$i-of-$2))
files = $(call names,$1,$(call n_files,$1))
shard = $(if $(findstring -of-,$(suffix $@)),$() --shard $(subst -of-,/,$(patsubst .%,%,$(suffix $@))))
store = $(if $(shard),$(basename $@),$@)

# Threads of a shard, where as many as -j says, SHARDS at most, run side by side.
jobs = $(filter -j%,$(MAKEFLAGS))
share = $(if $(jobs),$(shell t=$(or $(THREADS),$$(nproc)) j=$(or $(jobs:-j%=%),$(SHARDS)); \
    ((j = j < $(SHARDS) ? j : $(SHARDS), t = t < j ? 1 : t / j)); echo $$t),$(THREADS))

frames := $(call files,$(OUT)/frames.lmdb)
embeddings := $(foreach m,$(models),$(foreach p,$(call plans_of,$m),$(call files,$(OUT)/$m/$p.lmdb)))
metrics := $(strip $(foreach m,$(models),$(patsubst %,$(OUT)/$m/%.json,$(call probes_of,$m))) $(other_metrics))

$(call keep,$(OUT)/index.lmdb.settings,$(options.index))
decode_options = $(options.decode)$(if $(filter-out cpu,$(DECODER)), --device $(DECODER))
$(call keep,$(OUT)/frames.lmdb.settings,$(decode_options))
$(foreach p,$(all_plans),$(call keep,$(OUT)/plans/$p.lmdb.settings,$(options.plan.$p)))
$(foreach s,$(SEEDS),$(foreach d,$(draws),$(call keep,$(OUT)/seed-$s/$d.lmdb.settings,$(options.draw.$d) --seed $s)))
# What is taken from another run, or how it is trained here.
taken_file = $(source.$(call method,$1))/$1/model.safetensors
$(foreach m,$(taken),$(if $(wildcard $(call taken_file,$m)),$(call keep,$(call model_file,$m).settings,taken from $(call taken_file,$m)),\
    $(error $(source.$(call method,$m)): that run has no model $m: name those it has with OBJECTIVE and SEEDS)))
$(foreach m,$(trained),$(if $(strip $(options.model.$(call method,$m))),,\
    $(error $(experiment): no way to train $(call method,$m) is known here (options.model.$(call method,$m)))))
$(foreach m,$(trained),$(call keep,$(call model_file,$m).settings,\
    $(options.model.$(call method,$m)) --seed $(call seed,$m) $(device)))
$(foreach m,$(models),$(foreach p,$(call plans_of,$m),\
    $(call keep,$(OUT)/$m/$p.lmdb.settings,$(call own,options.embeddings,$m) $(device))))
$(foreach m,$(models),$(foreach t,$(call probes_of,$m),$(call keep,$(OUT)/$m/$t.json.settings,\
    $(options.probe.$t)$(foreach p,$(pictures.$t), --$p $t-$p.png))))

# A kind of store in another version is another input.
version = $(shell sed -n 's/^enum { [A-Z]*_VERSION = \([0-9]*\).*/\1/p' $(pipelines)../common/store/$1.h)
$(foreach k,index frames samples embeddings,$(call keep,$(OUT)/versions/$k,$(or $(call version,$k),$(error no version of $k))))

# ---- Stages -----------------------------------------------------------------------------------------

# OUT may lie among the videos or annotations: what is in it is none of them.
# With more bad videos than MAX_BAD the index is there to look at, and teg-index has said so.
.PRECIOUS: $(OUT)/index.lmdb
$(OUT)/index.lmdb: $(index_inputs) $(OUT)/index.lmdb.settings $(call store_version,index) | $(BIN)/teg-index
	$(call run,index) $(options)$(bad) --exclude $(OUT) --force -o $@

# Where the videos are is said anew: OUT may have moved since they were indexed.
$(frames): $(OUT)/index.lmdb $(OUT)/frames.lmdb.settings $(call store_version,frames) | $(BIN)/teg-decode
	$(call run,decode) --index $<$(addprefix $() --videos ,$(videos)) $(options)$(bad)$(shard) --force -o $(store) $(or_advise)

clips := $(OUT)/index.lmdb $(frames) $(call store_version,samples)

$(OUT)/plans/%.lmdb: $(clips) $(OUT)/plans/%.lmdb.settings | $(BIN)/teg-sample
	$(call run,sample) --index $(OUT)/index.lmdb --frames $(OUT)/frames.lmdb $(options)$(bad) --force -o $@

drawn := $(foreach s,$(SEEDS),$(draws:%=$(OUT)/seed-$s/%.lmdb))
$(drawn): %: $(clips) %.settings | $(BIN)/teg-sample
	$(call run,sample) --index $(OUT)/index.lmdb --frames $(OUT)/frames.lmdb $(options)$(bad) --force -o $@

# Clips that cannot be sampled are found before days of training.
# --force replaces an earlier model; a checkpoint of the same run is gone on from all the same.
folder = $(patsubst $(OUT)/%/,%,$(dir $@))
$(foreach m,$(trained),$(call model_file,$m)): %: $$(call draw_file,$$(folder)) $$(call init_file,$$(folder)) $(frames) %.settings | $(all_plans:%=$(OUT)/plans/%.lmdb) $(BIN)/teg-train
	$(launch)$(call run,train) --frames $(OUT)/frames.lmdb --samples $<$(addprefix $() --init ,$(call init_file,$(folder))) $(options)$(if $(filter-out 0,$(RECOMPUTE)), --recompute) \
	    --log $(@D)/train.jsonl --force -o $@

$(foreach m,$(taken),$(call model_file,$m)): %: $$(call taken_file,$$(folder)) %.settings
	cp $< $@

$(embeddings): $$(dir $$@)model.safetensors $(OUT)/plans/$$(notdir $$(store)) $(frames) $$(store).settings \
               $(call store_version,embeddings) | $(BIN)/teg-extract
	$(call run,extract) --model $< --frames $(OUT)/frames.lmdb --samples $(word 2,$^) $(options)$(shard) --force -o $(store)

measured = $(clips.$(basename $(@F)):%=$(@D)/%.lmdb)
# Pictures lie beside the metrics.
probe_options = $(patsubst %.png,$(@D)/%.png,$(options))

$(OUT)/seed-%.json: $$(foreach s,$$(measured),$$(call files,$$s)) $(OUT)/seed-%.json.settings $(OUT)/index.lmdb | $(BIN)/teg-probe
	$(call run,probe) --embeddings $(firstword $(measured)) $(addprefix --test ,$(word 2,$(measured))) \
	    --index $(OUT)/index.lmdb $(probe_options)$(missing) --print none -o $@

$(BIN)/teg-%:
	@echo "$@ is missing: run make first, or say BIN=FOLDER" >&2; exit 1

# ---- Order ------------------------------------------------------------------------------------------
# Each model waits for the one before, where all are asked for: two would not fit into a device made for one.

ifeq ($(SHARDS),1)
.NOTPARALLEL:
else ifeq ($(filter-out all,$(MAKECMDGOALS)),)
before :=
$(foreach m,$(foreach m,$(trained),$(call model_file,$m)),$(eval $m: | $(before))$(eval before := $m))
endif
