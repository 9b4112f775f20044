# SPDX-License-Identifier: Apache-2.0
# UCF101 and HMDB51 are divided three times into training and test, and what is reported is the mean. FOLD=n is one of
# these, in OUT; without it all of FOLDS are run, in OUT/fold-n, and their tables end in the mean of each row.
# Linear and fine-tuned; base_lr as in finetune.mk. Included in the place of benchmark_end.mk.

FOLDS ?= 1 2 3
test := test
options.index += $(addprefix --fold ,$(FOLD))
include $(here)linear.mk
include $(here)finetune.mk
ifdef FOLD
include $(here)benchmark_end.mk
else
folds := $(FOLDS:%=fold-%)
means := $(foreach m,$(pretrained),$(foreach t,linear fine-tuned/fine-tuned,$m/$t)) $(if $(filter supervised,$(methods)),supervised/fine-tuned)
.PHONY: all $(folds)
.NOTPARALLEL:
all: $(folds)
	@for p in $(means); do for s in $(or $(SEEDS),1); do echo "== $$p, seed $$s: mean, and each fold"; \
	    awk -f $(here)mean.awk $(foreach f,$(folds),$(OUT)/$f/seed-$$s/$$p.json) | grep -E '^(top1|top5) '; done; done
$(folds):
	+$(MAKE) --no-print-directory -f $(here)$(experiment).mk FOLD=$(@:fold-%=%) OUT=$(OUT)/$@
endif
