#!/usr/bin/env bash
# What napari needs of a Linux machine without a desktop: Xvfb and the libraries that Qt loads at run
# time. Installs what is missing where apt may be used; elsewhere it says so and lets the caller go on.
set -euo pipefail

packages=(
    xvfb xauth libegl1 libgl1 libgl1-mesa-dri libopengl0 libxkbcommon-x11-0 libxcb-cursor0
    libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxcb-image0 libxcb-render-util0 libxcb-xinerama0
    libdbus-1-3 libfontconfig1
)

[ "$(uname -s)" = Linux ] || exit 0
if ! command -v apt-get >/dev/null; then
    command -v Xvfb >/dev/null || echo "No apt here: install Xvfb, or the GUI tests are skipped."
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed \
        || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n)
    if ! sudo -n true 2>/dev/null; then
        echo "Missing for the GUI (sudo apt-get install ${missing[*]}); going on without."
        exit 0
    fi
fi
export DEBIAN_FRONTEND=noninteractive
{
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
} || echo "apt-get could not install ${missing[*]}; going on without."
