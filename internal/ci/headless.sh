#!/usr/bin/env bash
# Runs a command on a Wayland compositor without a screen: headless.sh 320x180@120 COMMAND…
#
# SCANOUT_COMPOSITOR names it: mutter, which paints at the rate that was asked for and says
# so, or sway, whose refreshes follow each commit by the interval in whole milliseconds
# (8.1 ms at "120 Hz") and which answers from version 1.8 on. Left out, it is mutter where
# there is one. SCANOUT_MUTTER and SCANOUT_SWAY name other binaries.
set -eu
[ $# -ge 2 ] || { echo "usage: $0 WIDTHxHEIGHT@HZ COMMAND..." >&2; exit 2; }
mode=$1
shift
mutter=$(command -v "${SCANOUT_MUTTER:-mutter}") || mutter=
sway=$(command -v "${SCANOUT_SWAY:-sway}") || sway=
case ${SCANOUT_COMPOSITOR-} in
mutter | sway) which=$SCANOUT_COMPOSITOR ;;
"") which=sway; if [ -n "$mutter" ] && [ -z "${SCANOUT_SWAY-}" ]; then which=mutter; fi ;;
*) echo "headless: SCANOUT_COMPOSITOR is mutter or sway, not $SCANOUT_COMPOSITOR" >&2; exit 2 ;;
esac
[ -n "${!which}" ] || { echo "headless: needs $which (Debian: apt install $which)" >&2; exit 1; }
dir=$(mktemp -d)
as=()
if [ "$(id -u)" -eq 0 ]; then # sway refuses root
	chown 65534:65534 "$dir"
	as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
# A process group of its own: a compositor starts more.
run() { exec setsid env -u DISPLAY -u WAYLAND_DISPLAY -u SWAYSOCK HOME="$dir" XDG_RUNTIME_DIR="$dir" "$@" >"$dir/log" 2>&1; }
case $which in
sway)
	cat >"$dir/config" <<EOF
xwayland disable
output HEADLESS-1 mode --custom ${mode}Hz
default_border none
exec sh -c 'echo "\$WAYLAND_DISPLAY" > $dir/new && mv $dir/new $dir/ready'
EOF
	run WLR_BACKENDS=headless WLR_RENDERER=pixman WLR_LIBINPUT_NO_DEVICES=1 "${as[@]}" "$sway" -c "$dir/config" &
	;;
mutter) # it needs a message bus
	run GSETTINGS_BACKEND=memory "${as[@]}" dbus-run-session -- "$mutter" --headless --wayland --no-x11 \
		--virtual-monitor "$mode" --wayland-display=wayland-0 &
	;;
esac
pid=$!
trap 'kill -- -$pid 2>/dev/null || true; wait $pid 2>/dev/null || true; rm -rf "$dir"' EXIT
ready() {
	[ "$which" = mutter ] && [ -S "$dir/wayland-0" ] && echo wayland-0 >"$dir/ready"
	[ -f "$dir/ready" ]
}
for _ in $(seq 200); do
	ready && break
	kill -0 $pid 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
	sleep 0.05
done
ready || { echo "headless: $which does not get ready" >&2; cat "$dir/log" >&2; exit 1; }
env -u DISPLAY WAYLAND_DISPLAY="$dir/$(cat "$dir/ready")" XDG_RUNTIME_DIR="$dir" SDL_VIDEODRIVER=wayland "$@"
