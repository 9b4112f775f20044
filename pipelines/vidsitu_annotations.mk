# SPDX-License-Identifier: Apache-2.0
# VidSitu's vocabulary is released as a pickle, verb_id_vocab.pkl. Where ANNOTATIONS has it in no other form, python3 converts
# it, and the index is made of OUT/annotations, which holds it beside links to the files of ANNOTATIONS. Included behind
# benchmark.mk.

vocabulary = $(firstword $(wildcard $(foreach f,. vsitu_vocab ../vsitu_vocab,$(ANNOTATIONS)/$f/verb_id_vocab.$1)))
ifeq ($(if $(generated),made,$(call vocabulary,json)),)
ifneq ($(call vocabulary,pkl),)
pickle := $(call vocabulary,pkl)
linked := $(call absolute,OUT)/annotations
converted := $(linked)/vsitu_vocab/verb_id_vocab.json
index_inputs += $(converted)
options.index = --format vidsitu --videos $(call absolute,VIDEOS) --annotations $(linked)

# All but the vocabulary's folder, and the one that OUT is in.
released := $(filter-out %/vsitu_vocab,$(sort $(abspath $(wildcard $(ANNOTATIONS)/*))))
released := $(foreach f,$(released),$(if $(filter $f/% $(realpath $f)/%,$(call absolute,OUT)/ $(realpath $(OUT))/),,$f))

$(call keep,$(linked).settings,from $(abspath $(pickle)) beside $(released))
$(converted): $(pickle) $(linked).settings
	mkdir -p $(@D)
	find $(linked) -maxdepth 1 -type l -delete
	ln -sfn $(released) $(linked)/
	python3 $(pipelines)pkl2json.py -o $@.tmp $<
	mv $@.tmp $@
endif
endif
