# SPDX-License-Identifier: Apache-2.0
# What the parts of the method are good for: Fig. 3 (weight of the fine-grained loss), Fig. 4 (feature steps behind a
# fine-grained embedding), Table 8 (how the clips of a pair are chosen). Each point is a pre-training and a linear classifier.
#
#     make -f pipelines/ablation.mk VIDEOS=DIR ANNOTATIONS=vidsitu_annotations OUT=DIR
#     make -f pipelines/ablation.mk DATA=kinetics FIGURES=alpha VIDEOS=DIR ANNOTATIONS=DIR OUT=DIR
#     make -f pipelines/ablation.mk PRESET=smoke
#
# Every setting of benchmark.mk can be given too. Makes alpha.png, grid.png and sampling.txt of FIGURES, with their numbers
# in alpha.tsv and grid.tsv.

DATA ?= vidsitu##                       vidsitu or kinetics
FIGURES ?= alpha grid sampling##        what is made
ALPHAS ?= 0 0.25 0.5 0.75 0.9 1##       weights of the fine-grained loss
GRID ?= $(foreach s,1 2 4 8,$(foreach l,1 2 4 8 16,$s$(comma)$l))##  feature steps, of the short and the long clip
OUT ?= runs/ablation-$(DATA)
comma := ,
OBJECTIVE := teg-fg
EPOCHS ?= $(call preset,200,4)
ifeq ($(filter vidsitu kinetics,$(DATA)),)
$(error DATA=$(DATA): want vidsitu or kinetics)
endif
ifneq ($(if $(strip $(FIGURES)),,none)$(filter-out alpha grid sampling,$(FIGURES)),)
$(error FIGURES=$(FIGURES): want some of alpha grid sampling)
endif
ifneq ($(PRETRAINED),)
$(error PRETRAINED=$(PRETRAINED): an ablation trains its own models)
endif
experiment := $(DATA)
here := $(dir $(lastword $(MAKEFILE_LIST)))
ifeq ($(DATA),kinetics)
TEMPERATURE ?= 0.156
test := val
endif
include $(here)benchmark.mk
include $(here)$(if $(filter vidsitu,$(DATA)),linear_events.mk,linear.mk)
published := $(if $(filter vidsitu,$(DATA)),ablation)

# The method as it is, alpha-$(ALPHA), is a point of all three.
chosen := alpha-$(ALPHA)
points.alpha := $(ALPHAS:%=alpha-%)
points.grid := $(patsubst steps-$(subst $(comma),-,$(AGGREGATE)),$(chosen),$(patsubst %,steps-%,$(subst $(comma),-,$(GRID))))
choices := short-short-random short-short-contained long-short-random
points.sampling := $(choices) $(chosen)
points := $(foreach f,$(FIGURES),$(points.$f))
methods := $(filter $(sort $(points)),$(chosen)) $(filter-out $(chosen),$(sort $(points)))

point = $(pretraining) --alpha $1 --aggregate $2
$(foreach a,$(ALPHA) $(ALPHAS),$(eval options.model.alpha-$a = $$(call point,$a,$$(AGGREGATE))))
$(foreach g,$(GRID),$(eval options.model.steps-$(subst $(comma),-,$g) = $$(pretraining) --alpha $$(ALPHA) --aggregate $g))
options.draw.short-short-random = $(call pairs,random,$(SHORT))
options.draw.short-short-contained = $(call pairs,contained,$(SHORT))
options.draw.long-short-random = $(call pairs,random,$(LONG))
$(foreach p,$(choices),$(eval draw.$p := $p)$(eval options.model.$p = $$(call point,$$(ALPHA),$$(AGGREGATE))))
draws := samples $(filter $(choices),$(methods))
curved :=

include $(here)benchmark_end.mk

figures := $(foreach f,$(filter alpha grid,$(FIGURES)),$(OUT)/$f.tsv $(if $(shell command -v gnuplot),$(OUT)/$f.png)) \
    $(if $(filter sampling,$(FIGURES)),$(OUT)/sampling.txt)
all: $(figures)

measures = $(foreach s,$(SEEDS),$(points.$1:%=$(OUT)/seed-$s/%/linear.json))
$(foreach f,$(filter-out %.png,$(figures)),$(call keep,$f.settings,$(patsubst $(OUT)/%,%,$(call measures,$(basename $(notdir $f))))))

$(OUT)/alpha.tsv: $(call measures,alpha) $(OUT)/alpha.tsv.settings $(pipelines)table.awk
	awk -v form=tsv -f $(pipelines)table.awk $(filter %.json,$^) | sed 's/^alpha-//' | sort -g >$@.tmp
	mv $@.tmp $@

$(OUT)/grid.tsv: $(call measures,grid) $(OUT)/grid.tsv.settings $(pipelines)table.awk
	awk -v form=tsv -f $(pipelines)table.awk $(filter %.json,$^) | \
	    sed 's/^$(chosen)/steps-$(subst $(comma),-,$(AGGREGATE))/; s/^steps-\([0-9]*\)-/\1\t/' | sort -g -k1,1 -k2,2 >$@.tmp
	mv $@.tmp $@

$(OUT)/%.png: $(OUT)/%.tsv $(pipelines)%.gp
	gnuplot -c $(pipelines)$*.gp $@ $< $(DATA)

$(OUT)/sampling.txt: $(call measures,sampling) $(OUT)/sampling.txt.settings $(pipelines)table.awk $(pipelines)paper.tsv
	awk -v experiment=$(published) -v paper=$(pipelines)paper.tsv -f $(pipelines)table.awk $(filter %.json,$^) >$@.tmp
	mv $@.tmp $@
