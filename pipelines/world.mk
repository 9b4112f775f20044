# SPDX-License-Identifier: Apache-2.0
# Generated videos with their annotations, teg-synth(1), in OUT/world: $(world)/done stands for all of them. A folder of
# that name which is not ours loses nothing. Included behind common.mk, which `world` is set before.
#
#   options.world   options of teg-synth

$(call keep,$(OUT)/world.settings,$(options.world))

$(world)/options: $(OUT)/world.settings
	[ ! -e $(world)/settings.json ] || rm -rf $(addprefix $(world)/,settings.json annotations.jsonl annotations videos done)
	mkdir -p $(world)
	cp $< $@

$(world)/done: $(world)/options | $(BIN)/teg-synth
	$(call run,synth) $(options.world) -o $(world)
	touch $@
