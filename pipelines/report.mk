# SPDX-License-Identifier: Apache-2.0
# What a comparison of methods shows in the end: a table of the probes, the loss curves, and how alike the moments of one
# video are. Included behind common.mk.

tables := $(foreach m,$(models),$(probes:%=$(OUT)/$m/%.json))
curves := $(foreach s,$(SEEDS),$(OUT)/seed-$s/loss.png)

all: $(if $(probes),$(OUT)/table.txt) $(if $(shell command -v gnuplot),$(curves))
	$(if $(probes),@cat $(OUT)/table.txt)

$(OUT)/table.txt: $(tables) $(pipelines)table.awk
	awk -f $(pipelines)table.awk $(tables) >$@.tmp
	mv $@.tmp $@

$(OUT)/seed-%/loss.tsv: $(OUT)/seed-%/model.safetensors
	sed -nE 's/^\{"step": *([0-9]+),[^[{]*"loss": *([-+.0-9e]+),.*/\1\t\2/p' $(@D)/train.jsonl >$@

$(OUT)/seed-%/loss.png: $$(foreach m,$$(filter-out untrained,$$(methods)),$(OUT)/seed-$$*/$$m/loss.tsv) $(pipelines)loss.gp
	gnuplot -c $(pipelines)loss.gp $@ $(foreach f,$(filter %.tsv,$^),$(notdir $(patsubst %/,%,$(dir $f))) $f)
