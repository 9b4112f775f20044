#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The pipelines: from nothing to the table, and what is redone when something changes. The cases build on each other.

bats_require_minimum_version 1.5.0
load ../cli/support

setup_file() {
    export OUT=$BATS_FILE_TMPDIR/run
}

# A demonstration of seconds. Arguments go to make, later ones override.
demo() {
    run --separate-stderr make --no-print-directory -f pipelines/demo.mk BIN="$TEG_BIN" OUT="$OUT" \
        N_VIDEOS=48 EPOCHS=1 THREADS=2 "$@"
}

# The tools that a run would call in this order, with how often: "sample 1 train 1 ...". What does not depend on one
# another is in the order of this version of make.
would() {
    demo -n "$@"
    expect_status 0
    grep -o "^$TEG_BIN/teg-[a-z]*" <<<"$output" | sed 's/.*-//' | uniq -c |
        awk '{ printf "%s%s %s", sep, $2, $1; sep = " " }'
}

@test "the demonstration goes from nothing to a table and pictures" {
    demo
    expect_status 0
    [ "$(awk '{ print $1 }' "$OUT/table.txt" | tr '\n' ' ')" = "events untrained TeG-PS TeG-FG chance " ]
    [ "$(awk '$1 == "chance" { print $2, $3 }' "$OUT/table.txt")" = "12.5 10.0" ]
    [[ "$output" == *"$(cat "$OUT/table.txt")" ]]
    for picture in teg-fg/events-similarity teg-ps/events-confusion $(command -v gnuplot >/dev/null && echo loss); do
        [ "$(head -c 4 "$OUT/seed-1/$picture.png" | tail -c 3)" = PNG ]
    done
    [ -z "$(find "$OUT" -name '*.part' -o -name '*.tmp')" ]
}

# metric METHOD PROBE MEMBER: a number out of the metrics.
metric() {
    sed -n "s/^  \"$3\": \([^,]*\),*\$/\1/p" "$OUT/seed-1/$1/$2.json"
}

@test "the table says what the metrics say" {
    for method in untrained teg-ps teg-fg; do
        wanted=$(awk -v a="$(metric $method events top1)" -v b="$(metric $method videos top1)" \
            -v c="$(metric $method events within_video_cosine)" \
            'BEGIN { printf "%.1f %.1f %.3f", 100 * a, 100 * b, c }')
        [ "$(awk -v row=$method 'tolower($1) == row { print $2, $3, $4 }' "$OUT/table.txt")" = "$wanted" ]
    done
}

# Parts of the objective have losses of their own, behind that of the whole.
@test "the loss curves are those of the log" {
    command -v gnuplot >/dev/null || skip "gnuplot is missing"
    record=$(tail -n 1 "$OUT/seed-1/teg-fg/train.jsonl")
    wanted=$(grep -o '"loss": *[^,]*' <<<"$record" | head -n 1 | sed 's/.*: *//')
    [ "$(tail -n 1 "$OUT/seed-1/teg-fg/loss.tsv" | cut -f 2)" = "$wanted" ]
}

@test "nothing is done twice" {
    [ "$(would)" = "" ]
    mkdir "$BATS_TEST_TMPDIR/new"
    cp "$TEG_BIN"/teg-* "$BATS_TEST_TMPDIR/new/"
    demo -n BIN="$BATS_TEST_TMPDIR/new"
    [[ "$output" != *teg-* ]]
}

# Sums of what a run ends with.
drawn() {
    cksum "$OUT/table.txt" $(command -v gnuplot >/dev/null && echo "$OUT/seed-1/loss.png")
}

@test "the table and the loss curves are of the methods that are asked for" {
    local before
    before=$(drawn)
    demo methods="untrained teg-ps"
    expect_status 0
    [[ $output != *"$TEG_BIN"/teg-* ]]
    [ "$(awk '{ print $1 }' "$OUT/table.txt" | tr '\n' ' ')" = "events untrained TeG-PS chance " ]
    [ -z "$(command -v gnuplot)" ] || [ "$(drawn | tail -n 1)" != "$(tail -n 1 <<<"$before")" ]
    demo
    expect_status 0
    [ "$(drawn)" = "$before" ]
    demo -n
    [[ $output != *awk* && $output != *gnuplot* ]]
}

@test "numbers have a point, whatever the language of the user" {
    local pipeline
    for pipeline in ablation ava demo diving48 folder gebd hmdb51 kinetics similarity ssv2 ucf101 vidsitu; do
        run --separate-stderr env LC_ALL=de_DE.UTF-8 make -n --no-print-directory -f "pipelines/$pipeline.mk" \
            --eval 'locale: ; +@echo $$LC_ALL' BIN="$TEG_BIN" OUT="$BATS_TEST_TMPDIR/$pipeline" locale \
            $([ $pipeline = folder ] && echo VIDEOS=tests || echo PRESET=smoke)
        expect_status 0
        [ "${lines[-1]}" = C ] || { echo "$pipeline: $output" >&2 && return 1; }
    done
    localedef -i de_DE -f UTF-8 "$BATS_TEST_TMPDIR/de_DE.UTF-8" || skip "there is no localedef, or it does not know de_DE"
    mv "$OUT/table.txt" "$BATS_TEST_TMPDIR"
    LOCPATH=$BATS_TEST_TMPDIR LC_ALL=de_DE.UTF-8 demo
    expect_status 0
    cmp "$OUT/table.txt" "$BATS_TEST_TMPDIR/table.txt"
}

@test "a changed setting redoes its stage and those behind it, no others" {
    [ "$(would options.probe.videos='--labels class --method knn')" = "probe 3" ]
    [ "$(would pictures.videos=confusion)" = "probe 3" ]
    [ "$(would options.plan.videos='--strategy uniform --clip 32x4 --clips 3')" = \
        "sample 1 extract 1 probe 1 extract 1 probe 1 extract 1 probe 1" ]
    [ "$(would options.model.teg-fg='--model r3d-tiny --crop-size 40 --objective teg-ps')" = \
        "train 1 extract 1 probe 1 extract 1 probe 1" ]
    [ "$(would options.decode='--short-side 40' | cut -d' ' -f1-3)" = "decode 1 sample" ]
    [ "$(would SEEDS='1 2' | cut -d' ' -f1-3)" = "sample 1 train" ]
}

@test "another run gives the same bytes; up to the training also on other numbers of threads" {
    again=$BATS_TEST_TMPDIR/again/run
    demo OUT="$again"
    expect_status 0
    diff -rq -x '*.settings' -x train.jsonl "$OUT" "$again"
    demo OUT="$BATS_TEST_TMPDIR/one/run" THREADS=1 "$BATS_TEST_TMPDIR"/one/run/seed-1/untrained/events.lmdb
    expect_status 0
    for store in index frames seed-1/samples plans/events seed-1/untrained/events; do
        cmp "$OUT/$store.lmdb" "$BATS_TEST_TMPDIR/one/run/$store.lmdb"
    done
}

@test "in shards: the same, side by side; what is there keeps its files" {
    [ "$(would SHARDS=2)" = "" ]
    sharded=$BATS_TEST_TMPDIR/sharded/run
    demo OUT="$sharded" SHARDS=2 -j2 "$sharded/seed-1/untrained/events.json"
    expect_status 0
    [ "$(cd "$sharded" && echo frames.lmdb.*-of-*)" = "frames.lmdb.1-of-2 frames.lmdb.2-of-2" ]
    [ "$(cd "$sharded/seed-1/untrained" && echo events.lmdb*of*)" = "events.lmdb.1-of-2 events.lmdb.2-of-2" ]
    [ ! -e "$sharded/frames.lmdb" ]
    "$TEG_BIN/teg-inspect" diff "$OUT/frames.lmdb" "$sharded/frames.lmdb"
    for file in seed-1/samples.lmdb plans/events.lmdb seed-1/untrained/model.safetensors; do
        cmp "$OUT/$file" "$sharded/$file"
    done
    [ "$(metric untrained events n_classes)" = "$(OUT=$sharded metric untrained events n_classes)" ]
    rm "$sharded/frames.lmdb.2-of-2"
    demo -n -j3 THREADS=7 SHARDS=3 OUT="$sharded" "$sharded/frames.lmdb.2-of-2"
    [[ "$output" == "$TEG_BIN/teg-decode --threads 2 --index $sharded/index.lmdb --short-side 48 --shard 2/2 --force \
-o $sharded/frames.lmdb || "* ]]
    [ "$(would OUT="$sharded" | cut -d' ' -f1-2)" = "decode 1" ]
    [ "$(would OUT="$BATS_TEST_TMPDIR/new" SHARDS=3 | cut -d' ' -f1-7)" = "synth 1 index 1 decode 3 sample" ]
    for number in 0 x 10000; do
        demo -n SHARDS=$number
        expect_status 2
        [[ $stderr == *"SHARDS=$number: want a number from 1 to 9999"* ]]
    done
}

# One's own videos, with a network of seconds. A run that never ends is ended.
folder() {
    run --separate-stderr timeout 120 make --no-print-directory -f "$PWD/pipelines/folder.mk" MODEL=r3d-tiny SHORT_SIDE=48 \
        CROP=40 EPOCHS=1 BATCH=4 THREADS=2 BIN="$(realpath "$TEG_BIN")" "$@"
}

@test "folder.mk: features of videos without labels, a table where there are classes and a split" {
    videos=$BATS_TEST_TMPDIR/flat
    mkdir "$videos"
    find "$OUT/world/videos" -name '*.mp4' | sort | head -n 6 | xargs cp -t "$videos"
    folder VIDEOS="$videos" OUT="$BATS_TEST_TMPDIR/a"
    expect_status 0
    [ -s "$BATS_TEST_TMPDIR/a/seed-1/teg-fg/videos.lmdb" ]
    [ ! -e "$BATS_TEST_TMPDIR/a/table.txt" ]
    mkdir "$BATS_TEST_TMPDIR/named"
    cp -r "$OUT/world/videos/train" "$BATS_TEST_TMPDIR/named/Training"
    cp -r "$OUT/world/videos/val" "$BATS_TEST_TMPDIR/named/validation"
    class=$(ls "$BATS_TEST_TMPDIR/named/validation" | head -n 1)
    mv "$BATS_TEST_TMPDIR/named/validation/$class" "$BATS_TEST_TMPDIR/named/validation/untrained"
    folder VIDEOS="$BATS_TEST_TMPDIR/named" OUT="$BATS_TEST_TMPDIR/b"
    expect_status 0
    [ "$(awk '{ print $1 }' "$BATS_TEST_TMPDIR/b/table.txt" | tr '\n' ' ')" = "videos TeG-PS TeG-FG chance " ]
    grep -q -- '--split train' "$BATS_TEST_TMPDIR/b/seed-1/samples.lmdb.settings"
    [[ $stderr == *"warning: 1 classes of the test are not in the training"* ]]
}

@test "folder.mk: what is made may lie among the videos, however that is said" {
    videos=$BATS_TEST_TMPDIR/videos
    mkdir -p "$videos/out/earlier"
    find "$OUT/world/videos" -name '*.mp4' | sort | head -n 4 | xargs cp -t "$videos"
    cp "$(find "$OUT/world/videos" -name '*.mp4' | sort | tail -n 1)" "$videos/out/earlier"
    folder VIDEOS="$videos" OUT="$videos/out"
    expect_status 0
    [[ $stderr == *"videos: 4 listed"* ]]
    [[ $output == *"no table, as the videos have no classes to compare: their features are in $videos/out/seed-S/METHOD/videos.lmdb" ]]
    ln -s "$videos/out" "$BATS_TEST_TMPDIR/link"
    for out in "$videos/out" "$videos/../videos/out/" "$BATS_TEST_TMPDIR/link"; do
        folder VIDEOS="$videos" OUT="$out"
        expect_status 0
        [[ $output != *teg-* ]]
    done
    folder -C "$videos" VIDEOS=. OUT=out out/index.lmdb
    expect_status 0
    [[ $stderr == *"videos: 4 listed"* && $stderr != *"passed over"* ]]
    folder -C "$videos" VIDEOS=. OUT=./
    expect_status 2
    [[ $stderr == *"OUT=./: is the folder of the videos, want one of its own"* ]]
}

@test "folder.mk: a run goes on where it was moved to, with the same frames" {
    mkdir -p "$BATS_TEST_TMPDIR"/{videos,deep/er}
    find "$OUT/world/videos" -name '*.mp4' | sort | head -n 4 | xargs cp -t "$BATS_TEST_TMPDIR/videos"
    folder VIDEOS="$BATS_TEST_TMPDIR/videos" OUT="$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/a/frames.lmdb"
    expect_status 0
    mv "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/deep/er"
    mv "$BATS_TEST_TMPDIR/deep/er/a/frames.lmdb" "$BATS_TEST_TMPDIR/before"
    folder VIDEOS="$BATS_TEST_TMPDIR/videos" OUT="$BATS_TEST_TMPDIR/deep/er/a" "$BATS_TEST_TMPDIR/deep/er/a/frames.lmdb"
    expect_status 0
    [[ $output != *teg-index* ]]
    cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/deep/er/a/frames.lmdb"
}

@test "folder.mk: bad videos lead to MAX_BAD, a folder that is not there does not" {
    mkdir "$BATS_TEST_TMPDIR/videos"
    find "$OUT/world/videos" -name '*.mp4' | sort | head -n 4 | xargs cp -t "$BATS_TEST_TMPDIR/videos"
    : >"$BATS_TEST_TMPDIR/videos/empty.mp4"
    local wanted=(VIDEOS="$BATS_TEST_TMPDIR/videos" OUT="$BATS_TEST_TMPDIR/new" "$BATS_TEST_TMPDIR/new/frames.lmdb")
    folder "${wanted[@]}" videos=nowhere
    expect_status 2
    [[ $stderr == *"teg-decode: error: "*nowhere* && $stderr != *MAX_BAD* ]]
    folder "${wanted[@]}"
    expect_status 2
    [[ $stderr == *"teg-decode: error: 1 of 5 videos "*$'\n'"make: MAX_BAD=N allows for N bad videos, as --max-bad of all stages"$'\n'* ]]
    folder "${wanted[@]}" MAX_BAD=1
    expect_status 0
}

@test "folder.mk: an index that fails is all that make tells of" {
    mkdir "$BATS_TEST_TMPDIR/empty"
    folder VIDEOS="$BATS_TEST_TMPDIR/empty" OUT="$BATS_TEST_TMPDIR/new"
    expect_status 2
    [ "$(grep -c . <<<"$stderr")" = 2 ]
    [[ $stderr == "teg-index: error: "*"no video files"*"/new/index.lmdb] Error 1" ]]
}

@test "a folder that was there is not emptied for the generated videos" {
    mkdir -p "$BATS_TEST_TMPDIR/mine/world"
    echo text >"$BATS_TEST_TMPDIR/mine/world/thesis.txt"
    demo OUT="$BATS_TEST_TMPDIR/mine" N_VIDEOS=4 "$BATS_TEST_TMPDIR/mine/world/done"
    expect_status 0
    demo OUT="$BATS_TEST_TMPDIR/mine" N_VIDEOS=8 "$BATS_TEST_TMPDIR/mine/world/done"
    expect_status 0
    [ "$(wc -l <"$BATS_TEST_TMPDIR/mine/world/annotations.jsonl")" = 8 ]
    [ "$(cat "$BATS_TEST_TMPDIR/mine/world/thesis.txt")" = text ]
}

@test "AUGMENT: the paper's, or gentle crops and colours" {
    demo -n OUT="$BATS_TEST_TMPDIR/new"
    [[ $output == *"--strategy contained "*"--crop-area 0.7,1 "* ]]
    demo -n OUT="$BATS_TEST_TMPDIR/new" AUGMENT=paper
    [[ $output == *"--strategy contained "* && $output != *--crop-area* ]]
    demo -n AUGMENT=none
    expect_status 2
    [[ $stderr == *"AUGMENT=none: want paper or gentle"* ]]
}

@test "a setting that is given as nothing is named, but where that means something" {
    local setting
    for setting in EPOCHS BATCH MODEL SEEDS DEVICE PRECISION MAX_BAD BIN LR; do
        demo -n OUT="$BATS_TEST_TMPDIR/new" $setting=
        expect_status 2
        [[ $stderr == *": *** $setting=: want a value."* ]] || { echo "$setting=: $stderr" >&2 && return 1; }
    done
    demo -n OUT="$BATS_TEST_TMPDIR/new" EPOCHS=' '
    expect_status 2
    EPOCHS='' run --separate-stderr make -n -f pipelines/demo.mk BIN="$TEG_BIN" OUT="$BATS_TEST_TMPDIR/new"
    expect_status 2
    demo -n OUT="$BATS_TEST_TMPDIR/new" THREADS= RECOMPUTE=
    expect_status 0
}

@test "several processes train a model, and do nothing else" {
    demo -n OUT="$BATS_TEST_TMPDIR/new" PROCESSES=4
    expect_status 0
    grep -qE '^mpirun -n 4 [^ ]*/teg-train ' <<<"$output"
    ! grep -vE '^mpirun -n 4 [^ ]*/teg-train ' <<<"$output" | grep -E 'mpirun|^[^ ]*/teg-train '
    demo -n OUT="$BATS_TEST_TMPDIR/new" PROCESSES=4 LAUNCHER='srun -n 4'
    grep -qE '^srun -n 4 [^ ]*/teg-train ' <<<"$output"
    demo -n OUT="$BATS_TEST_TMPDIR/new" PROCESSES=two
    expect_status 2
    [[ $stderr == *"PROCESSES=two: want a number from 1 to 9999"* ]]
}

# Names that are refused could do worse than fail: what follows a ; is a command of its own.
@test "paths: what the shell, patterns or targets would take for more than a name is refused" {
    local mark=$BATS_TEST_TMPDIR/mark code
    mkdir "$BATS_TEST_TMPDIR/v"
    # refused MAKEFILE VARIABLE VALUE [VARIABLE...]
    refused() {
        run --separate-stderr make --no-print-directory -n -f "pipelines/$1.mk" BIN="$TEG_BIN" OUT="$BATS_TEST_TMPDIR/o" \
            VIDEOS="$BATS_TEST_TMPDIR/v" ANNOTATIONS="$BATS_TEST_TMPDIR/v" "$2=$3" "${@:4}"
        expect_status 2
        [[ $stderr == "pipelines/"*": *** $2=$3: want a path of letters, digits and "* ]] || { echo "$2=$3: $stderr" >&2 && return 1; }
    }
    for code in {1..42} {58..63} {91..94} 96 {123..125} 127; do
        refused demo OUT "$(printf '%b.' "a\\0$(printf %o "$code")b")"
    done
    for variable in OUT VIDEOS SPLIT BIN; do
        refused folder $variable "a;touch $mark"
        refused folder $variable "a\$(touch \$\$0 $mark)"
    done
    refused vidsitu ANNOTATIONS "a;touch\${IFS}$mark"
    refused vidsitu PRETRAINED "a'b"
    refused ava DETECTIONS "a>b" DATA=ava
    refused folder VIDEOS -delete
    [ ! -e "$mark" ]
    demo -n OUT="$BATS_TEST_TMPDIR/-+./,@~_aZ09Ä~"
    expect_status 0
}

@test "make -n shows the options that would be used" {
    demo -n options.probe.videos='--labels class --method knn'
    expect_status 0
    [ "$(grep -c -- '--labels class --method knn' <<<"$output")" = 3 ]
}
