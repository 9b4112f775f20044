#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load support

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    TEG_BIN=$(cd "$BATS_TEST_DIRNAME/../.." && realpath "$TEG_BIN")
    "$TEG_BIN/teg-synth" --quiet --dataset events --videos 8 --frames 60 --size 64 -o data ||
        "$TEG_BIN/teg-synth" --quiet --dataset events --videos 8 --frames 60 --size 64 --codec mpeg4 -o data
    "$TEG_BIN/teg-index" --quiet --videos data/videos -o index.lmdb
    "$TEG_BIN/teg-decode" --quiet --index index.lmdb -o frames.lmdb
}

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    SHARED=$(realpath -m "$SHARED")
    TEG_BIN=$(realpath "$TEG_BIN")
    cd "$BATS_TEST_TMPDIR" || return
    index=$BATS_FILE_TMPDIR/index.lmdb
    whole=$BATS_FILE_TMPDIR/frames.lmdb
}

records() {
    "$TEG_BIN/tests/cli/helper_dump" "$@"
}

# The raw pictures of a store's video must be what ffmpeg makes of the file. $1 store, $2 id, $3 file, $4 filter
expect_pictures() {
    ffmpeg -nostdin -v error -i "$3" -an -vf "$4" -fps_mode passthrough -f rawvideo -pix_fmt nv12 -y expected.raw
    records --nv12 "$1" "$2" >got.raw
    cmp expected.raw got.raw
}

@test "frames and their record" {
    [ "$(records "$whole" width height n_frames fps frame_step range status | cut -f 2- | sort -u)" = \
        "64	64	60	30/1	1	limited	ok" ]
    [ "$(records "$whole" | grep -c '|u1 96 64 ')" -eq 480 ]
    [[ "$(records "$whole" | head -n 1)" == *'"settings":{"short_side":256,"fps":"own","frame_step":1,"level":1}'* ]]
}

@test "the same bytes for any number of threads" {
    for threads in 1 2 5; do
        tool teg-decode --threads $threads --index "$index" -o frames.lmdb
        expect_status 0
        cmp frames.lmdb "$whole"
        rm frames.lmdb
    done
}

@test "pictures are what ffmpeg decodes, turned upright" {
    need_program ffmpeg
    need_shared data/odd
    tool teg-index --videos "$SHARED/data/odd/decord" -o index.lmdb
    tool teg-decode --index index.lmdb --short-side 0 --max-bad 1 -o frames.lmdb
    expect_status 0
    for name in video_0 video_90 video_180 video_270 unordered; do
        expect_pictures frames.lmdb $name "$SHARED/data/odd/decord/$name.mov" null
    done
    tool teg-index --videos "$SHARED/data/odd/torchcodec" -o torch.lmdb
    tool teg-decode --index torch.lmdb --short-side 0 -o frames2.lmdb
    expect_status 0
    for name in nasa_13013_rotated av1_video h265_video discard_first_keyframe; do
        expect_pictures frames2.lmdb $name "$(echo "$SHARED/data/odd/torchcodec/$name".*)" null
    done
}

@test "pictures are scaled as ffmpeg scales" {
    need_program ffmpeg
    need_shared data/odd
    mkdir videos
    cp "$SHARED/data/odd/torchcodec/testsrc2_vp9.webm" videos
    tool teg-index --videos videos -o index.lmdb
    tool teg-decode --index index.lmdb --short-side 128 -o frames.lmdb
    expect_status 0
    [ "$(records frames.lmdb width height | cut -f 2-)" = "228	128" ]
    expect_pictures frames.lmdb testsrc2_vp9 videos/testsrc2_vp9.webm \
        scale=228:128:flags=bicubic+accurate_rnd+bitexact,format=yuv420p
}

@test "rate and frame step" {
    tool teg-decode --index "$index" --fps 15 -o half.lmdb
    expect_status 0
    [ "$(records half.lmdb n_frames fps | cut -f 2- | sort -u)" = "30	15/1" ]
    tool teg-decode --index "$index" --fps 60 -o double.lmdb
    expect_status 0
    [ "$(records double.lmdb n_frames fps | cut -f 2- | sort -u)" = "120	60/1" ]
    tool teg-decode --index "$index" --frame-step 7 -o step.lmdb
    expect_status 0
    [ "$(records step.lmdb n_frames fps | cut -f 2- | sort -u)" = "9	30/7" ]
    # Stored frame n of the coarse stores is frame 7 n, or 2 n + 1 (on display in the middle), of the whole one.
    id=$(records "$whole" n_frames | head -n 1 | cut -f 1)
    hash() { records "$1" | grep -F "$id/$(printf %08d "$2")	" | cut -f 2; }
    for n in 0 1 8; do
        [ "$(hash step.lmdb $n)" = "$(hash "$whole" $((7 * n)))" ]
        [ "$(hash half.lmdb $n)" = "$(hash "$whole" $((2 * n + 1)))" ]
        [ "$(hash double.lmdb $n)" = "$(hash "$whole" $((n / 2)))" ]
    done
}

@test "bad videos: nothing is published until they are allowed for" {
    cp -r "$BATS_FILE_TMPDIR/data/videos" .
    : >videos/empty.mp4
    rm "$(find videos -name 'train-00003.mp4')"
    tool teg-index --videos videos -o index.lmdb
    truncate -s 3000 "$(find videos -name 'train-00004.mp4')"
    tool teg-decode --index index.lmdb -o frames.lmdb
    expect_status 1
    [[ "$stderr" == *"empty: empty file (0 frames kept)"* ]]
    [[ "$stderr" == *"train-00004: cannot be opened: "*" (0 frames kept)"* ]]
    [[ "$stderr" == *"2 of 8 videos below "*"videos are bad, --max-bad is 0; frames.lmdb.part is complete"* ]]
    [ ! -e frames.lmdb ]
    tool teg-decode --index index.lmdb --max-bad 2 -o frames.lmdb
    expect_status 0
    [ ! -e frames.lmdb.part ]
    records frames.lmdb n_frames status reason | grep -q '^empty	0	bad	empty file$'
    tool teg-decode --index index.lmdb --max-bad 2 -o direct.lmdb
    expect_status 0
    cmp frames.lmdb direct.lmdb
}

@test "a pixel format that cannot be converted ends its video, not the run" {
    need_program ffmpeg
    mkdir videos
    head -c 7680 /dev/zero >zeros
    ffmpeg -nostdin -v error -f rawvideo -pix_fmt uyyvyy411 -s 32x32 -r 5 -i zeros -frames 5 -c:v copy videos/a.nut
    ffmpeg -nostdin -v error -f rawvideo -pix_fmt gray -s 32x32 -r 5 -i zeros -frames 5 -c:v copy videos/b.nut
    tool teg-index --videos videos -o index.lmdb
    tool teg-decode --index index.lmdb --max-bad 1 -o frames.lmdb
    expect_status 0
    [[ "$(records frames.lmdb n_frames status reason | head -n 1)" == "a	0	bad	cannot scale: "* ]]
    [ "$(records frames.lmdb n_frames status | tail -n 1)" = "b	5	ok" ]
}

@test "a file that is cut off keeps its beginning" {
    need_program ffmpeg
    mkdir videos
    ffmpeg -nostdin -v error -i "$(find "$BATS_FILE_TMPDIR/data/videos" -name 'train-00000.mp4')" -c copy \
        -movflags +faststart videos/a.mp4
    truncate -s $(($(stat -c %s videos/a.mp4) * 6 / 10)) videos/a.mp4
    tool teg-index --videos videos -o index.lmdb
    expect_status 0
    [[ "$(records index.lmdb status reason)" == "a	ok	"*"of 60 packets"* ]]
    tool teg-decode --index index.lmdb --max-bad 1 -o frames.lmdb
    expect_status 0
    read -r n status reason < <(records frames.lmdb n_frames status reason | cut -f 2-)
    echo "$n $status $reason"
    [ "$n" -gt 10 ]
    [ "$n" -lt 60 ]
    [ "$status" = bad ]
    # What is there is what the whole file begins with.
    id=$(records "$whole" n_frames | grep train-00000 | cut -f 1)
    for frame in 00000000 00000009; do
        [ "$(records frames.lmdb | grep -F "a/$frame	" | cut -f 2)" = "$(records "$whole" | grep -F "$id/$frame	" | cut -f 2)" ]
    done
}

# A copy of FILE with other numbers in the display matrix of its track, behind the movie's own. $1 from, $2 to, $3 a,
# $4 d: the diagonal, as 8 hexadecimal digits
set_matrix() {
    perl -0777 -pe 'BEGIN { binmode STDIN; binmode STDOUT; ($a, $d) = (pack("H*", shift), pack("H*", shift)); $z = "\0" x 4;
        $i = "\0\1\0\0" } s/(.*)\Q$i$z$z$z$i\E/$1$a$z$z$z$d/s' "$3" "$4" <"$1" >"$2"
}

@test "mirrored videos are turned upright, not mirrored, and say so" {
    need_program perl
    need_program ffmpeg
    need_shared data/odd
    mkdir videos
    source=$SHARED/data/odd/decord/video_0.mov
    set_matrix "$source" videos/left_right.mov ffff0000 00010000
    set_matrix "$source" videos/up_down.mov 00010000 ffff0000
    set_matrix "$source" videos/turned.mov ffff0000 ffff0000
    tool teg-index --videos videos -o index.lmdb
    [ "$(records index.lmdb rotation reason)" = "$(printf '%s\n' \
        'left_right	0	shown mirrored by players, stored as it is' 'turned	180	-' \
        'up_down	180	shown mirrored by players, stored as it is')" ]
    tool teg-decode --index index.lmdb --short-side 0 -o frames.lmdb
    expect_status 0
    expect_pictures frames.lmdb left_right "$source" null
    expect_pictures frames.lmdb turned "$source" hflip,vflip
    expect_pictures frames.lmdb up_down "$source" hflip,vflip
}

@test "a file that is not given out ends the run and is not remembered as bad" {
    cp -r "$BATS_FILE_TMPDIR/data/videos" .
    tool teg-index --videos videos -o index.lmdb
    mv videos away
    tool teg-decode --index index.lmdb -o frames.lmdb
    expect_error 1 "folder of the videos (--videos): ./videos: No such file or directory"
    mv away videos
    video=$(find videos -name 'train-00003.mp4')
    mv "$video" hidden
    tool teg-decode --index index.lmdb --max-bad 8 -o frames.lmdb
    expect_error 1 "$video: cannot be opened: No such file or directory"
    mv hidden "$video"
    tool teg-decode --index index.lmdb -o frames.lmdb
    expect_status 0
}

@test "a shortage of files ends the run, and makes no video bad" {
    local n n_refused=0 status
    for n in {3..30}; do
        status=0
        rm -f few.lmdb*
        (ulimit -n $n && exec "$TEG_BIN/teg-decode" -q --index "$index" --max-bad 8 -o few.lmdb) 2>err || status=$?
        [[ $status != 0 ]] || break
        n_refused=$((n_refused + $(grep -c 'error: .*mp4: cannot be opened: Too many open files' err || true)))
    done
    [[ $status = 0 && $n_refused -gt 0 ]]
    "$TEG_BIN/teg-inspect" diff few.lmdb "$whole"
}

@test "videos that failed are tried again with --force" {
    cp -r "$BATS_FILE_TMPDIR/data/videos" .
    tool teg-index --videos videos -o index.lmdb
    video=$(find videos -name 'train-00003.mp4')
    cp "$video" good
    : >"$video"
    tool teg-decode --index index.lmdb -o frames.lmdb
    expect_status 1
    [[ "$stderr" == *"with --force decodes all of them again"* ]]
    cp good "$video"
    tool teg-decode --index index.lmdb -o frames.lmdb
    expect_status 1
    tool teg-decode --index index.lmdb -o frames.lmdb --force
    expect_status 0
    [[ "$stderr" == *"8 videos, "*" frames, 0 bad videos"* ]]
    tool teg-decode --index index.lmdb -o direct.lmdb
    cmp frames.lmdb direct.lmdb
}

@test "a video that was replaced after indexing is told of" {
    cp -r "$BATS_FILE_TMPDIR/data/videos" .
    local video codec=h264 other verify
    video=$(find videos -name 'train-00003.mp4')
    "$TEG_BIN/teg-synth" -q --dataset events --videos 1 --frames 20 --codec h264 -o probe 2>/dev/null || codec=mpeg4
    for other in "fps 25|25 frames a second, not 30" "frames 40|40 frames, not 60" \
        "size 32|32 pixels wide, not 64; 32 pixels high, not 64"; do
        # shellcheck disable=SC2086 # an option and its value
        "$TEG_BIN/teg-synth" -q --dataset events --videos 4 --frames 60 --size 64 --codec $codec --${other%|*} -o other
        for verify in "" --verify; do
            # shellcheck disable=SC2086
            tool teg-index $verify --videos videos --force -o index.lmdb
            cp "$video" good
            cp "$(find other -name 'train-00001.mp4')" "$video"
            tool teg-decode --index index.lmdb --force -o frames.lmdb
            expect_status 0
            [[ $stderr == *"warning: "*"train-00003: differs from the index, which is to be made again (teg-index): ${other#*|}"$'\n'* ]]
            [ "$(grep -c warning <<<"$stderr")" = 1 ]
            tool teg-index --videos videos --force -o index.lmdb
            tool teg-decode --index index.lmdb --force -o frames.lmdb
            [[ $stderr != *warning* ]]
            cp good "$video"
        done
        rm -r other
    done
}

@test "a killed run goes on and ends with the same bytes" {
    RANDOM=7
    n_kills=0
    args=(--quiet --index "$index" --fps 150 -o frames.lmdb)
    start=$EPOCHREALTIME
    "$TEG_BIN/teg-decode" "${args[@]}"
    microseconds=$(((${EPOCHREALTIME/./} - ${start/./}) / 20 + 20000))
    mv frames.lmdb expected
    for ((i = 0; i < 20; i++)); do
        delay=$((RANDOM * microseconds / 16384 + 1000))
        killed_after "$(printf '%d.%06d' $((delay / 1000000)) $((delay % 1000000)))" \
            "$TEG_BIN/teg-decode" "${args[@]}" --threads $((1 + i % 3)) || n_kills=$((n_kills + 1))
        [ ! -e frames.lmdb ] || rm frames.lmdb
    done
    echo "$n_kills runs killed"
    [ "$n_kills" -gt 10 ]
    "$TEG_BIN/teg-decode" "${args[@]}"
    cmp frames.lmdb expected
}

@test "a stopped run says how to go on" {
    "$TEG_BIN/teg-decode" --quiet --index "$index" --fps 900 -o frames.lmdb 2>stderr &
    pid=$!
    while [ ! -e frames.lmdb.part ]; do sleep 0.01; done
    kill -TERM $pid
    status=0
    wait $pid || status=$?
    expect_status 1
    [ "$(cat stderr)" = "teg-decode: stopped: run the same command again to go on" ]
    [ ! -e frames.lmdb ]
    tool teg-decode --index "$index" --fps 800 -o frames.lmdb
    expect_status 1
    [[ "$stderr" == *fps* ]]
    tool teg-decode --index "$index" --fps 10 --force -o frames.lmdb
    expect_status 0
}

@test "the log has every video" {
    tool teg-decode --quiet --log log.jsonl --index "$index" -o frames.lmdb
    expect_status 0
    [ -z "$stderr" ]
    [ "$(sed -n 's/.*"n_frames":60,.*"status":"ok","id":"\([^"]*\)"}$/\1/p' log.jsonl)" = \
        "$(records "$whole" status | cut -f 1)" ]
}

@test "wrong usage" {
    for arguments in "" "--index $index" "-o x.lmdb" "--fps 0" "--fps 1/0" "--fps x" "--fps 1000" "--frame-step 0" \
        "--level 20" "--short-side -1" "--short-side 9000" "--threads 0" "more"; do
        # shellcheck disable=SC2086 # the arguments are words
        case $arguments in
        "" | "--index"* | "-o"*) tool teg-decode $arguments ;;
        *) tool teg-decode --index "$index" -o x.lmdb $arguments ;;
        esac
        expect_status 2
        [[ "$stderr" == "teg-decode: error: "* ]]
        [ ! -e x.lmdb ]
    done
}

@test "inputs that are no index are refused" {
    tool teg-decode --index nowhere.lmdb -o x.lmdb
    expect_status 1
    [[ "$stderr" == *nowhere.lmdb* ]]
    tool teg-decode --index "$whole" -o x.lmdb
    expect_status 1
    [[ "$stderr" == *frames* ]]
    [ ! -e x.lmdb ]
}

@test "memory does not grow with the length of a video" {
    need_program ffmpeg
    [ -x /usr/bin/time ] || skip "GNU time is not installed"
    if ldd "$TEG_BIN/teg-decode" | grep -q asan; then skip "sanitizers take memory of their own"; fi
    mkdir videos
    ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=3840x2160:rate=30:duration=1 -c:v mpeg4 -qscale:v 8 one.mp4
    ffmpeg -nostdin -v error -stream_loop 9 -i one.mp4 -c copy videos/ten.mp4
    tool teg-index --videos videos -o index.lmdb
    /usr/bin/time -f %M -o memory "$TEG_BIN/teg-decode" --quiet --threads 2 --short-side 0 --index index.lmdb -o frames.lmdb
    [ "$(records frames.lmdb n_frames | cut -f 2)" -eq 300 ]
    echo "$(cat memory) KiB"
    [ "$(cat memory)" -lt $((500 * 1024)) ]
}

@test "inputs are never overwritten" {
    cp "$index" i.lmdb
    tool teg-decode --index i.lmdb -o i.lmdb --force
    expect_error 1 "i.lmdb: --index and --output are the same file"
    tool teg-decode --index i.lmdb -o f.lmdb --log i.lmdb
    expect_error 1 "i.lmdb: --index and --log are the same file"
    cp i.lmdb other.lmdb
    tool teg-decode --index i.lmdb -o f.lmdb --log other.lmdb
    expect_error 1 "other.lmdb: is there and no log of JSON Lines"
    cmp i.lmdb "$index"
    cmp other.lmdb "$index"
}
