#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# pipelines/mean.awk and table.awk on metrics of three splits.

bats_require_minimum_version 1.5.0

setup() {
    mean=$(realpath "$BATS_TEST_DIRNAME/../../pipelines/mean.awk")
    cd "$BATS_TEST_TMPDIR" || return
    local k
    for k in 1 2 3; do
        printf '{\n  "tool": "teg-probe",\n  "top1": 0.%d,\n  "top5": 1.0,\n  "n": %d,\n  "x": 1e-0%d,\n' $k $k $k
        printf '  "train": {\n    "loss": 0.5\n  },\n  "within": -0.5\n}\n'
    done >all
    split -l 11 -d all split
}

@test "the mean and the number of each split" {
    run --separate-stderr awk -f "$mean" split00 split01 split02
    [ "$status" = 0 ]
    diff - <(echo "$output") <<'END'
top1                    0.200000   0.100000  0.200000  0.300000
top5                    1.000000   1.000000  1.000000  1.000000
x                       0.037000   0.100000  0.010000  0.001000
within                 -0.500000  -0.500000 -0.500000 -0.500000
END
}

@test "the metrics that the tools write" {
    examples=$BATS_TEST_DIRNAME/../../schemas/examples/good
    run --separate-stderr awk -f "$mean" "$examples/metrics.probe.json" "$examples/metrics.probe.json"
    [ "$status" = 0 ]
    [[ "${lines[0]}" == "top1                    0.666667   0.666667  0.666667" ]]
    [[ "$output" == *"mean_class_accuracy "* && "$output" != *loss* ]]
}

@test "a number that a file lacks is left out; files that do not belong together are refused" {
    sed -i '/"x"/d' split01
    run --separate-stderr awk -f "$mean" split00 split01
    [ "$status" = 0 ]
    [[ "$output" != *"x "* ]]
    sed -i 's/teg-probe/teg-ava-eval/' split01
    run --separate-stderr awk -f "$mean" split00 split01
    [ "$status" = 1 ]
    [ "$stderr" = "mean.awk: split01: no metrics of the same tool as split00" ]
    echo '[]' >none
    run --separate-stderr awk -f "$mean" none
    [ "$status" = 1 ]
    [ "$stderr" = "mean.awk: none: no metrics" ]
    : >empty
    run --separate-stderr awk -f "$mean" split00 empty
    [ "$status" = 1 ]
    [ "$stderr" = "mean.awk: a file is empty" ]
    printf '{\n  "tool": "teg-probe"\n}\n' >none
    run --separate-stderr awk -f "$mean" none
    [ "$status" = 1 ]
    [ "$stderr" = "mean.awk: no number that every file has" ]
}

@test "the table: the mean over the splits, mean and deviation over the seeds, the paper's number" {
    local seed k
    for seed in 1 2; do
        for k in 1 2 3; do
            mkdir -p "fold-$k/seed-$seed/teg-ps"
            printf '{\n  "top1": 0.%d,\n  "chance": 0.%d,\n  "within_video_cosine": 0.%d\n}\n' $((seed * k)) $k $k \
                >"fold-$k/seed-$seed/teg-ps/linear.json"
        done
    done
    run --separate-stderr awk -v experiment=ucf101 -v paper="${mean%/*}/paper.tsv" -f "${mean%/*}/table.awk" fold-*/seed-*/*/*.json
    [ "$status" = 0 ]
    diff - <(xargs <<<"$output") <<'END'
linear % (paper) cosine TeG-PS 30.0 +- 14.1 (91.1) 0.200 +- 0.000 chance 20.0
END
    run --separate-stderr awk -v experiment=ucf101 -v paper="${mean%/*}/paper.tsv" -f "${mean%/*}/table.awk" fold-*/seed-1/*/*.json
    diff - <(xargs <<<"$output") <<'END'
linear % (paper) cosine TeG-PS 20.0 (91.1) 0.200 chance 20.0
END
}

# gaps DIVISION SEED PROBE MISSING BAD: metrics of TeG-PS.
gaps() {
    mkdir -p "$1/seed-$2/teg-ps"
    printf '{\n  "top1": 0.5,\n  "n_missing": %d,\n  "n_bad": %d\n}\n' "$4" "$5" >"$1/seed-$2/teg-ps/$3.json"
}

@test "the table: videos that lack are counted once, whatever the number of seeds; for each division where it differs" {
    local seed
    for seed in 1 2; do
        gaps fold-1 $seed linear 1 2
        gaps fold-2 $seed linear 1 2
        gaps fold-1 $seed tuned 0 0
        gaps fold-2 $seed tuned 2 0
    done
    run --separate-stderr awk -f "${mean%/*}/table.awk" fold-1/seed-*/*/*.json
    [ "$status" = 0 ]
    [ "$(grep without <<<"$output")" = "without 3 that are missing or bad: TeG-PS, linear" ]
    run --separate-stderr awk -f "${mean%/*}/table.awk" fold-*/seed-*/*/*.json
    [ "$(grep without <<<"$output")" = "without 3 that are missing or bad: TeG-PS, linear
without 0, 2 that are missing or bad, by division: TeG-PS, tuned" ]
    sed 's/top1/mAP/' fold-1/seed-1/teg-ps/linear.json >fold-1/seed-1/teg-ps/ava.json
    run --separate-stderr awk -f "${mean%/*}/table.awk" fold-1/seed-1/teg-ps/ava.json
    [ "$(tail -n 1 <<<"$output")" = "without 3 of which nothing is predicted: TeG-PS, ava" ]
}

@test "a locale with decimal commas: the same numbers, or it is said" {
    local script expected
    localedef -i de_DE -f UTF-8 "$BATS_TEST_TMPDIR/de_DE.UTF-8" || skip "there is no localedef, or it does not know de_DE"
    gaps . 1 linear 0 0
    for script in mean table; do
        expected=$(awk -f "${mean%/*}/$script.awk" seed-1/teg-ps/linear.json 2>&1 || true)
        run --separate-stderr env LOCPATH="$BATS_TEST_TMPDIR" LC_ALL=de_DE.UTF-8 awk -f "${mean%/*}/$script.awk" \
            seed-1/teg-ps/linear.json
        [ "$output$stderr" = "$expected" ] || {
            [ "$status" = 1 ]
            [ "$output" = "" ]
            [ "$stderr" = "$script.awk: numbers have a decimal comma in this locale: set LC_ALL=C" ]
        }
    done
}
