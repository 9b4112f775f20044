# SPDX-License-Identifier: Apache-2.0
# Fine-tuning on the classes of videos (RECIPE section 4): end to end from each pre-trained model, and `supervised` the same
# network from new weights with the settings that suit those (teg-train(1)); the test over TEST_CLIPS clips with TEST_CROPS crops each. Included behind benchmark.mk (and linear.mk).
#
#   test            name of the split for the test
#   base_lr         learning rate of a batch of 1024
#   augment         more options for the clips of the training

TUNE_EPOCHS ?= $(call preset,50,4)##       of the fine-tuning
TEST_CLIPS ?= $(call preset,10,2)##        clips of a test video
TEST_CROPS ?= $(call preset,3,1)##         crops of each

labelled := labelled
options.draw.labelled = --strategy single --clip 32x2 --labels class --split train --epochs $(TUNE_EPOCHS) $(augment)
options.plan.test = --strategy uniform --clip 32x2 --clips $(TEST_CLIPS) --crops $(TEST_CROPS) --augment test --split $(test)

$(foreach m,$(pretrained),$(eval tunings.$m := fine-tuned))
options.model.fine-tuned = $(tuning) $(call rate,--base-lr $(base_lr)) --task classify
options.model.supervised = $(tuning) $(call rate) --task supervised
plans.fine-tuned := test
plans.supervised := test
probes.fine-tuned := fine-tuned
probes.supervised := fine-tuned
clips.fine-tuned := test
options.probe.fine-tuned = --labels class --method logits $(unseen)
