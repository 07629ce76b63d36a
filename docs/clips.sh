#!/usr/bin/env bash
# Makes the raw clips of the decode measurements in the folder $1, and beside each the
# MD5 of its frames as FFmpeg's software decoder gives them (for the tests of
# decode/vkvideo that need a GPU: SCANOUT_CLIPS=folder go test ./decode/vkvideo -run GPU).
# Needs ffmpeg with libx264, libx265, libsvtav1, libaom, librav1e and libvpx. $2 is a pattern of the
# clips to make, all when it is missing.
set -eu
wanted=${2:-*}
mkdir -p "$1" && cd "$1"
want() { case $1 in $wanted) ;; *) false ;; esac; }
source() { echo "testsrc2=size=$1:rate=$2,noise=alls=6:allf=t"; }
x264() { out=$1 size=$2 rate=$3 dur=$4; shift 4; want "$out" || return 0; ffmpeg -v error -nostdin -y -f lavfi -i "$(source "$size" "$rate")" -t "$dur" -pix_fmt yuv420p -c:v libx264 "$@" -f h264 "$out"; }
x265() { out=$1 size=$2 rate=$3 dur=$4 fmt=$5; shift 5; want "$out" || return 0; ffmpeg -v error -nostdin -y -f lavfi -i "$(source "$size" "$rate")" -t "$dur" -pix_fmt "$fmt" -c:v libx265 "$@" -f hevc "$out"; }
av1() { out=$1 size=$2 frames=$3 fmt=$4 codec=$5; shift 5; want "$out" || return 0; SVT_LOG=1 ffmpeg -v error -nostdin -y -f lavfi -i "$(source "$size" 30)" -frames:v "$frames" -pix_fmt "$fmt" -c:v "$codec" "$@" -f obu "$out"; }
vp9() { out=$1 size=$2 frames=$3 fmt=$4; shift 4; want "$out" || return 0; ffmpeg -v error -nostdin -y -f lavfi -i "$(source "$size" 30)" -frames:v "$frames" -pix_fmt "$fmt" -c:v libvpx-vp9 -row-mt 1 "$@" -f ivf "$out"; }
s=640x360
x264 c_base.264 $s 30 2 -profile:v baseline -g 30 -threads 1
x264 c_bpyr.264 $s 30 2 -preset slow -bf 5 -x264-params b-pyramid=normal:ref=6:open-gop=1:keyint=24
x264 c_ref16.264 416x240 30 2 -preset veryslow -x264-params ref=16:bframes=8:b-adapt=2:keyint=250:level=51
x264 c_slices.264 $s 30 2 -x264-params slices=6:keyint=20:weightp=2:8x8dct=1:cqm=jvt
x264 c_intra.264 $s 30 3 -x264-params intra-refresh=1:keyint=30:bframes=0
x264 c_mbaff.264 704x576 25 2 -flags +ildct+ilme -x264-params tff=1:keyint=25
x264 c_crop.264 638x358 30 1 -x264-params keyint=15
x264 c_cavlc.264 322x242 30 1 -x264-params cabac=0:bframes=3:keyint=40
x265 h_main.265 $s 30 2 yuv420p -preset medium -x265-params log-level=none:bframes=4:keyint=30:open-gop=1
x265 h_main10.265 $s 30 2 yuv420p10le -preset medium -x265-params log-level=none:bframes=4:b-pyramid=1:ref=5:keyint=40
x265 h_slices.265 832x480 30 1 yuv420p -x265-params log-level=none:slices=4:wpp=1:keyint=20
x265 h_scal.265 $s 30 1 yuv420p -preset slow -x265-params log-level=none:scaling-list=default:rect=1:amp=1:weightb=1:keyint=250
x265 h_crop.265 638x358 30 1 yuv420p10le -x265-params log-level=none:keyint=250:ctu=16
x264 p120.264 1920x1080 120 5 -preset veryfast -b:v 20M -maxrate 24M -bufsize 20M -bf 2 -g 120
x265 p120.265 1920x1080 120 3 yuv420p -preset superfast -b:v 10M -x265-params log-level=none:keyint=120:bframes=3
x265 p10.265 1920x1080 60 2 yuv420p10le -preset superfast -b:v 8M -x265-params log-level=none:keyint=60:bframes=3
x264 k60.264 3840x2160 60 2 -preset superfast -b:v 30M -g 60
x264 p30.264 1920x1080 30 4 -preset veryfast -b:v 5M -g 60 -bf 2
av1 a_main.obu $s 60 yuv420p libsvtav1 -preset 8 -g 30
av1 a_grain.obu $s 30 yuv420p libsvtav1 -preset 8 -svtav1-params film-grain=10
av1 a_main10.obu $s 30 yuv420p10le libsvtav1 -preset 8
av1 a_super.obu $s 24 yuv420p libsvtav1 -preset 8 -svtav1-params superres-mode=1:superres-denom=12:superres-kf-denom=12
av1 a_resize.obu $s 24 yuv420p libsvtav1 -preset 8 -svtav1-params resize-mode=1:resize-denom=12
av1 a_switch.obu 320x240 20 yuv420p librav1e -speed 10 -rav1e-params switch_frame_interval=4:error_resilient=true:low_latency=true
av1 a_tiles.obu 1280x720 20 yuv420p libaom-av1 -usage realtime -cpu-used 8 -tiles 2x2 -error-resilience default -aq-mode 3
av1 a_restore.obu 352x288 16 yuv420p libaom-av1 -cpu-used 5 -lag-in-frames 16 -crf 50
av1 a_screen.obu 352x288 6 yuv420p libaom-av1 -cpu-used 8 -lag-in-frames 0 -aom-params enable-qm=1:tune-content=screen
av1 a_crop.obu 638x358 16 yuv420p libsvtav1 -preset 10
av1 p120.obu 1920x1080 120 yuv420p libsvtav1 -preset 12 -g 60
vp9 v_main.ivf $s 60 yuv420p -deadline good -cpu-used 5 -auto-alt-ref 1 -lag-in-frames 25 -g 30 -b:v 1M
vp9 v_main10.ivf $s 20 yuv420p10le -profile:v 2 -deadline realtime -cpu-used 8 -b:v 1M
vp9 v_tiles.ivf 1280x720 20 yuv420p -deadline realtime -cpu-used 8 -tile-columns 2 -tile-rows 1 -b:v 3M
vp9 v_resilient.ivf $s 20 yuv420p -deadline realtime -cpu-used 8 -error-resilient 1 -aq-mode 3 -b:v 500k
vp9 v_crop.ivf 638x358 20 yuv420p -deadline realtime -cpu-used 8 -b:v 1M
vp9 p120.ivf 1920x1080 60 yuv420p -deadline realtime -cpu-used 8 -tile-columns 2 -b:v 10M
for f in *.26[45] *.obu *.ivf; do
	want "$f" || continue
	ffmpeg -v error -nostdin -y -flags +unaligned -i "$f" -autoscale 0 -f framemd5 - | sed '/^#/d; s/.*, *//' >"$f.md5"
done
# Streams that change size, format and depth; FFmpeg would convert to the first one's.
join() { out=$1; shift; want "$out" || return 0; cat "$@" >"$out"; for f in "$@"; do cat "$f.md5"; done >"$out.md5"; }
join c_sizes.264 c_base.264 c_crop.264 c_cavlc.264 c_bpyr.264
join h_sizes.265 h_main.265 h_crop.265 h_main10.265 h_slices.265
join a_sizes.obu a_main.obu a_crop.obu a_main10.obu a_restore.obu
