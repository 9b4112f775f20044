#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# pipelines/pkl2json.py: pickles of data sets become JSON, and nothing of what is in them is run.

bats_require_minimum_version 1.5.0
load support

setup() {
    need_program python3
    cd "$BATS_TEST_TMPDIR" || return
    TREE=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    SHARED=$(cd "$TREE" && realpath -m "$SHARED")
    script=$TREE/pipelines/pkl2json.py
    pickles=$TREE/tests/cli/pickles.py
}

@test "plain values, arrays and scalars of NumPy, fairseq's dictionary, protocols 2 to 5" {
    run python3 "$pickles" good "$script"
    [[ $status == 0 && ${output% pickles} -gt 100 ]] || { echo "$output" && return 1; }
}

@test "everything else is refused, and nothing of it runs" {
    run python3 "$pickles" bad "$script" "$PWD/marker"
    [[ $status == 0 && ${output% pickles} -gt 70 ]] || { echo "$output" && return 1; }
}

# refused NAME WHY: in one line, and nothing is left behind.
refused() {
    python3 "$pickles" write . "$1"
    run --separate-stderr "$script" "$1.pkl" -o out.json
    [[ $status == 1 && -z $output && $stderr == "pkl2json.py: error: $1.pkl: $2"* && ${#stderr_lines[@]} == 1 ]] || {
        echo "$status: $stderr"
        return 1
    }
    [ "$(echo out.json* marker*)" = "out.json* marker*" ]
}

@test "what was refused is named" {
    refused system.2 "posix.system is not allowed"
    refused eval.2 "__builtin__.eval is not allowed"
    refused eval.4 "builtins.eval is not allowed"
    refused dotted "numpy.dtype.__init__.__globals__ is not allowed"
    refused inst "the opcode STRING at byte 3 is not allowed"
    refused zero "not a pickle of protocol 2 to 5"
    refused bytes.4 "a value of type bytes at ['a'][0]"
    refused huge_bytes8 "damaged: "
    refused bomb "the same values over and over"
    refused dates "an array of type 'M8'"
}

@test "wrong usage, files that are not there, outputs that cannot be made" {
    run "$script"
    [ "$status" = 2 ]
    run "$script" none.pkl -o out.json
    [[ $status == 1 && $output == *"No such file or directory: 'none.pkl'" ]]
    python3 "$pickles" write . python2
    run "$script" python2.pkl -o none/out.json
    [[ $status == 1 && $output == "pkl2json.py: error: "*"none/out.json"* ]]
    "$script" python2.pkl -o out.json
    [ "$(cat out.json)" = '["a\u00e9b", "xy", 1]' ]
    [ "$("$script" python2.pkl -o /dev/stdout)" = "$(cat out.json)" ]
    echo mine >out.json.tmp
    "$script" python2.pkl -o out.json
    [[ $(echo out.json*) == "out.json out.json.tmp" && $(cat out.json.tmp) == mine ]]
    "$script" --help | grep -q 'runs nothing of what is in them'
}

@test "the official pickles" {
    need_shared golden
    python3 "$pickles" golden "$script" "$SHARED/golden"
}

@test "real files" {
    need_shared fixtures
    "$script" "$SHARED/fixtures/vidsitu/verb_id_vocab.pkl" -o vocabulary.json
    "$script" "$SHARED/fixtures/ava/ava_proposals_sample.pkl" -o proposals.json
    python3 -c '
import json
words, boxes = json.load(open("vocabulary.json")), json.load(open("proposals.json"))
assert len(words["symbols"]) == len(words["indices"]) == 1560 and words["symbols"][4] == "speak.01"
assert all(words["symbols"][i] == word for word, i in words["indices"].items())
assert all(len(box) == 5 for rows in boxes.values() for box in rows) and "0f39OWEqJ24,0902" in boxes'
}
