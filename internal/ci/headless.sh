#!/usr/bin/env bash
# Runs a command on a Wayland compositor without a screen: headless.sh 320x180@120 COMMAND…
# Needs sway; from 1.8 on (wlroots 0.16) it says when pictures are shown. SCANOUT_SWAY
# names another binary.
set -eu
[ $# -ge 2 ] || { echo "usage: $0 WIDTHxHEIGHT@HZ COMMAND..." >&2; exit 2; }
mode=$1
shift
sway=$(command -v "${SCANOUT_SWAY:-sway}") || { echo "headless: needs sway (Debian: apt install sway)" >&2; exit 1; }
dir=$(mktemp -d)
cat >"$dir/config" <<EOF
xwayland disable
output HEADLESS-1 mode --custom ${mode}Hz
default_border none
exec sh -c 'echo "\$WAYLAND_DISPLAY" > $dir/new && mv $dir/new $dir/ready'
EOF
as=()
if [ "$(id -u)" -eq 0 ]; then # sway refuses root
	chown 65534:65534 "$dir"
	as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
env -u DISPLAY -u WAYLAND_DISPLAY -u SWAYSOCK HOME="$dir" XDG_RUNTIME_DIR="$dir" WLR_BACKENDS=headless WLR_RENDERER=pixman \
	WLR_LIBINPUT_NO_DEVICES=1 "${as[@]}" "$sway" -c "$dir/config" >"$dir/log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null || true; wait $pid 2>/dev/null || true; rm -rf "$dir"' EXIT
for _ in $(seq 200); do
	[ -f "$dir/ready" ] && break
	kill -0 $pid 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
	sleep 0.05
done
[ -f "$dir/ready" ] || { echo "headless: sway does not get ready" >&2; cat "$dir/log" >&2; exit 1; }
env -u DISPLAY WAYLAND_DISPLAY="$dir/$(cat "$dir/ready")" XDG_RUNTIME_DIR="$dir" SDL_VIDEODRIVER=wayland "$@"
