#!/bin/bash
# scp-to-orchestrator opens each package to its end: what dpkg or rpm would
# choke on at the user's is refused on the build machine, and no connection is
# made. Where all are good it goes on to connect, to a host that is not there.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rpms.sh"

DEB=veilid-cli-0.3.4_amd64.deb

send() {
    "$BUILD/bin/scp-to-orchestrator" -c "$T/conf" -r v0.3.4 \
        -o orchestrator.host=orchestrator.invalid "$@"
}

good() { expect 69 'orchestrator.invalid' send "$1"; }

# refused REGEX DIR: the message names the package.
refused() {
    expect 65 "$2/[^ ]*: $1" send "$2"
    [ ! -s out ] || die "a result: $(cat out)"
}

# take_apart [COMPRESSION]: a good package in good/, its members in parts/.
take_apart() {
    rm -rf parts good
    make_deb good veilid-cli 0.3.4 amd64 "${1:-xz}"
    mkdir parts
    (cd parts && ar x ../good/$DEB)
}

# put_together DIR: the package of parts/, with ar(1), which sets the sizes.
put_together() {
    rm -rf "$1"
    mkdir "$1"
    (cd parts && ar qc "../$1/$DEB" debian-binary control.tar* data.tar*)
}

# A data.tar of these: tar's own options and names.
with_data() {
    rm -f parts/data.tar*
    tar -P --owner=0 --group=0 -cf parts/data.tar "$@"
    xz parts/data.tar
    put_together bad
}

test_what_dpkg_deb_makes() {
    local z
    for z in none gzip xz zstd; do
        take_apart $z
        good good
    done
    # what it can unpack, too
    for z in bzip2 'xz --format=lzma'; do
        take_apart none
        $z parts/data.tar
        put_together rare
        dpkg-deb -c rare/$DEB >/dev/null 2>&1 || die "not for dpkg: $z"
        good rare
    done
    # files without content, with long names and strange ones; links anywhere
    mkdir -p "root/usr/$(printf '%0200d' 1)/$(printf '%0200d' 2)" root/etc
    touch "root/usr/$(printf '%0200d' 1)/$(printf '%0200d' 2)/..." \
        $'root/etc/a\tb' 'root/etc/ümläut' 'root/etc/a..b'
    ln -s /etc/passwd root/etc/absolute
    ln -s ../../../x root/etc/climbs
    ln root/etc/a..b root/etc/hard
    take_apart
    with_data -C root .
    dpkg-deb -c bad/$DEB >/dev/null || die 'not for dpkg'
    good bad
}

# ar's sizes are right, and what is in it is not whole. (dpkg-deb 1.21 unpacks
# some of these without end.)
test_streams_that_are_damaged() {
    local z file size
    for z in gzip xz zstd; do
        DEB_EXTRA=$(head -c 3000 /dev/urandom | base64) take_apart $z
        file=$(echo parts/data.tar*)
        cp "$file" keep
        size=$(stat -c %s keep)
        head -c $((size - 1)) keep >"$file"
        put_together bad
        refused "${file#parts/}: " bad
        head -c $((size / 2)) keep >"$file"
        put_together bad
        refused "${file#parts/}: " bad
        cp keep "$file"
        printf '\125\252\125\252' | dd of="$file" bs=1 conv=notrunc \
            seek=$((size / 2)) status=none
        put_together bad
        refused "${file#parts/}: " bad
        : >"$file"
        put_together bad
        refused "${file#parts/}: " bad
        # packed otherwise than its name says
        rm "$file"
        echo text >"$file"
        put_together bad
        refused "${file#parts/}: " bad
    done
}

test_a_tar_that_ends_early() {
    local n
    mkdir -p root/usr
    head -c 2048 /dev/zero >root/usr/zeros
    echo last >root/usr/zz
    take_apart none
    # whole: three headers, three blocks and more of data, two of the end
    rm parts/data.tar*
    tar -C root -b1 --sort=name -cf whole.tar usr
    for n in 512 1024 2560 3072 3584 4096; do
        head -c $n whole.tar >parts/data.tar
        put_together bad
        refused "data.tar: .*(ends early|[Tt]runcated)" bad
        xz -k parts/data.tar
        rm parts/data.tar
        put_together bad
        refused "data.tar.xz: " bad
        rm parts/data.tar.xz
    done
    cp whole.tar parts/data.tar
    put_together right
    good right
    cat whole.tar whole.tar >parts/data.tar
    put_together bad
    refused 'data.tar: something follows the end' bad
}

test_members_that_no_package_has() {
    mkdir -p root/usr/bin
    echo x >root/usr/bin/x
    ln root/usr/bin/x root/usr/bin/y
    mkfifo root/usr/bin/fifo
    take_apart
    with_data --transform 's,^,/,' -C root usr/bin/x
    refused "data.tar.xz: '/usr/bin/x' is not a path below the root" bad
    with_data --transform 's,^usr,./usr/../..,' -C root usr/bin/x
    refused "data.tar.xz: './usr/../../bin/x' is not a path below" bad
    with_data --transform 'flags=h;s,^usr/bin/x,/etc/passwd,' -C root usr/bin/x usr/bin/y
    refused "data.tar.xz: 'usr/bin/y' is a link to '/etc/passwd'" bad
    with_data --transform 'flags=h;s,^usr/bin/x,../x,' -C root usr/bin/x usr/bin/y
    refused "data.tar.xz: 'usr/bin/y' is a link to '../x'" bad
    with_data -C root usr/bin/fifo
    refused "data.tar.xz: 'usr/bin/fifo' is not a file, directory or link" bad
    with_data -C / dev/null
    refused "data.tar.xz: 'dev/null' is not a file, directory or link" bad
}

# What stands in a name is not obeyed by a terminal.
test_names_for_a_terminal() {
    mkdir root
    mkfifo $'root/\033[2Jx'
    take_apart
    with_data -C root .
    refused 'data.tar.xz: ' bad
    LC_ALL=C grep -q $'\033' err && die "$(cat -v err)"
    return 0
}

test_each_bad_package_is_named() {
    take_apart
    head -c 50 parts/data.tar.xz >cut.xz
    mv cut.xz parts/data.tar.xz
    put_together bad
    mv bad/$DEB bad/veilid-server-0.3.4_amd64.deb
    take_apart
    head -c 70 parts/data.tar.xz >cut.xz
    mv cut.xz parts/data.tar.xz
    put_together worse
    mv worse/$DEB bad/
    make_deb bad lab-x 0.3.4 amd64
    expect 65 '2 of 3 failed' send bad
    grep -q "veilid-server.*data.tar.xz" err && grep -q "veilid-cli.*data.tar.xz" err ||
        die "$(cat err)"
}

test_rpms() {
    local payload rpm
    for payload in w1.gzdio w3.zstdio w2.xzdio w9.bzdio w2.lzdio w.ufdio; do
        build_rpm "r.$payload" x86_64 "$RPM_SPECS/plain.spec" \
            --define 'name veilid-cli' --define 'version 0.3.4' \
            --define 'release 1' --define "_binary_payload $payload" || continue
        good "r.$payload"
    done
    [ -d r.w1.gzdio ] && [ -d r.w3.zstdio ] || die 'no rpm was built'
    # others that rpm has made, of every kind of file
    make_odd_rpms odd
    for rpm in odd/*.rpm; do
        mkdir one
        mv "$rpm" one
        send -o 'release.packages=*' -b amd64-rpm one >out 2>err
        grep -qE 'payload' err && die "$rpm: $(cat err)"
        rm -r one
    done
}

run_tests
