#!/bin/sh
# install_deps.sh - install the Debian packages that are missing.
#
#   --demo  also what tools/demo.sh runs
#   --fuzz  also clang and its runtime, where they can be had
#   --tasks also the programs of assets/tasks
#   --bench also the programs that bench-io compares with, likewise
#   --replay also the programs of tests/x11/replay_table.sh, likewise
#   --arm   also a compiler and an emulator of 64-bit ARM (tests/aarch64.sh)
#   --clients also node and npm, for the packages that talk to the server; the
#           tests of those are left out without them, and npm is 400 packages
#
# Says nothing and changes nothing where all are there.
set -eu
# No package may wait for an answer.
exec </dev/null

build='build-essential pkg-config
    libx11-dev libxtst-dev libxext-dev libxfixes-dev libxdamage-dev libxi-dev
    libxrandr-dev libxcomposite-dev
    libxkbcommon-dev libxkbcommon-x11-dev libxcb1-dev
    libpng-dev libcjson-dev libpcre2-dev
    libavcodec-dev libavformat-dev libavutil-dev libswscale-dev
    libturbojpeg0-dev libatspi2.0-dev libcurl4-openssl-dev
    libmicrohttpd-dev libarchive-dev ca-certificates
    libsdl2-dev libsdl2-ttf-dev libfontconfig-dev fonts-dejavu-core'
checks='openssl xvfb x11-utils x11-xkb-utils x11-xserver-utils clang-format util-linux
    mount procps xterm groff-base zenity openbox xdotool dbus-daemon at-spi2-core curl
    xserver-xorg-core xserver-xorg-video-dummy xserver-xephyr'
demo='xvfb openbox xterm zenity galculator mousepad x11-utils xdotool xclip
    fonts-noto-core librsvg2-common dbus-x11'
tasks="$demo yad featherpad pcmanfm x11-apps obconf lxappearance
    chromium xdg-utils libglib2.0-bin"
fuzz='clang libclang-rt-14-dev'
clients='nodejs npm'
arm='gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user'
bench='xvfb xterm zenity xdotool scrot maim imagemagick ffmpeg'
replay='xvfb openbox xdotool xclip dbus-x11 at-spi2-core x11-utils x11-apps
    x11-xserver-utils xfonts-base fonts-noto-core cnee xterm zenity mousepad
    galculator featherpad speedcrunch tk chromium'

want="$build $checks"
optional=''
for arg in "$@"; do
    case $arg in
    --demo) want="$want $demo" ;;
    --tasks) want="$want $tasks" ;;
    --fuzz|--bench|--replay|--clients|--arm) optional="$optional ${arg#--}" ;;
    *) echo "install_deps.sh: unknown option $arg" >&2; exit 2 ;;
    esac
done

missing() {
    for p in "$@"; do
        dpkg-query -W -f '${Status}' "$p" 2>/dev/null |
            grep -q 'ok installed' || printf '%s ' "$p"
    done
}

if ! command -v dpkg-query >/dev/null; then
    echo "install_deps.sh: no Debian here. Needed, by their Debian names:" $want
    exit 0
fi

as_root=''
[ "$(id -u)" -eq 0 ] || as_root=sudo

apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get "$@"
}

updated=''
install() {
    # A package may have come with another one since the list was made.
    # shellcheck disable=SC2046,SC2086
    set -- $(missing "$@")
    [ $# -gt 0 ] || return 0
    echo "installing: $*"
    if [ -z "$updated" ]; then
        apt -q update
        updated=yes
    fi
    apt -q -y --no-install-recommends install "$@"
}

# shellcheck disable=SC2086
install $want
# Each group by itself: one that cannot be had takes no other with it.
for group in $optional; do
    eval "packages=\$$group"
    # shellcheck disable=SC2154,SC2086
    install $packages || echo "install_deps.sh: going on without:" $packages
done
