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
# Further boards: tests skip, and say so, where one cannot be had.
boards=""
for pair in \
    qemu-system-riscv32:qemu-system-misc \
    riscv64-unknown-elf-gcc:gcc-riscv64-unknown-elf \
    avr-gcc:gcc-avr \
    simavr:simavr \
    xtensa-lx106-elf-gcc:gcc-xtensa-lx106 \
    sdcc:sdcc
do
    command -v "${pair%%:*}" >/dev/null 2>&1 || boards="$boards ${pair#*:}"
done
for pair in \
    /usr/lib/picolibc/riscv64-unknown-elf/picolibc.specs:picolibc-riscv64-unknown-elf \
    /usr/lib/avr/include/math.h:avr-libc \
    /usr/include/simavr/sim_avr.h:libsimavr-dev \
    /usr/include/libelf.h:libelf-dev \
    /usr/lib/xtensa-lx106-elf/include/math.h:picolibc-xtensa-lx106-elf
do
    [ -f "${pair%%:*}" ] || boards="$boards ${pair#*:}"
done
[ -z "$missing$boards" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    [ -z "$boards" ] || echo "Boards that are not tested without:$boards" >&2
    [ -z "$missing" ] && exit 0
    echo "These programs are missing; install them and try again:$missing" >&2
    exit 1
fi
as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"
$as_root apt-get update -qq
install="env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
# shellcheck disable=SC2086
[ -z "$missing" ] || $as_root $install $missing
for package in $boards
do
    $as_root $install "$package" || echo "$package cannot be installed: its board is not tested." >&2
done
