# SPDX-License-Identifier: Apache-2.0
# The stages of an experiment, one rule each:
#
#   videos ── index.lmdb ── frames.lmdb ──┬── seed-S/samples.lmdb ── seed-S/METHOD/model.safetensors ──┐
#                                         └── plans/PLAN.lmdb ──┬──────────────────────────────────────┘
#                                                  seed-S/METHOD/PLAN.lmdb ── seed-S/METHOD/PROBE.json
#
# An experiment sets the variables of the next section, includes this file, and names the results that it wants.
#
# Beside every output lies OUTPUT.settings, the options that its tool is run with. A changed option rewrites that file,
# and so redoes this stage and those behind it, no others. A tool that was built anew redoes nothing. An
# interrupted run goes on when it is called again. Tools are parallel themselves: stages run one after another.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.SECONDEXPANSION:
.NOTPARALLEL:
.DEFAULT_GOAL := all
.PHONY: all
MAKEFLAGS += --no-builtin-rules

# ---- What a user may set ----------------------------------------------------------------------------

BIN ?= build##                folder with the tools
OUT ?= runs/$(experiment)##   folder of everything that is made
SEEDS ?= 1##                  one run each: draws of the pre-training, initial weights
THREADS ?=##                  threads of each tool (all processors)
DEVICE ?= auto##              auto, cpu or cuda
PRECISION ?= f32##            f32 or bf16

# ---- What an experiment sets ------------------------------------------------------------------------
#
#   experiment           its name
#   index_inputs         files whose change makes a new index
#   options.index        options of teg-index, teg-decode, teg-sample (clips of the pre-training)
#   options.decode
#   options.samples
#   methods              ways to get a model
#   options.model.M      options of teg-train for method M
#   plans                sets of clips to be looked at
#   options.plan.P       options of teg-sample for plan P
#   options.embeddings   options of teg-extract
#   probes               what is measured
#   clips.T              plans of probe T: one for all splits, or one for training and one for testing
#   options.probe.T      options of teg-probe
#   pictures.T           its pictures: similarity confusion

# ---- Settings ---------------------------------------------------------------------------------------

pipelines := $(dir $(lastword $(MAKEFILE_LIST)))
run = $(BIN)/teg-$1$(if $(THREADS), --threads $(THREADS))
device := --device $(DEVICE) --precision $(PRECISION)

# $(call keep,FILE,TEXT) rewrites FILE when it does not hold TEXT; `make -n` only takes it for rewritten.
dry := $(findstring n,$(filter-out --% %=%,$(firstword $(MAKEFLAGS))))
# (Some versions of make do not always take the last newline off what $(file <) reads.)
changed = $(if $(wildcard $1),$(subst x$2x,,x$(strip $(file <$1))x),new)
write = $(if $(dry),$(eval .PHONY: $1),$(shell mkdir -p $(dir $1))$(file >$1,$2))
keep = $(if $(call changed,$1,$(strip $2)),$(call write,$1,$(strip $2)))

models := $(foreach s,$(SEEDS),$(methods:%=seed-$s/%))
method = $(notdir $1)
seed = $(patsubst seed-%/,%,$(dir $1))
store_version = $(OUT)/versions/$1
options = $(strip $(file <$@.settings))

$(call keep,$(OUT)/index.lmdb.settings,$(options.index))
$(call keep,$(OUT)/frames.lmdb.settings,$(options.decode))
$(foreach p,$(plans),$(call keep,$(OUT)/plans/$p.lmdb.settings,$(options.plan.$p)))
$(foreach s,$(SEEDS),$(call keep,$(OUT)/seed-$s/samples.lmdb.settings,$(options.samples) --seed $s))
$(foreach m,$(models),$(call keep,$(OUT)/$m/model.safetensors.settings,\
    $(options.model.$(call method,$m)) --seed $(call seed,$m) $(device)))
$(foreach m,$(models),$(foreach p,$(plans),$(call keep,$(OUT)/$m/$p.lmdb.settings,$(options.embeddings) $(device))))
$(foreach m,$(models),$(foreach t,$(probes),$(call keep,$(OUT)/$m/$t.json.settings,$(options.probe.$t))))

# A kind of store in another version is another input.
version = $(shell sed -n 's/^enum { [A-Z]*_VERSION = \([0-9]*\).*/\1/p' $(pipelines)../common/store/$1.h)
$(foreach k,index frames samples embeddings,$(call keep,$(OUT)/versions/$k,$(or $(call version,$k),$(error no version of $k))))

# ---- Stages -----------------------------------------------------------------------------------------

$(OUT)/index.lmdb: $(index_inputs) $(OUT)/index.lmdb.settings $(call store_version,index) | $(BIN)/teg-index
	$(call run,index) $(options) --force -o $@

$(OUT)/frames.lmdb: $(OUT)/index.lmdb $(OUT)/frames.lmdb.settings $(call store_version,frames) | $(BIN)/teg-decode
	$(call run,decode) --index $< $(options) --force -o $@

clips := $(OUT)/index.lmdb $(OUT)/frames.lmdb $(call store_version,samples)

$(OUT)/plans/%.lmdb: $(clips) $(OUT)/plans/%.lmdb.settings | $(BIN)/teg-sample
	$(call run,sample) --index $(OUT)/index.lmdb --frames $(OUT)/frames.lmdb $(options) --force -o $@

$(OUT)/seed-%/samples.lmdb: $(clips) $(OUT)/seed-%/samples.lmdb.settings | $(BIN)/teg-sample
	$(call run,sample) --index $(OUT)/index.lmdb --frames $(OUT)/frames.lmdb $(options) --force -o $@

# A checkpoint is gone on from unless something behind it has changed since.
anew = $(if $(filter $@.part,$(firstword $(shell ls -t $@.part $^ 2>/dev/null))),,--force)

$(OUT)/seed-%/model.safetensors: $(OUT)/frames.lmdb $$(dir $(OUT)/seed-$$*)samples.lmdb $(OUT)/seed-%/model.safetensors.settings | $(BIN)/teg-train
	$(call run,train) --frames $< --samples $(word 2,$^) $(options) \
	    --log $(@D)/train.jsonl $(anew) -o $@

$(OUT)/seed-%.lmdb: $$(dir $$@)model.safetensors $(OUT)/frames.lmdb $(OUT)/plans/$$(notdir $$*).lmdb \
                    $(OUT)/seed-%.lmdb.settings $(call store_version,embeddings) | $(BIN)/teg-extract
	$(call run,extract) --model $< --frames $(word 2,$^) --samples $(word 3,$^) $(options) --force -o $@

pictures = $(foreach p,$(pictures.$(basename $(@F))),--$p $(basename $@)-$p.png)

$(OUT)/seed-%.json: $$(foreach p,$$(clips.$$(notdir $$*)),$$(dir $$@)$$p.lmdb) $(OUT)/seed-%.json.settings \
                    $(OUT)/index.lmdb | $(BIN)/teg-probe
	$(call run,probe) --embeddings $< $(if $(filter %.lmdb,$(word 2,$^)),--test $(word 2,$^)) \
	    --index $(OUT)/index.lmdb $(options) --print none $(pictures) -o $@

$(BIN)/teg-%:
	@echo "$@ is missing: run make first, or say BIN=FOLDER" >&2; exit 1
