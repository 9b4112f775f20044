# SPDX-License-Identifier: Apache-2.0
# Builds TeG into build/. `make help` lists the targets, `make info` tells what was found on this machine.
MAKEFLAGS += --no-builtin-rules
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
SHELL := bash
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
.PHONY: all tools tests unit debug test gpu-test gpu-check gpu-pack emulate sanitize fuzz-replay check-style format format-check lint
.PHONY: force demo bench info deps install uninstall clean help

# ---- Settings: give them on the command line --------------------------------------------------------

BUILD ?= build##           folder of everything that is built
OPT ?= -O3 -g##            optimisation and debugging flags
EXTRA_CFLAGS ?=##          more flags for the compiler
EXTRA_LDFLAGS ?=##         more flags for the linker
PREFIX ?= /usr/local##     where `make install` puts tools and man pages
DESTDIR ?=##               in front of PREFIX, for packagers
V ?=##                     1: show the whole commands
SUITES ?=##                test suites to run (all): unit ops fuzz schema style cli e2e
TIERS ?= build test##      package lists that `make deps` installs: build test optional
CUDA ?= auto##             1: stop when CUDA is not found, 0: build without it
MPI ?= auto##              0: build without it
CUDA_HOME ?= $(patsubst %/bin/nvcc,%,$(or $(shell command -v nvcc),/usr/local/cuda/bin/nvcc))##  CUDA toolkit
CUDA_ARCHS ?= 80 90 100##  GPU generations to compile for, the last one also as PTX

ifeq ($(origin CC),default)
CC := gcc
endif
NVCC := $(wildcard $(CUDA_HOME)/bin/nvcc)
CLANG_FORMAT := $(notdir $(firstword $(wildcard /usr/bin/clang-format-14) clang-format))

# ---- Libraries --------------------------------------------------------------------------------------
# A library counts as found when a program that includes its header and takes a function's address
# compiles, links and prints the version. Libraries elsewhere: set CPATH, LIBRARY_PATH, LD_LIBRARY_PATH.

#               package          linked with  header                  function                 version
lib.argp     := libc6-dev        -lc          argp.h                  argp_parse               __GLIBC__ __GLIBC_MINOR__
lib.openmp   := gcc              -fopenmp     omp.h                   omp_get_max_threads      _OPENMP
lib.lmdb     := liblmdb-dev      -llmdb       lmdb.h                  mdb_env_create           MDB_VERSION_MAJOR MDB_VERSION_MINOR MDB_VERSION_PATCH
lib.zstd     := libzstd-dev      -lzstd       zstd.h                  ZSTD_compress2           ZSTD_VERSION_MAJOR ZSTD_VERSION_MINOR ZSTD_VERSION_RELEASE
lib.json-c   := libjson-c-dev    -ljson-c     json-c/json.h           json_tokener_parse_ex    JSON_C_MAJOR_VERSION JSON_C_MINOR_VERSION JSON_C_MICRO_VERSION
lib.csv      := libcsv-dev       -lcsv        csv.h                   csv_parse                CSV_MAJOR CSV_MINOR CSV_RELEASE
lib.png      := libpng-dev       -lpng        png.h                   png_create_write_struct  PNG_LIBPNG_VER_MAJOR PNG_LIBPNG_VER_MINOR PNG_LIBPNG_VER_RELEASE
lib.xxhash   := libxxhash-dev    -lxxhash     xxhash.h                XXH3_128bits             XXH_VERSION_MAJOR XXH_VERSION_MINOR XXH_VERSION_RELEASE
lib.onednn   := libdnnl-dev      -ldnnl       oneapi/dnnl/dnnl.h      dnnl_engine_create       DNNL_VERSION_MAJOR DNNL_VERSION_MINOR DNNL_VERSION_PATCH
lib.avformat := libavformat-dev  -lavformat   libavformat/avformat.h  avformat_open_input      LIBAVFORMAT_VERSION_MAJOR LIBAVFORMAT_VERSION_MINOR LIBAVFORMAT_VERSION_MICRO
lib.avcodec  := libavcodec-dev   -lavcodec    libavcodec/avcodec.h    avcodec_send_packet      LIBAVCODEC_VERSION_MAJOR LIBAVCODEC_VERSION_MINOR LIBAVCODEC_VERSION_MICRO
lib.swscale  := libswscale-dev   -lswscale    libswscale/swscale.h    sws_scale                LIBSWSCALE_VERSION_MAJOR LIBSWSCALE_VERSION_MINOR LIBSWSCALE_VERSION_MICRO
lib.avutil   := libavutil-dev    -lavutil     libavutil/frame.h       av_frame_alloc           LIBAVUTIL_VERSION_MAJOR LIBAVUTIL_VERSION_MINOR LIBAVUTIL_VERSION_MICRO
lib.cmocka   := libcmocka-dev    -lcmocka     stdarg.h,stddef.h,stdint.h,setjmp.h,cmocka.h     _cmocka_run_group_tests
lib.cudart   := CUDA-toolkit     -Wl,-lcudart_static,-ldl,-lrt,-lpthread  cuda_runtime_api.h  cudaMalloc  CUDART_VERSION/1000 CUDART_VERSION%1000/10
lib.cublaslt := CUDA-toolkit     -lcublasLt   cublasLt.h              cublasLtMatmul           CUBLAS_VER_MAJOR CUBLAS_VER_MINOR CUBLAS_VER_PATCH
lib.cudnn    := cuDNN-9          -lcudnn      cudnn.h                 cudnnBackendExecute      CUDNN_MAJOR CUDNN_MINOR CUDNN_PATCHLEVEL
lib.mpi      := libopenmpi-dev   -lmpi        mpi.h                   MPI_Init_thread          MPI_VERSION MPI_SUBVERSION
lib.nccl     := NCCL             -lnccl       nccl.h                  ncclAllReduce            NCCL_MAJOR NCCL_MINOR NCCL_PATCH

required := argp openmp lmdb zstd json-c csv png xxhash onednn avformat avcodec swscale avutil
cuda_libs := cudart cublaslt cudnn
optional := cmocka mpi $(cuda_libs) nccl
without.cmocka := no unit tests
without.mpi := training by one process only
without.nccl := training on one GPU only
$(foreach l,$(cuda_libs) nvcc,$(eval without.$l := no GPU))

# What Debian and Ubuntu call it all. `make demo` needs the first list, `make test` the second too.
packages_build := gcc $(foreach l,$(filter-out openmp,$(required)),$(firstword $(lib.$l)))
packages_test := libcmocka-dev bats mandoc lmdb-utils zstd jq
packages_demo := gnuplot-nox
packages_optional := libopenmpi-dev openmpi-bin clang-format shellcheck ffmpeg python3 $(packages_demo)

# ---- Probes -----------------------------------------------------------------------------------------

goals := $(or $(MAKECMDGOALS),all)
bare_goals := help clean deps uninstall format format-check lint
test_goals := test tests unit gpu-test gpu-check gpu-pack emulate sanitize fuzz-replay check-style
probes := $(BUILD)/probes

comma := ,
package = $(word 1,$(lib.$1))
link = $(word 2,$(lib.$1))
headers = $(subst $(comma), ,$(word 3,$(lib.$1)))
function = $(word 4,$(lib.$1))
version = $(wordlist 5,9,$(lib.$1))
print_version = printf("$(or $(subst $() ,.,$(foreach v,$(version),%d)),found)"$(foreach v,$(version),$(comma) $v))

# $(call stamp,FILE,TEXT): FILE holds TEXT, and what depends on it is out of date when TEXT changes.
# (Some versions of make do not always take the last newline off what $(file <) reads.)
define stamp
stamps += $1
$1: private text := $(strip $2)
$1: $(if $(subst x$(strip $2)x,,x$(strip $(file <$1))x),force)
endef

# $(call install,PACKAGES) installs as root or by sudo, or says what to run.
define install
	@as=; [ "$$(id -u)" = 0 ] || as=sudo; line="apt-get install -y --no-install-recommends $1"; \
	 if command -v apt-get >/dev/null && command -v $${as:-env} >/dev/null && $$as apt-get update -q && \
	    $$as env DEBIAN_FRONTEND=noninteractive $$line; then exit 0; fi; \
	 echo "make: missing: $1" >&2; echo "make: run as root: apt-get update && $$line" >&2; exit 1
endef

ifneq ($(filter-out $(bare_goals),$(goals)),)
flags.cuda := -isystem $(CUDA_HOME)/include
ldflags.cuda := -L$(CUDA_HOME)/lib64 -Wl,-rpath,$(CUDA_HOME)/lib64
$(foreach l,$(cuda_libs) nccl,$(eval flags.$l := $(flags.cuda))$(eval ldflags.$l := $(ldflags.cuda)))
mpi_show := $(shell mpicc -show 2>/dev/null)
flags.mpi := $(patsubst -I%,-isystem %,$(filter -I%,$(mpi_show)))
ldflags.mpi := $(filter -L% -Wl$(comma)%,$(mpi_show))

wanted := $(required) $(if $(filter $(test_goals),$(goals)),cmocka)
wanted_programs := $(CC) $(if $(filter $(test_goals),$(goals)),bats mandoc jq)
results := $(patsubst %,$(probes)/%.mk,$(required) $(optional))

$(eval $(call stamp,$(probes)/settings,$(CC) $(EXTRA_CFLAGS) $(EXTRA_LDFLAGS) $(CUDA_HOME) $(mpi_show) $(CPATH) $(LIBRARY_PATH)))

$(results): $(probes)/%.mk: Makefile $(probes)/settings
	@{ printf '#include <%s>\n' stdio.h $(call headers,$*); \
	   echo '__typeof__(&$(call function,$*)) used = $(call function,$*);'; \
	   echo 'int main(void) { $(call print_version,$*); return !used; }'; } >$(@:mk=c)
	@$(CC) $(EXTRA_CFLAGS) $(flags.$*) $(@:mk=c) -o $(@:.mk=) $(ldflags.$*) $(EXTRA_LDFLAGS) \
	     $(call link,$*) >$(@:mk=log) 2>&1 && v=$$($(@:.mk=) 2>&1); \
	 printf 'have.%s := %s\n' $* "$$v" >$@

# Make remakes the results, reads everything again, and comes here with MAKE_RESTARTS set.
-include $(results)
ifeq ($(MAKE_RESTARTS),)
unknown := $(foreach l,$(if $(filter info,$(goals)),$(required) $(optional),$(wanted)),$(if $(have.$l),,$l))
$(if $(unknown),$(shell rm -f $(unknown:%=$(probes)/%.mk)))
$(shell rm -f $(probes)/installed.mk)
endif

ifeq ($(words $(wildcard $(results))),$(words $(results)))
missing := $(sort $(foreach l,$(wanted),$(if $(have.$l),,$(call package,$l))) \
                  $(foreach p,$(wanted_programs),$(if $(shell command -v $p),,$p)))
ifneq ($(if $(filter info,$(goals)),,$(missing)),)
ifeq ($(filter test demo,$(goals))$(wildcard $(probes)/installed.mk),)
$(error missing: $(missing); run as root: apt-get install -y --no-install-recommends $(missing))
endif
ifneq ($(wildcard $(probes)/installed.mk),)
$(error still missing after the installation: $(missing); see $(probes)/*.log)
endif
include $(probes)/installed.mk
$(probes)/installed.mk:
	$(call install,$(missing) $(foreach g,test demo,$(if $(filter $g,$(goals)),$(packages_$g))))
	@rm -f $(results)
	@touch $@
else ifeq ($(CUDA)$(and $(NVCC),$(have.cudart),$(have.cublaslt),$(have.cudnn)),1)
$(error CUDA=1, but the CUDA toolkit (nvcc, cudart, cuBLASLt) or cuDNN 9 was not found: see `make info`, set CUDA_HOME, CPATH, LIBRARY_PATH)
endif
endif
endif

# ---- Flags ------------------------------------------------------------------------------------------

has_cuda := $(and $(NVCC),$(shell command -v g++),$(have.cudart),$(have.cublaslt),$(have.cudnn))
with_cuda := $(if $(filter-out 0,$(CUDA)),$(if $(has_cuda),$(if $(wildcard kernels/cuda/*.cu),1)))
with_mpi := $(if $(filter-out 0,$(MPI)),$(if $(have.mpi),1))
with_nccl := $(if $(and $(with_cuda),$(with_mpi),$(have.nccl)),1)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wundef -Wno-psabi -Wno-format-truncation
CPPFLAGS := -I. -D_GNU_SOURCE -include common/base/banned.h \
    -DTEG_CUDA=$(or $(with_cuda),0) -DTEG_MPI=$(or $(with_mpi),0) -DTEG_NCCL=$(or $(with_nccl),0) \
    $(if $(with_cuda),$(flags.cuda)) $(if $(with_mpi),$(flags.mpi))
CFLAGS := -std=c11 $(OPT) -ffp-contract=off -fno-math-errno $(WARNINGS) $(EXTRA_CFLAGS)
LDFLAGS := -Wl,--as-needed -fopenmp $(if $(with_cuda),$(ldflags.cuda)) $(if $(with_mpi),$(ldflags.mpi)) $(EXTRA_LDFLAGS)
# cuDNN, cuBLASLt and NCCL are loaded when a GPU is opened: what is built here runs where they are absent.
LDLIBS := $(foreach l,$(required) $(if $(with_cuda),cudart) $(if $(with_mpi),mpi),$(call link,$l)) \
    $(if $(with_cuda),-lstdc++) -lm -lpthread -ldl
GENCODE := $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$a,code=sm_$a) \
    -gencode arch=compute_$(lastword $(CUDA_ARCHS)),code=compute_$(lastword $(CUDA_ARCHS))
NVCCFLAGS := -O3 -std=c++17 --fmad=false -lineinfo -I. $(GENCODE) -Xcompiler -fno-exceptions,-fno-rtti,-Wall

# ---- Sources: every .c of a room, found by wildcard -------------------------------------------------

rooms := $(addprefix common/,base store video datasets sampling nn eval) kernels kernels/cpu
cuda_src := $(if $(with_cuda),$(wildcard kernels/cuda/*.c kernels/cuda/*.cu))
lib_src := $(wildcard $(rooms:%=%/*.c)) $(cuda_src)
tools := $(patsubst tools/%.c,%,$(wildcard tools/*.c))
# In tests/, test_x.c fuzz_x.c bench_x.c are programs, helper_x.c programs that tests call; the other
# files there are shared by them all.
test_src := $(wildcard tests/unit/test_*.c tests/ops/test_*.c tests/fuzz/fuzz_*.c tests/*/helper_*.c)
bench_src := $(wildcard tests/bench/bench_*.c)
emulator_src := $(wildcard tests/emulator/*.c)
support_src := $(filter-out $(test_src) $(bench_src) $(emulator_src),$(wildcard tests/*/*.c))

object = $(patsubst %.c,$(BUILD)/%.o,$(patsubst %.cu,$(BUILD)/%.cu.o,$1))
test_bin := $(test_src:%.c=$(BUILD)/%)
bench_bin := $(bench_src:%.c=$(BUILD)/%)
helper_bin := $(foreach t,$(test_bin),$(if $(filter helper_%,$(notdir $t)),$t))

ifneq ($(filter-out $(bare_goals),$(goals)),)
$(eval $(call stamp,$(BUILD)/flags,$(CC) $(CPPFLAGS) $(CFLAGS)))
$(eval $(call stamp,$(BUILD)/flags.cuda,$(NVCC) $(NVCCFLAGS)))
$(eval $(call stamp,$(BUILD)/flags.link,$(CC) $(LDFLAGS) $(LDLIBS)))
$(eval $(call stamp,$(BUILD)/libteg.list,$(lib_src)))
$(eval $(call stamp,$(BUILD)/libtest.list,$(support_src)))
endif

$(stamps):
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(text))' >$@
force:

# ---- Building ---------------------------------------------------------------------------------------

say = $(if $(V),,@printf '  %-5s %s\n' $1 $2;)

all: tools ## everything a user needs, into build/ (the default)

tools: $(tools:%=$(BUILD)/%)

tests: unit ## the test programs, not run
unit: $(test_bin)

debug: ## the tools without optimisation, into build/debug/
	$(MAKE) BUILD=$(BUILD)/debug OPT='-Og -g3' tools

# OpenMP stays inside the kernels and the network.
$(BUILD)/kernels/%.o $(BUILD)/common/nn/%.o: CFLAGS += -fopenmp

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/%.cu.o: %.cu $(BUILD)/flags.cuda
	@mkdir -p $(@D)
	$(call say,NVCC,$<)$(NVCC) $(NVCCFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(BUILD)/libteg.a: $(call object,$(lib_src)) $(BUILD)/libteg.list
	@rm -f $@
	@ar rcs $@ $(filter %.o,$^)

$(BUILD)/libtest.a: $(call object,$(support_src)) $(BUILD)/libtest.list
	@rm -f $@
	@ar rcs $@ $(filter %.o,$^)

$(BUILD)/teg-%: $(BUILD)/tools/teg-%.o $(BUILD)/libteg.a $(BUILD)/flags.link
	$(call say,LINK,$@)$(CC) $(LDFLAGS) $(filter %.o %.a,$^) $(LDLIBS) -o $@

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/libtest.a $(BUILD)/libteg.a $(BUILD)/flags.link
	$(call say,LINK,$@)$(CC) $(LDFLAGS) $(filter %.o %.a,$^) $(if $(have.cmocka),-lcmocka) $(LDLIBS) -o $@

.SECONDARY:
-include $(patsubst %.o,%.d,$(call object,$(lib_src) $(wildcard tools/*.c) $(test_src) $(bench_src) $(support_src)))

# ---- Testing ----------------------------------------------------------------------------------------

test: tools $(test_bin) ## builds and runs all tests; installs what they need
	tests/run --build $(BUILD) $(SUITES)

# Tests that name the device; each says why where there is none.
gpu_tests := $(filter $(shell grep -l ON_EVERY_DEVICE tests/ops/*.c tests/unit/*.c),$(test_src))

gpu-test: tools $(gpu_tests:%.c=$(BUILD)/%) $(helper_bin) ## the tests that run on a GPU too
	tests/gpu/run $(BUILD) tests

gpu-check: $(gpu_tests:%.c=$(BUILD)/%) ## the operations under NVIDIA's compute-sanitizer: accesses, races, barriers
	tests/gpu/run $(BUILD) check

gpu-pack: $(tools:%=$(BUILD)/%) $(gpu_tests:%.c=$(BUILD)/%) $(bench_bin) $(helper_bin) ## packs these and the tools for a machine that cannot build
	tests/gpu/pack $(BUILD) $^

# The same without a GPU: kernels as C++ on the processor, stand-ins for the runtime and the libraries.
emulated := $(BUILD)/emulated
major = $(firstword $(subst ., ,$(have.$1)))
emulated_kernels := $(if $(with_cuda),$(patsubst %.cu,$(emulated)/%.o,$(wildcard kernels/cuda/*.cu)) $(emulated)/tests/emulator/emulator.o)
emulated_libs := $(if $(with_cuda),$(emulated)/libcudnn.so.$(call major,cudnn) $(emulated)/libcublasLt.so.$(call major,cublaslt)) \
    $(if $(with_nccl),$(emulated)/libnccl.so.$(call major,nccl))
emulated_runtime := $(BUILD)/tests/emulator/emulated_runtime.o $(BUILD)/tests/emulator/emulated_stream.o
emulated_tests := $(if $(with_cuda),$(filter-out %/test_backbone,$(gpu_tests:%.c=$(emulated)/%)))
emulated_helpers := $(if $(with_nccl),$(emulated)/tests/unit/helper_processes)
EMULATED_CXXFLAGS = -std=c++17 -O2 -g -ffp-contract=off -Wall -I. -Itests/emulator/include $(flags.cuda) $(EXTRA_CFLAGS)

# Tools whose GPU is the processor; the others beside them are the usual ones.
emulated_tools := $(if $(with_cuda),$(emulated)/teg-train $(emulated)/teg-extract)
emulated_links := $(filter-out $(emulated_tools),$(tools:%=$(emulated)/%))

emulate: $(emulated_tests) $(emulated_helpers) $(emulated_libs) $(emulated_tools) $(emulated_links) ## the tests of kernels for GPUs, run on the processor
	@[ "$(with_cuda)" ] || { echo 'make: the emulator needs the CUDA toolkit, see `make info`' >&2; exit 1; }
	@tests/emulator/run $(emulated) $(emulated_tests)

$(emulated_links): $(emulated)/%: $(BUILD)/%
	@mkdir -p $(@D)
	@ln -sfn ../$(@F) $@

$(emulated)/%.o: %.cu $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CXX,$<)g++ $(EMULATED_CXXFLAGS) -include tests/emulator/emulator.h -MMD -MP -x c++ -c $< -o $@

$(emulated)/%.o: %.cpp $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CXX,$<)g++ $(EMULATED_CXXFLAGS) -MMD -MP -c $< -o $@

$(emulated)/libcudnn.so.%: tests/emulator/emulated_dnn.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -shared $< -o $@

$(emulated)/libcublasLt.so.%: tests/emulator/emulated_blas.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -shared $< -o $@

$(emulated)/libnccl.so.%: tests/emulator/emulated_nccl.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -shared $< $(ldflags.mpi) $(call link,mpi) -o $@

$(emulated)/tests/%: $(BUILD)/tests/%.o $(emulated_kernels) $(emulated_runtime) $(BUILD)/libtest.a $(BUILD)/libteg.a $(BUILD)/flags.link
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) -rdynamic -Wl,-rpath,$(abspath $(emulated)) $(LDFLAGS) $(filter %.o %.a,$^) -lcmocka $(LDLIBS) -lstdc++ -o $@

$(emulated)/teg-%: $(BUILD)/tools/teg-%.o $(emulated_kernels) $(emulated_runtime) $(BUILD)/libteg.a $(BUILD)/flags.link
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) -rdynamic -Wl,-rpath,$(abspath $(emulated)) $(LDFLAGS) $(filter %.o %.a,$^) $(LDLIBS) -lstdc++ -o $@

-include $(emulated_kernels:.o=.d)

sanitized := BUILD=$(BUILD)/asan CUDA=0 OPT='-O1 -g' \
    EXTRA_CFLAGS='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' \
    EXTRA_LDFLAGS='-fsanitize=address,undefined'

sanitize: ## unit, operation, fuzz and CLI tests under ASan and UBSan
	$(MAKE) $(sanitized) tools tests
	tests/run --build $(BUILD)/asan $(or $(SUITES),unit ops fuzz cli)

fuzz-replay: tools $(test_bin) ## every parser on its corpus of good and bad inputs
	tests/run --build $(BUILD) fuzz

check-style: tools ## the rules of the source tree: sizes, includes, names, man pages
	tests/run --build $(BUILD) style

style_files = $(shell find $(wildcard common kernels tools tests) -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh')

format: ## formats all C sources
	@$(CLANG_FORMAT) -i $(style_files)

format-check: ## fails when a C source is not formatted
	@$(CLANG_FORMAT) --dry-run -Werror $(style_files)

lint: ## cppcheck on the C sources, shellcheck on the scripts, where installed
	@! command -v cppcheck >/dev/null || cppcheck -q --std=c11 -I. --enable=warning \
	    --inline-suppr common kernels/cpu tools
	@! command -v shellcheck >/dev/null || shellcheck -x tests/run .ci/run tests/gpu/* tests/tap.sh tests/emulator/run tests/bench/run $$(find tests pipelines -name '*.sh')

bench: tools $(bench_bin) $(helper_bin) ## speeds and ratios against peers and limits
	tests/bench/run --build $(BUILD)

# ---- Using ------------------------------------------------------------------------------------------

demo: tools ## the whole pipeline on generated videos; installs what it needs
	$(MAKE) -f pipelines/demo.mk BIN=$(abspath $(BUILD))

have.nvcc := $(if $(filter info,$(goals)),$(if $(NVCC),$(shell $(NVCC) --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')))
found = $(or $(have.$1),missing ($(or $(call package,$1),CUDA-toolkit))$(if $(without.$1),: $(without.$1)))

info: ## what was found on this machine and what is missing
	@printf '%-12s %s\n' $(CC) "$$($(CC) -dumpfullversion 2>/dev/null || echo missing)" \
	    $(foreach l,$(required) $(optional) nvcc,$l '$(call found,$l)')

deps: ## installs the packages of TIERS with apt-get
	$(call install,$(foreach t,$(TIERS),$(packages_$t)))

man_pages := $(patsubst tools/%,%,$(wildcard $(tools:%=tools/%.1)))

install: tools ## tools and man pages below PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install $(tools:%=$(BUILD)/%) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(man_pages:%=tools/%) $(DESTDIR)$(PREFIX)/share/man/man1

uninstall: ## removes what `make install` put there
	rm -f $(tools:%=$(DESTDIR)$(PREFIX)/bin/%) $(man_pages:%=$(DESTDIR)$(PREFIX)/share/man/man1/%)

clean: ## removes build/
	rm -rf $(BUILD)

help: ## this list
	@echo 'targets:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 18
	@echo 'settings, as in `make PREFIX=/opt/teg install`:'
	@sed -n 's/^\([A-Z_]*\) ?=.*## *\(.*\)/  \1\t\2/p' Makefile | expand -t 18
