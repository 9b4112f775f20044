# SPDX-License-Identifier: Apache-2.0
# What an experiment has to know first: that paths are paths and settings have values, whether this is `make -n`, and how what
# an output is made of is kept. Included before the first use of a path.

# Programs read and write numbers with a point, whatever the user's language does: some kinds of awk go by it.
override export LC_ALL := C

dry := $(findstring n,$(filter-out --% %=%,$(firstword $(MAKEFLAGS))))

# Paths go to the shell, into patterns and into targets as they are: what any of these would take for more than a name is
# refused. They are looked at as they were given, for make takes a $ for the beginning of a variable.
given = $(if $(filter command environment,$(origin $1)),$(value $1),$($1))
odd = $(shell printf %s '$(subst ','\'',$1)' | LC_ALL=C tr -d 'A-Za-z0-9\200-\377+./,@~_-')

# $(call want_path,NAME,PATH) refuses a PATH, the value of NAME.
want_path = $(if $(or $(filter-out 1,$(words $2)),$(filter -%,$2),$(call odd,$2)),\
    $(error $1=$2: want a path of letters, digits and - + . / , @ ~ _ that does not begin with - (a link will do)))
# $(call want_paths,NAMES): of variables, those that are set.
want_paths = $(foreach v,$1,$(if $(call given,$v),$(call want_path,$v,$(call given,$v))))
# $(call absolute,NAME): its path from the root, through whatever folder this is.
absolute = $(call want_path,$1,$(abspath $($1)))$(abspath $($1))

# $(call want_values,MAKEFILES): a setting that has a value there may not be given as nothing, which the options of the tools
# would run together over. Where nothing is a value too, brackets at the end of the line say what it means.
valued = $(shell sed -nE '/ [(][^()]*[)]$$/d; s/^([A-Z_]+) *\?= *[A-Za-z0-9$$].*/\1/p' $(wildcard $1))
want_values = $(foreach v,$(call valued,$1),\
    $(if $(and $(filter command environment,$(origin $v)),$(if $(strip $($v)),,none)),$(error $v=: want a value)))

# $(call outside,FOLDER): what has find(1) not go from FOLDER into OUT, by whichever path.
outside = $(if $(shell [ -e $(OUT) ] && echo yes),\( -samefile $(OUT) ! -samefile $1 \) -prune -o)

# $(call keep,FILE,TEXT) rewrites FILE when it does not hold TEXT; `make -n` ($(dry)) only takes it for rewritten.
# (Some versions of make do not always take the last newline off what $(file <) reads.)
changed = $(if $(wildcard $1),$(subst x$2x,,x$(strip $(file <$1))x),new)
write = $(if $(dry),$(eval .PHONY: $1),$(shell mkdir -p $(dir $1))$(file >$1,$2))
keep = $(eval settings.$1 := $$(strip $$2))$(if $(call changed,$1,$(strip $2)),$(call write,$1,$(strip $2)))
