# SPDX-License-Identifier: Apache-2.0
# What a comparison of methods shows in the end: a table of the probes, the loss curves, and how alike the moments of one
# video are. Included behind common.mk.

# An experiment that may have nothing to measure says why: no_table.

# Methods whose losses are of one kind, and share a picture.
curved ?= $(filter-out untrained,$(methods))
curves := $(if $(curved),$(foreach s,$(SEEDS),$(OUT)/seed-$s/loss.png))

all: $(if $(metrics),$(OUT)/table.txt) $(if $(shell command -v gnuplot),$(curves))
	$(if $(metrics),@cat $(OUT)/table.txt)
	$(if $(no_table),@echo "$(no_table)")

# What they are made of, as seen from OUT: other seeds or methods make another table.
paper := $(or $(published),$(experiment))
$(if $(metrics),$(call keep,$(OUT)/table.txt.settings,$(paper) $(metrics:$(OUT)/%=%)))
$(if $(curved),$(foreach s,$(SEEDS),$(call keep,$(OUT)/seed-$s/loss.png.settings,$(curved))))

$(OUT)/table.txt: $(metrics) $(OUT)/table.txt.settings $(pipelines)table.awk $(pipelines)paper.tsv
	awk -v experiment=$(paper) -v paper=$(pipelines)paper.tsv -f $(pipelines)table.awk $(metrics) >$@.tmp
	mv $@.tmp $@

$(OUT)/seed-%/loss.tsv: $(OUT)/seed-%/model.safetensors
	sed -nE 's/^\{"step": *([0-9]+),[^[{]*"loss": *([-+.0-9e]+),.*/\1\t\2/p' $(@D)/train.jsonl >$@

$(OUT)/seed-%/loss.png: $$(foreach m,$$(curved),$(OUT)/seed-$$*/$$m/loss.tsv) $(OUT)/seed-%/loss.png.settings $(pipelines)loss.gp
	gnuplot -c $(pipelines)loss.gp $@ $(foreach f,$(filter %.tsv,$^),$(notdir $(patsubst %/,%,$(dir $f))) $f)
