#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The JSON Schemas and the readers of the tools agree on every example in schemas/examples/.

setup_file() {
    export helper=${TEG_BIN:-build}/tests/schema/helper_records
    export examples=schemas/examples
    python3 -c 'import jsonschema' 2>/dev/null || export no_jsonschema="Python's jsonschema is not installed"
}

# Fails with the lines of stdin that do not start with $1.
all_are() {
    local others n
    others=$(tee "$BATS_TEST_TMPDIR/lines" | grep -v "^$1 " || true)
    [ -z "$others" ] || { echo "$others" && return 1; }
    n=$(wc -l <"$BATS_TEST_TMPDIR/lines")
    [ "$n" -gt 15 ] || { echo "only $n examples" && return 1; }
}

# What has a reader in C: all but what evaluations and logs write.
with_reader() {
    find "$examples/$1" -name '*.json' ! -name 'metrics.*' ! -name 'train-log.*' | sort
}

@test "the tools accept every good example" {
    "$helper" $(with_reader good) | all_are ok
}

@test "the tools refuse every bad example" {
    "$helper" $(with_reader bad) | all_are bad
}

@test "the schemas accept every good example" {
    [ -z "${no_jsonschema:-}" ] || skip "$no_jsonschema"
    python3 tests/schema/validate.py "$examples"/good/*.json | all_are ok
}

@test "the schemas refuse every bad example" {
    [ -z "${no_jsonschema:-}" ] || skip "$no_jsonschema"
    python3 tests/schema/validate.py "$examples"/bad/*.json | all_are bad
}

@test "every schema has good and bad examples" {
    local schema kind side
    for schema in schemas/*.schema.json; do
        kind=$(basename "$schema" .schema.json)
        for side in good bad; do
            ls "$examples/$side/$kind".*.json >/dev/null
        done
    done
}
