# SPDX-License-Identifier: Apache-2.0
# Fig. 5 and 6: how alike the moments of one video are. The five events of each validation video of VidSitu, 2 s each, by the
# cosine of their features, for every method: seed-S/METHOD/linear-similarity.png shows the mean over all videos and six of
# them; the table has the mean beside the accuracy.
#
#     make -f pipelines/similarity.mk VIDEOS=DIR ANNOTATIONS=vidsitu_annotations PRETRAINED=runs/vidsitu OUT=DIR
#     make -f pipelines/similarity.mk PRESET=smoke
#
# PRETRAINED is the folder of a run of vidsitu.mk; without it the models are trained first. Every setting of benchmark.mk can
# be given too.

experiment := vidsitu
OUT ?= runs/similarity
OBJECTIVE ?= teg-ps teg-fg cvrl
here := $(dir $(lastword $(MAKEFILE_LIST)))
include $(here)benchmark.mk

include $(here)linear_events.mk
pictures.linear := similarity

include $(here)benchmark_end.mk
