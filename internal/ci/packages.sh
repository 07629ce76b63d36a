#!/usr/bin/env bash
# Installs the system packages that `make play` or `make test` can use and that are
# missing. Usage: packages.sh play|test
#
# Nothing here is needed to build. A package that cannot be had is named and left out:
# the program and the tests say themselves what they miss.
set -u

# "a|b": the first of these that the release offers.
play=(ca-certificates libvulkan1 mesa-vulkan-drivers ffmpeg 'libsdl2-2.0-0|libsdl2-compat-shim')
test=(
	git gcc libc6-dev                                                    # go test -race, layout checks against C
	libvulkan-dev vulkan-validationlayers glslang-tools                  # Vulkan headers, validation, shaders
	libavcodec-dev libavformat-dev libavutil-dev libswresample-dev libswscale-dev
	xvfb openbox x11-apps x11-utils imagemagick xdotool sway grim        # windows on X11 and Wayland, screenshots
	pulseaudio pulseaudio-utils                                          # a null sink that records what was heard
	pipewire pipewire-pulse wireplumber dbus                             # the other sound server; a bus to ask for priority
	rt-tests                                                             # cyclictest, the scheduler's yardstick
	python3-gi gir1.2-gst-rtsp-server-1.0                                # an RTSP server
	gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad # what it sends with
	libyuv0 libyuv-dev qemu-user                                         # colour conversion: the rival, and arm64
)

case ${1-} in
play) want=("${play[@]}") ;;
test) want=("${play[@]}" "${test[@]}") ;;
*) echo "usage: $0 play|test" >&2; exit 2 ;;
esac

if ! command -v apt-get >/dev/null; then
	case $(uname -s) in
	Darwin) echo "packages: for files, windows and Vulkan: brew install ffmpeg sdl2 molten-vk vulkan-loader" ;;
	*)
		if command -v dnf >/dev/null; then
			echo "packages: for files, windows and Vulkan: sudo dnf install ffmpeg-free SDL2 vulkan-loader mesa-vulkan-drivers"
		elif command -v pacman >/dev/null; then
			echo "packages: for files, windows and Vulkan: sudo pacman -S ffmpeg sdl2 vulkan-icd-loader vulkan-swrast"
		else
			echo "packages: for files, windows and Vulkan install FFmpeg 5.1 or newer, SDL2 and a Vulkan loader with a driver"
		fi ;;
	esac
	echo "packages: then run bin/scanout doctor, which says what is still missing"
	exit 0
fi

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
offered() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }

# choose fills `get` with what to install and `absent` with what the release lacks.
choose() {
	get=() absent=()
	local entry name names
	for entry in "${want[@]}"; do
		IFS='|' read -r -a names <<<"$entry"
		for name in "${names[@]}"; do installed "$name" && continue 2; done
		for name in "${names[@]}"; do offered "$name" && { get+=("$name"); continue 2; }; done
		absent+=("$entry")
	done
}

choose
[ ${#get[@]} -eq 0 ] && [ ${#absent[@]} -eq 0 ] && exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "packages: missing ${get[*]} ${absent[*]}; as root: apt-get install ${get[*]} ${absent[*]}"
		exit 0
	fi
	root=(sudo)
	[ -t 0 ] || root=(sudo -n) # nobody there to type a password
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Another apt may hold the lock (unattended upgrades): wait for it. What apt says is of
# interest only when it fails.
apt() {
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -qq "$@" </dev/null >"$log" 2>&1 ||
		{ grep -E '^(E|W|sudo):' "$log" | head -5; return 1; }
}
install() { apt install -y --no-install-recommends "$@"; }

updated=
update() { [ -n "$updated" ] || { echo "packages: apt-get update"; apt update || echo "packages: the lists could not be updated"; }; updated=1; choose; }

[ ${#absent[@]} -gt 0 ] && update # a fresh machine has no lists at all
if [ ${#get[@]} -gt 0 ]; then
	echo "packages: installing ${get[*]}"
	# Lists that are too old name files that are gone: update and try once more.
	install "${get[@]}" || { update; [ ${#get[@]} -eq 0 ] || install "${get[@]}"; } ||
		for p in "${get[@]}"; do install "$p"; done # as many as can be had
fi
choose
[ ${#get[@]} -eq 0 ] && [ ${#absent[@]} -eq 0 ] || echo "packages: could not install ${get[*]} ${absent[*]}; going on without"
exit 0
