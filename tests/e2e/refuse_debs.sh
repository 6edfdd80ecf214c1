#!/bin/bash
# Packages that are not what they claim to be: each is refused by name, with
# status 65, and the state stays as it was.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# refused REGEX FILE: publishing FILE says so and leaves nothing.
refused() {
    local regex=$1 file=$2
    mkdir -p bad
    rm -f bad/*
    mv "$file" bad/
    expect 65 "$(basename "$file").*$regex|$regex" \
        dist build -r v0.3.4 --from bad --partial
    grep -q "$(basename "$file")" "$T/err" || die "does not name the file"
    [ -z "$(ls state/generations)" ] || die "published"
    [ -z "$(find state/objects -name "$(sha256sum <"bad/$(basename "$file")" | cut -c1-64)")" ] ||
        die "is in the store under its name"
}

# Takes a good package apart into ./parts and leaves it there.
take_apart() {
    make_deb good "${1:-veilid-cli}" "${2:-0.3.4}" amd64 "${3:-xz}"
    rm -rf parts
    mkdir parts
    (cd parts && ar x ../good/*.deb)
}

test_truncated_anywhere() {
    make_deb good veilid-cli 0.3.4 amd64
    local size n
    size=$(stat -c %s good/*.deb)
    for n in 0 1 7 8 30 68 71 72 100 131 132 200 $((size / 2)) $((size - 2)); do
        head -c "$n" good/*.deb >cut.deb
        refused '' cut.deb
    done
}

test_lying_ar_sizes() {
    make_deb good veilid-cli 0.3.4 amd64
    local at size n
    # the size field of the third header, as text of 10 columns
    at=$(LC_ALL=C grep -abo 'data.tar.xz' good/*.deb | cut -d: -f1)
    for size in 0 10 999999999 4294967296 -1 18446744073709551615; do
        cp good/*.deb lie.deb
        printf '%-10.10s' "$size" |
            dd of=lie.deb bs=1 seek=$((at + 48)) conv=notrunc status=none
        refused '' lie.deb
    done
    n=$(LC_ALL=C grep -abo 'control.tar.xz' good/*.deb | cut -d: -f1)
    cp good/*.deb lie.deb
    printf '%-10s' 4 | dd of=lie.deb bs=1 seek=$((n + 48)) conv=notrunc status=none
    refused '' lie.deb
}

# 1 GiB of zeros is a few kilobytes of xz.
test_a_control_file_that_explodes() {
    take_apart
    mkdir c
    truncate -s 1G c/control
    tar -C c -cf - ./control | xz -T2 -0 >parts/control.tar.xz
    ar rc bomb.deb parts/debian-binary parts/control.tar.xz parts/data.tar.xz
    refused 'unpacks to more than 16777216 bytes' bomb.deb
    truncate -s 2M c/control
    tar -C c -cf - ./control | xz -0 >parts/control.tar.xz
    ar rc big.deb parts/debian-binary parts/control.tar.xz parts/data.tar.xz
    refused 'control file is larger than 1048576 bytes' big.deb
    rm c/control
    truncate -s 1G c/postinst
    dpkg-deb -f good/*.deb >c/control
    tar -C c -cf - ./postinst ./control | xz -T2 -0 >parts/control.tar.xz
    ar rc bomb.deb parts/debian-binary parts/control.tar.xz parts/data.tar.xz
    refused 'unpacks to more than' bomb.deb
    rm -rf c bad
}

test_members() {
    take_apart
    cd parts || exit 1
    cp control.tar.xz control.tar
    ar qc ../two.deb debian-binary control.tar.xz control.tar.xz data.tar.xz
    ar qc ../other.deb debian-binary control.tar.xz control.tar data.tar.xz
    ar qc ../order.deb debian-binary data.tar.xz control.tar.xz
    ar qc ../nodata.deb debian-binary control.tar.xz
    ar qc ../extra.deb debian-binary control.tar.xz data.tar.xz control.tar
    ar qc ../first.deb control.tar.xz debian-binary data.tar.xz
    echo 3.0 >debian-binary
    ar qc ../format.deb debian-binary control.tar.xz data.tar.xz
    cd ..
    refused "third member is 'control.tar.xz'" two.deb
    refused "third member is 'control.tar'" other.deb
    refused "second member is 'data.tar.xz'" order.deb
    refused 'truncated: 2 of 3 members' nodata.deb
    refused "unexpected member 'control.tar'" extra.deb
    refused 'not a Debian package' first.deb
    refused 'format is not 2.x' format.deb
    echo 'no package' >text.deb
    refused '' text.deb
}

# with_control NAME TEXT: a package with this control file.
with_control() {
    rm -rf c
    mkdir c
    printf '%b' "$2" >c/control
    tar -C c -czf parts/control.tar.gz ./control
    (cd parts && ar rc "../$1" debian-binary control.tar.gz data.tar.xz)
}

test_control_files() {
    take_apart
    rm parts/control.tar.xz
    local rest='Architecture: amd64\nMaintainer: L <l@example.org>\nDescription: d\n'
    local name='Package: veilid-cli\n' version='Version: 0.3.4\n'
    with_control good.deb "$name$version$rest"
    mkdir g && mv good.deb g/
    must dist -o "repository.state=$T/s2" build -r v0.3.4 --from g --partial
    with_control a.deb "$version$rest"
    refused 'lacks the field Package' a.deb
    with_control a.deb "$name$rest"
    refused 'lacks the field Version' a.deb
    with_control a.deb "$name${version}Architecture: amd64\nDescription: d\n"
    refused 'lacks the field Maintainer' a.deb
    with_control a.deb "$name$version${name}$rest"
    refused 'field Package twice' a.deb
    with_control a.deb "$name$version${rest}Filename: ../../etc/passwd\n"
    refused 'field Filename, which belongs to an index' a.deb
    with_control a.deb "$name$version${rest}sha256: 00\n"
    refused 'field SHA256' a.deb
    with_control a.deb "$name$version${rest}\nPackage: other\n$version$rest"
    refused 'more than one paragraph' a.deb
    with_control a.deb "Package: ../x\n$version$rest"
    refused "bad package name '../x'" a.deb
    with_control a.deb "${name}Version: 1/../2\n$rest"
    refused "bad version" a.deb
    with_control a.deb "$name$version${rest}X: a\x01b\n"
    refused 'control character' a.deb
    with_control a.deb "$name$version$rest no field\n#x\n"
    refused 'is not a field' a.deb
    : >c/control
    tar -C c -czf parts/control.tar.gz ./control
    (cd parts && ar rc ../a.deb debian-binary control.tar.gz data.tar.xz)
    refused 'no control file' a.deb
    ln -sf /etc/passwd c/control
    tar -C c -czf parts/control.tar.gz ./control
    (cd parts && ar rc ../a.deb debian-binary control.tar.gz data.tar.xz)
    refused 'not a plain file' a.deb
}

test_not_of_this_release() {
    make_deb a veilid-cli 0.3.5 amd64
    refused 'version is 0.3.5, but the release is v0.3.4' a/*.deb
    make_deb b bash 0.3.4 amd64
    refused "package 'bash' is not on the list" b/*.deb
    make_deb d veilid-cli 0.3.4 i386
    refused "architecture 'i386' is not one of the suite's" d/*.deb
    make_deb e veilid-cli 0.3.4 arm64
    make_drop home/incoming v0.3.4 amd64-deb x e/*.deb
    make_drop home/incoming v0.3.4 arm64-deb x e/*.deb
    expect 65 'architecture is arm64, but the build is of amd64' dist build -r v0.3.4
    # a revision and an epoch are of the release
    make_deb f veilid-cli 1:0.3.4-2 amd64
    must dist build -r v0.3.4 --from f --partial
}

test_every_bad_one_is_named() {
    make_deb p veilid-cli 0.3.5 amd64
    make_deb p veilid-server 0.3.6 amd64
    make_deb p veilid-cli 0.3.4 arm64
    expect 65 '2 of 3 failed' dist build -r v0.3.4 --from p
    grep -q 'veilid-cli-0.3.5_amd64.deb.*version' err || die "first"
    grep -q 'veilid-server-0.3.6_amd64.deb.*version' err || die "second"
}

test_an_rpm_is_not_dropped_silently() {
    make_deb p veilid-cli 0.3.4 amd64
    touch p/veilid-cli-0.3.4-1.x86_64.rpm
    expect 65 'rpm' dist build -r v0.3.4 --from p --partial
    expect 66 'build amd64-rpm' dist \
        -o 'release.builds=amd64-deb amd64-rpm' build -r v0.3.4
    expect 78 'amd64-msi.*is not a build' dist -o 'release.builds=amd64-msi' \
        build -r v0.3.4
    expect 66 'no .deb and no .rpm in' dist build -r v0.3.4 --from home --partial
    expect 66 'nowhere' dist build -r v0.3.4 --from nowhere --partial
}

run_tests
