# SPDX-License-Identifier: Apache-2.0
# The stages and the table of a benchmark; see benchmark.mk.

curved ?= $(if $(PRETRAINED),,$(pretrained))
include $(here)common.mk
include $(here)report.mk
ifdef generated
include $(here)world.mk
endif
