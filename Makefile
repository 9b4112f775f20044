# SPDX-License-Identifier: Apache-2.0
# Builds TeG into build/. `make help` lists the targets.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

BUILD ?= build
CC = gcc
OPT ?= -O3 -g
PREFIX ?= /usr/local

PACKAGES := liblmdb libzstd json-c libpng libxxhash
VIDEO_PACKAGES := libavformat libavcodec libswscale libavutil
lmdb_fallback := -llmdb

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wundef
CPPFLAGS := -I. -D_GNU_SOURCE -include common/base/banned.h $(shell pkg-config --cflags json-c libpng)
CFLAGS := -std=c11 $(OPT) -ffp-contract=off -fno-math-errno -fopenmp $(WARNINGS) $(EXTRA_CFLAGS)
LDLIBS := -llmdb -lzstd -ljson-c -lcsv -lpng -lxxhash -ldnnl -lm -lpthread
VIDEO_LDLIBS := -lavformat -lavcodec -lswscale -lavutil
LDFLAGS := -fopenmp $(EXTRA_LDFLAGS)

# Tools that open video files; all others link without FFmpeg.
VIDEO_TOOLS := teg-index teg-decode teg-synth

rooms := common/base common/store common/video common/datasets common/sampling common/nn common/eval \
         kernels kernels/cpu
lib_src := $(foreach d,$(rooms),$(wildcard $(d)/*.c))
lib_obj := $(lib_src:%.c=$(BUILD)/%.o)
tool_src := $(wildcard tools/*.c)
tools := $(tool_src:tools/%.c=%)
unit_src := $(wildcard tests/unit/*.c) $(wildcard tests/ops/*.c)
unit_bin := $(unit_src:%.c=$(BUILD)/%)

.PHONY: all tools unit clean
all: tools
tools: $(tools:%=$(BUILD)/%)
unit: $(unit_bin)

$(BUILD)/libteg.a: $(lib_obj)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/teg-%: $(BUILD)/tools/teg-%.o $(BUILD)/libteg.a
	$(CC) $(LDFLAGS) $^ $(if $(filter $(@F),$(VIDEO_TOOLS)),$(VIDEO_LDLIBS)) $(LDLIBS) -o $@

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/libteg.a
	$(CC) $(LDFLAGS) $^ -lcmocka $(VIDEO_LDLIBS) $(LDLIBS) -o $@

clean:
	rm -rf $(BUILD)

-include $(lib_obj:.o=.d) $(tool_src:%.c=$(BUILD)/%.d) $(unit_bin:%=%.d)
