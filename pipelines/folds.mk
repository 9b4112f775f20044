# SPDX-License-Identifier: Apache-2.0
# UCF101 and HMDB51 are divided three times into training and test, and what is reported is the mean. FOLD=n is one of
# these, in OUT; without it all of FOLDS are run, in OUT/fold-n, and OUT/table.txt has the mean of each figure. The paper's
# numbers are means of all three, and stand beside such only.
# Linear and fine-tuned; base_lr as in finetune.mk. Included in the place of benchmark_end.mk.

FOLDS ?= 1 2 3
test := test
options.index += $(addprefix --fold ,$(FOLD))
include $(here)linear.mk
include $(here)finetune.mk
ifdef FOLD
published := none
include $(here)benchmark_end.mk
else
$(call want_values,$(MAKEFILE_LIST) $(here)common.mk)
folds := $(FOLDS:%=fold-%)
means := $(foreach m,$(pretrained),$(foreach t,linear fine-tuned/fine-tuned,$m/$t)) $(if $(filter supervised,$(methods)),supervised/fine-tuned)
SEEDS ?= 1
published := $(if $(filter-out $(FOLDS),1 2 3),none,$(experiment))
of_seed = $(foreach p,$(means),$(folds:%=$(OUT)/%/seed-$1/$p.json))
.PHONY: all $(folds)
.NOTPARALLEL:
all: $(OUT)/table.txt
	@for p in $(means); do for s in $(SEEDS); do echo "== $$p, seed $$s: mean, and each fold"; \
	    awk -f $(here)mean.awk $(foreach f,$(folds),$(OUT)/$f/seed-$$s/$$p.json) | grep -E '^(top1|top5) '; done; done
	@cat $<

$(OUT)/table.txt: $(folds)
	awk -v experiment=$(published) -v paper=$(here)paper.tsv -f $(here)table.awk $(foreach s,$(SEEDS),$(call of_seed,$s)) >$@.tmp
	mv $@.tmp $@

$(folds):
	+$(MAKE) --no-print-directory -f $(here)$(experiment).mk FOLD=$(@:fold-%=%) OUT=$(OUT)/$@
endif
