#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Files that break decoders, through teg-index and teg-decode.

bats_require_minimum_version 1.5.0
load support

setup_file() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    [ -d "$SHARED/data/odd" ] || return 0
    export odd=$BATS_FILE_TMPDIR
    "$TEG_BIN/teg-index" --verify --videos "$SHARED/data/odd" -o "$odd/verified.lmdb" 2>"$odd/verify.log"
    "$TEG_BIN/teg-index" --quiet --videos "$SHARED/data/odd" -o "$odd/index.lmdb" 2>"$odd/index.log"
    "$TEG_BIN/teg-decode" --max-bad 1000 --index "$odd/index.lmdb" -o "$odd/frames.lmdb" 2>"$odd/decode.log"
    # path, frames that FFmpeg's own tool gave; 0 where it gave none
    awk -F '\t' '$1 ~ /^odd\// { print substr($1, 5) "\t" $12 + 0 }' "$SHARED/data/MANIFEST.tsv" >"$odd/expected"
}

setup() {
    SHARED=${SHARED:-../shared}
    need_shared data/odd
}

records() {
    "$TEG_BIN/tests/cli/helper_dump" "$@"
}

# Where our count is another one than the table's, and why.
differences() {
    # The table was made with several decoding threads, with which FFmpeg gives fewer frames of damaged files
    # than with one (388 and 17 with one).
    echo "derived/nasa_bitflips.mp4 388"
    echo "firefox/chained-video.ogv 17"
    # FFmpeg's tool gives up as the sound is damaged; we never look at it.
    echo "firefox/bug603918.webm 2"
}

@test "every file has a record" {
    [ "$(wc -l <"$odd/expected")" -eq 114 ]
    [ "$(records "$odd/verified.lmdb" path | wc -l)" -eq 114 ]
    [ "$(records "$odd/frames.lmdb" status | wc -l)" -eq 114 ]
}

@test "frames decoded are those of the table" {
    awk -v OFS='\t' 'FILENAME == "-" { other[$1] = $2; next } $1 in other { $2 = other[$1] } { print }' \
        - "$odd/expected" < <(differences) | sort >"$odd/wanted"
    records "$odd/verified.lmdb" path n_frames | cut -f 2,3 | sort >"$odd/got"
    diff "$odd/wanted" "$odd/got"
}

@test "every file that gives no frame has a reason, and only those are bad" {
    records "$odd/verified.lmdb" path n_frames status reason >"$odd/reasons"
    awk -F '\t' '($3 == 0) != ($4 == "bad") || ($4 == "bad" && length($5) < 5)' "$odd/reasons" >"$odd/wrong"
    [ ! -s "$odd/wrong" ] || { cat "$odd/wrong" && return 1; }
    grep -q 'short-cenc.*	encrypted$' "$odd/reasons"
    grep -q 'clearkey-video-vp9.*	encrypted$' "$odd/reasons"
    grep -q 'sin-441.*	no video stream$' "$odd/reasons"
    grep -q 'zero_length.*	empty file$' "$odd/reasons"
    [ "$(awk -F '\t' '$4 == "bad"' "$odd/reasons" | wc -l)" -eq 32 ]
}

@test "what is bad is bad without --verify, too" {
    diff <(records "$odd/index.lmdb" status) <(records "$odd/verified.lmdb" status)
}

# A stored video has the frames that were decoded, but where the clock fills in or leaves out.
@test "frames stored are those decoded" {
    join -t $'\t' <(records "$odd/verified.lmdb" n_frames variable_rate reason status | sort) \
        <(records "$odd/frames.lmdb" n_frames status reason | sort) >"$odd/both"
    awk -F '\t' '
        # damaged: a lost frame is replaced by the one before it, so at least as many
        $3 == "false" && $4 ~ /damaged/ && $5 == "ok" { if ($6 < $2 || $7 != "bad") print; next }
        $3 == "false" && $2 != $6 { print }
        $5 == "bad" && ($6 != 0 || $7 != "bad" || $8 != $4) { print }' "$odd/both" >"$odd/wrong"
    [ ! -s "$odd/wrong" ] || { cat "$odd/wrong" && return 1; }
    [ "$(awk -F '\t' '$3 == "true"' "$odd/both" | wc -l)" -lt 8 ]
}

@test "nothing of FFmpeg's log is on the terminal" {
    grep -v '^teg-[a-z]*: \(note\|warning\): ' "$odd"/*.log && return 1
    grep -q warning "$odd/verify.log"
}

@test "the good clips of the other folders are good" {
    need_shared data/labelled
    for folder in labelled long; do
        tool teg-index --verify --videos "$SHARED/data/$folder" -o "$BATS_TEST_TMPDIR/$folder.lmdb"
        expect_status 0
        # nasa_13013 has two video streams; the table counts the first, FFmpeg and we take the larger one.
        diff <(awk -F '\t' -v f="$folder/" 'index($1, f) == 1 {
            print substr($1, length(f) + 1) "\t" ($1 ~ /nasa_13013/ ? 390 : $12) }' \
            "$SHARED/data/MANIFEST.tsv" | sort) \
            <(records "$BATS_TEST_TMPDIR/$folder.lmdb" path n_frames | cut -f 2,3 | sort)
        [ "$(records "$BATS_TEST_TMPDIR/$folder.lmdb" status | cut -f 2 | sort -u)" = ok ]
    done
}
