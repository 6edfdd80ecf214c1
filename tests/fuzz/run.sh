#!/bin/bash
# Builds the fuzz targets and runs each of them for its part of the time.
#
#   BUILD=build tests/fuzz/run.sh [SECS [TARGET...]]
#
# 60 seconds where SECS is not given. A target is fuzz_NAME.c; all of them
# where none is named. What the fuzzer found worth keeping stays below
# $BUILD/fuzz/corpus, so that the next run goes on from there. Status 1: a
# target failed; the input that does it is named, and
# $BUILD/fuzz/fuzz_NAME FILE shows it again. CC names the clang.
set -euo pipefail

seconds=${1:-60}
shift || true
build=${BUILD:-build}
clang=${CC:-clang}
case $("$clang" --version 2>/dev/null) in
*clang*) ;;
*) clang=clang ;;
esac
cd "$(dirname "$0")/../.."
here=tests/fuzz
fuzz=$build/fuzz

[[ $seconds =~ ^[1-9][0-9]*$ ]] || {
    echo "fuzz: '$seconds' is not a number of seconds" >&2
    exit 64
}
command -v "$clang" >/dev/null || {
    echo 'fuzz: clang is not installed' >&2
    exit 69
}
mkdir -p "$fuzz/obj"
work=$(mktemp -d "${TMPDIR:-/tmp}/vf.XXXXXX")
finish() {
    gpgconf --homedir "$work/g" --kill all 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# -------------------------------------------------------------- building

flags=(-std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 '-DVERSION="fuzz"'
    -iquote . -pthread -g -O1 -fno-omit-frame-pointer -Wall -Wextra -Werror
    -fno-sanitize-recover=all)
libraries=(-larchive -lgpgme -lcurl -lssh -lcjson -linih -lz -lcrypto
    -lseccomp)

# All of it again, each time: the sources are few.
build_library() {
    # shellcheck disable=SC2016  # $1 is the inner shell's
    printf '%s\0' lib/*/*.c | xargs -0 -P "$(nproc)" -I '{}' sh -c '
        source=$1 object=$2/obj/$(printf %s "${1%.c}" | tr / _).o
        shift 2
        "$@" -c -o "$object" "$source"' sh '{}' "$fuzz" "$clang" \
        "${flags[@]}" -fsanitize=fuzzer-no-link,address,undefined
    rm -f "$fuzz/lib.a"
    ar rcs "$fuzz/lib.a" "$fuzz"/obj/*.o
    rm -f "$fuzz"/obj/*.o
}

build_target() {
    "$clang" "${flags[@]}" -fsanitize=fuzzer,address,undefined \
        -o "$fuzz/$1" "$here/$1.c" "$fuzz/lib.a" "${libraries[@]}"
}

# ------------------------------------------------------------------ seeds

# make_deb FILE COMPRESSION
make_deb() {
    local tree=$work/tree
    rm -rf "$tree"
    mkdir -p "$tree/DEBIAN" "$tree/usr"
    cat "$work/control" >"$tree/DEBIAN/control"
    echo data >"$tree/usr/data"
    chmod -R go-w "$tree"
    dpkg-deb --root-owner-group "-Z$2" -b "$tree" "$1" >/dev/null
}

seed_relation() {
    printf '\0libc6:any (>= 2.34) | aa, bb (<< 1:1-1~x)' >"$1/depends"
    printf '\1aa (<= 1), bb (=10)' >"$1/breaks"
    printf '\2aa (= 1), bb' >"$1/provides"
    printf '\4src (1:1-1)' >"$1/source"
    printf '\5same' >"$1/multi-arch"
    printf '\6yes' >"$1/essential"
    printf '\7optional' >"$1/priority"
}

seed_deb() {
    local compression
    for compression in none gzip xz zstd; do
        make_deb "$1/$compression" "$compression" 2>/dev/null ||
            rm -f "$1/$compression"
    done
    head -c 100 "$1/xz" >"$1/cut"
}

seed_manifest() {
    local a b
    a=$(printf a | sha256sum | cut -c -64)
    b=$(printf b | sha256sum | cut -c -64)
    printf '%s  a_1.0_amd64.deb\n%s  b_1.0_all.deb\n' "$a" "$b" >"$1/drop"
    printf '# serial 7\n# release v0.3.4\n# date %s\n# previous %s\n' \
        2026-11-22T15:04:05Z "$a" >"$1/tree"
    printf '%s  apt/dists/stable/InRelease\n%s  apt/pool/a.deb\n' \
        "$a" "$b" >>"$1/tree"
    printf '%s  ../a\n' "$a" >"$1/climbs"
    printf '%s  a\n%s  a/b\n' "$a" "$b" >"$1/lies-in"
}

seed_control() {
    cp "$work/control" "$1/control"
    {
        cat "$work/control"
        printf 'Filename: pool/a.deb\nSize: 3\n\nPackage: b\n\n\n'
    } >"$1/index"
    printf '1.0-1\n1:0.9~rc1\n1.0+b1-0.1' >"$1/versions"
    printf '1.0~~ 1.0~ 1.0' >"$1/tildes"
    printf '0000001 1 01a' >"$1/zeros"
}

seed_pgp_packet() {
    export GNUPGHOME=$work/g
    mkdir -m 700 "$GNUPGHOME"
    gpg --batch --quiet --passphrase '' --quick-gen-key 'Fuzz <f@example.org>' \
        ed25519 sign 1y 2>/dev/null
    gpg --batch --quiet --no-auto-check-trustdb --export >"$1/key"
    printf '\x88\x04\x04\x13\x16\x02' >"$1/sha1"
    printf '\xc2\xff\x00\x00\x00\x04\x04\x13\x16\x08' >"$1/long"
}

seed_rpm_rich() {
    printf '((a and b) if (c or d >= 1:2) else e)' >"$1/if"
    printf '(a with b < 3)' >"$1/with"
    printf '(a(b) or' >"$1/cut"
}

# Where there is no rpmbuild, the corpus of earlier runs has to do.
seed_rpm() {
    local payload spec=$work/seed.spec
    printf '\xed\xab\xee\xdb\x03' >"$1/lead"
    command -v rpmbuild >/dev/null || return 0
    printf '%s\n' 'Name: fuzz-seed' 'Epoch: 1' 'Version: 1.0~rc1' \
        'Release: 1' 'Summary: seed' 'License: MIT' 'BuildArch: noarch' \
        'AutoReqProv: no' 'Requires: a >= 1' 'Recommends: b' \
        '%description' seed '%install' \
        'mkdir -p %{buildroot}/etc && echo x >%{buildroot}/etc/seed' \
        '%files' /etc/seed >"$spec"
    for payload in w9.gzdio w3.zstdio; do
        rpmbuild -bb --quiet --define "_topdir $work/rpm" \
            --define "_rpmdir $work/rpm/$payload" \
            --define "_binary_payload $payload" \
            --define '__gpg_reserved_space 64' "$spec" >/dev/null 2>&1 ||
            continue
        cp "$work/rpm/$payload"/noarch/*.rpm "$1/$payload"
    done
}

seed_repodata() {
    local a
    a=$(printf a | sha256sum | cut -c -64)
    {
        printf '<metadata packages="1">\n<package type="rpm"><name>a</name>'
        printf '<arch>noarch</arch><version epoch="0" ver="1" rel="1"/>'
        printf '<checksum type="sha256" pkgid="YES">%s</checksum>' "$a"
        printf '<size package="9"/><location href="a.rpm"/><format>'
        printf '<rpm:header-range start="1" end="2"/></format></package>\n'
        printf '</metadata>\n'
    } >"$1/primary"
    {
        printf '<filelists packages="1">\n<package pkgid="%s" name="a">' "$a"
        printf '<file>/a</file></package>\n</filelists>\n'
    } >"$1/filelists"
    {
        printf '<repomd><revision>1</revision><data type="primary">'
        printf '<checksum type="sha256">%s</checksum>' "$a"
        printf '<open-checksum type="sha256">%s</open-checksum>' "$a"
        printf '<location href="repodata/a.gz"/><size>1</size>'
        printf '<open-size>2</open-size></data></repomd>\n'
    } >"$1/repomd"
    printf -- '-----BEGIN PGP SIGNATURE-----\n\niAF4\n=abcd\n%s\n' \
        '-----END PGP SIGNATURE-----' >"$1/armour"
}

# seed_packed FILE FORMAT FILTER COMMAND...: a byte for what it is (0 ar, 1
# tar, 2 stream; 0 plain, 1 xz, 2 zstd), one for the length of the pieces,
# and standard input through the command
seed_packed() {
    local file=$1 kind=$(($2 + 3 * $3))
    shift 3
    {
        # shellcheck disable=SC2059  # the format is made of the number
        printf "\\x$(printf %02x "$kind")\\x00"
        "$@"
    } >"$file"
}

seed_archive() {
    local tree=$work/archive format
    mkdir -p "$tree/a"
    echo one >"$tree/a/one"
    ln -s one "$tree/a/link"
    ln "$tree/a/one" "$tree/a/two"
    tar -C "$tree" -cf "$work/plain.tar" a
    tar -C "$tree" --format=pax -cf "$work/pax.tar" a
    make_deb "$work/seed.deb" xz
    seed_packed "$1/ar" 0 0 cat <"$work/seed.deb"
    seed_packed "$1/pax" 1 0 cat <"$work/pax.tar"
    for format in 1 2; do
        seed_packed "$1/plain-$format" "$format" 0 cat <"$work/plain.tar"
        seed_packed "$1/xz-$format" "$format" 1 xz -c <"$work/plain.tar"
        if command -v zstd >/dev/null; then
            seed_packed "$1/zst-$format" "$format" 2 zstd -q -c \
                <"$work/plain.tar"
        fi
    done
}

# A byte for the length of the pieces, odd, and an archive of each format.
seed_tar() {
    local tree=$work/tar format name
    name=$(head -c 60 /dev/zero | tr '\0' n)
    mkdir -p "$tree/a/$name"
    echo one >"$tree/a/one"
    echo two >"$tree/a/$name/$name"
    for format in oldgnu gnu ustar posix; do
        {
            printf '\xff'
            tar -C "$tree" -b 1 --format=$format -cf - a
        } >"$1/$format"
    done
    ln -s "$name/$name" "$tree/a/link"
    { printf '\1' && tar -C "$tree" -b 1 --format=gnu -cf - a; } >"$1/links"
    truncate -s 1M "$tree/hole"
    {
        printf '\1'
        tar -C "$tree" -b 1 --format=posix -cSf - hole
    } >"$1/sparse"
}

# seed_contents_of FILE KIND COMMAND...: standard input through the command,
# behind a byte for what it is (1: cpio; 2 for each packing) and one more
seed_contents_of() {
    local file=$1 kind=$2
    shift 2
    {
        # shellcheck disable=SC2059  # the format is made of the number
        printf "\\x$(printf %02x "$kind")\\x3f"
        "$@"
    } >"$file"
}

seed_contents() {
    local tree=$work/contents
    mkdir -p "$tree/usr"
    echo one >"$tree/usr/one"
    ln -s one "$tree/usr/link"
    ln "$tree/usr/one" "$tree/usr/two"
    tar -C "$tree" -b 1 -cf "$work/contents.tar" .
    seed_contents_of "$1/tar" 0 cat <"$work/contents.tar"
    seed_contents_of "$1/gz" 2 gzip -n -c <"$work/contents.tar"
    seed_contents_of "$1/xz" 4 xz -c <"$work/contents.tar"
    seed_contents_of "$1/zst" 6 zstd -q -c <"$work/contents.tar"
    seed_contents_of "$1/bz2" 8 bzip2 -c <"$work/contents.tar"
    seed_contents_of "$1/lzma" 10 xz --format=lzma -c <"$work/contents.tar"
    if command -v cpio >/dev/null; then
        (cd "$tree" && find . | cpio -o -H newc --quiet) >"$work/contents.cpio"
        seed_contents_of "$1/cpio" 1 cat <"$work/contents.cpio"
        seed_contents_of "$1/cpio-gz" 3 gzip -n -c <"$work/contents.cpio"
    fi
}

seed_gunzip() {
    gzip -n -c <"$work/control" >"$1/usual"
    gzip -c "$work/control" >"$1/named"
    gzip -n -c </dev/null >"$1/empty"
    head -c 100000 /dev/zero | gzip -n -9 -c >"$1/zeros"
    cat "$1/usual" "$1/empty" >"$1/two"
}

seed_conf() {
    cat >"$1/usual" <<EOF
# a comment
[release]
builds = amd64-deb arm64-deb
packages = a b
    c
[suite stable]
origin = packages.example.org
grace = 7d
[signing]
min-days = 30
EOF
    printf 'suite stable.origin=x' >"$1/override"
    printf '[deploy]\nrot = /srv\n' >"$1/unknown"
    printf '[%s]\n' "$(head -c 70 /dev/zero | tr '\0' a)" >"$1/long"
}

seed_reader() {
    printf 'd\0\0\0\3abcf\0\0\0\0' >"$1/answer"
    printf 'e\0\0\0\4\101bad' >"$1/error"
}

seed_json() {
    printf '{"droplet":{"id":7,"name":"a","locked":false,"tags":["x"]}}' \
        >"$1/droplet"
    printf '{"droplets":[{"id":1},{"id":2e3}],"meta":{"total":2.5}}' >"$1/list"
    printf '{"id":"not_found","message":"none","request_id":"1a"}' >"$1/error"
    printf '{"message":{"tag_list":["is \\u00e4\\n"]}}' >"$1/fields"
    printf '{"error":"invalid","error_description":"it is"}' >"$1/words"
    printf '<html>\r\n<h1>502 Bad Gateway</h1>\n</html>' >"$1/html"
    printf 'retry-after: 7\r\n' >"$1/wait"
    printf 'ratelimit-reset: 1795330830\r\n' >"$1/reset"
    printf 'x-request-id: 1a-2b\r\n' >"$1/id"
}

# sftp_answer WHICH TYPE BODY: one answer, its bytes as printf writes them
sftp_answer() {
    local n
    # shellcheck disable=SC2059  # the bytes are a format
    n=$(printf "$3" | wc -c)
    # shellcheck disable=SC2059
    printf "\\x$1\\x$2\\x$(printf %02x "$n")$3"
}

seed_sftp() {
    local zero='\0\0\0\0' attributes limits name
    # 8 KiB each way, at most 3 handles
    limits=$zero$zero"$zero\0\0\x20\0$zero\0\0\x20\0$zero\0\0\0\x03"
    attributes='\0\0\0\x0d'"$zero"'\0\0\0\x10\0\0\x81\xa4'$zero$zero
    name='\0\0\0\x01\0\0\0\x01a'$zero$zero
    {
        printf '\0'
        sftp_answer 00 c9 "$limits"
        sftp_answer 00 66 '\0\0\0\x01h'
        sftp_answer 00 66 '\0\0\0\x01i'
        sftp_answer 00 69 "$attributes"
        sftp_answer 00 65 '\0\0\0\x04'
    } >"$1/put"
    {
        printf '\x01'
        sftp_answer 00 65 '\0\0\0\x08'
        sftp_answer 00 66 '\0\0\0\x01h'
        sftp_answer 00 68 "$name"
        sftp_answer 00 65 '\0\0\0\x01'
    } >"$1/list"
    {
        printf '\x02'
        sftp_answer 00 c9 "$limits"
        sftp_answer 00 66 '\0\0\0\x01h'
        sftp_answer 00 69 "$attributes"
        sftp_answer 00 67 '\0\0\0\x10'"$zero$zero$zero$zero"
    } >"$1/read"
    printf '\x03\0\x65\x04\0\0\0\x08' >"$1/names"
    printf '\x80\0\0\0\x05\x02\0\0\0\x03' >"$1/raw"
    printf '\x81Welcome\n' >"$1/greeting"
}

cat >"$work/control" <<EOF
Package: fuzz-seed
Version: 1:1.0~rc1-1
Architecture: amd64
Maintainer: Fuzz <f@example.org>
Depends: libc6 (>= 2.34)
Description: seed
 of more than one line
 .
 and a paragraph
EOF

# ---------------------------------------------------------------- running

failed=()
run_target() {
    local target=$1 time=$2 corpus=$fuzz/corpus/$1 seeds=$work/$1 status=0
    mkdir -p "$corpus" "$seeds" "$fuzz/crashes"
    "seed_${target#fuzz_}" "$seeds"
    # An xz or lzma header may ask for a window of 4 GiB that it never fills,
    # a cpio for a name of 4 GiB, for which libarchive takes twice as much. The
    # tools have 2 GiB.
    ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 \
        "$fuzz/$target" -max_total_time="$time" -timeout=20 \
        -rss_limit_mb=2560 -malloc_limit_mb=9216 -max_len=20480 -print_final_stats=1 \
        -artifact_prefix="$fuzz/crashes/$target-" "$corpus" "$seeds" \
        >"$fuzz/$target.log" 2>&1 || status=$?
    if [ "$status" = 0 ]; then
        awk -v name="$target" '/^#[0-9]+.*DONE/ { cov = $4 }
            /number_of_executed_units/ { runs = $2 }
            END { printf "%-16s ok, %d runs, %d edges\n", name, runs, cov }' \
            "$fuzz/$target.log"
        return
    fi
    failed+=("$target")
    echo "$target: FAILED, see $fuzz/$target.log"
    grep -E 'ERROR: |runtime error|not so: |SUMMARY' "$fuzz/$target.log" |
        head -n 4 || true
    sed -n 's/.*Test unit written to /  input: /p' "$fuzz/$target.log"
}

targets=("$@")
if [ "${#targets[@]}" = 0 ]; then
    for source in "$here"/fuzz_*.c; do
        targets+=("$(basename "$source" .c)")
    done
fi
build_library
part=$((seconds / ${#targets[@]}))
[ "$part" -gt 0 ] || part=1
for target in "${targets[@]}"; do
    build_target "$target"
    run_target "$target" "$part"
done
[ "${#failed[@]}" = 0 ] || {
    echo "fuzz: failed: ${failed[*]}" >&2
    exit 1
}
