#!/bin/sh
# Programs that the tests use and pip does not install: LibreOffice, compilers, an emulator, a browser.
set -eu

missing=""
for pair in \
    soffice:libreoffice-calc \
    gcc:gcc \
    g++:g++ \
    tcc:tcc \
    arm-none-eabi-gcc:gcc-arm-none-eabi \
    qemu-system-arm:qemu-system-arm \
    node:nodejs \
    chromium:chromium
do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
[ -f /usr/lib/arm-none-eabi/include/math.h ] || [ -f /usr/include/newlib/math.h ] ||
    missing="$missing libnewlib-arm-none-eabi"
if command -v fc-list >/dev/null 2>&1 && [ -n "$(fc-list :lang=ja family | head -n 1)" ]; then
    :  # Japanese can be drawn
else
    missing="$missing fonts-noto-cjk fontconfig"
fi
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "These programs are missing; install them and try again:$missing" >&2
    exit 1
fi
as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"
$as_root apt-get update -qq
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
