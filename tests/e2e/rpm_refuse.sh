#!/bin/bash
# .rpms that are not what they claim to be: each is refused by name, with
# status 65, and the state stays as it was.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rpms.sh"

F=veilid-cli-0.3.4-1.x86_64.rpm
PATCH=$ROOT/tests/e2e/rpm_patch.py

setup() {
    use_builds amd64-rpm
    make_rpm good veilid-cli 0.3.4
}

patch() { python3 "$PATCH" "$@"; }

# refused REGEX FILE: publishing FILE says so and leaves nothing.
refused() {
    rm -rf bad
    mkdir bad
    mv "$2" bad/
    expect 65 "$1" dist build -r v0.3.4 --from bad --partial
    grep -q "$(basename "$2")" "$T/err" || die "does not name the file"
    grep -q 'error:' "$T/err" || die "no error"
    nothing_is_stored || die "something was stored"
}

# spoilt REGEX VERB ARGUMENT...: the good one after rpm_patch.py.
spoilt() {
    local regex=$1 verb=$2
    shift 2
    cp good/$F x.rpm
    must patch "$verb" x.rpm "$@"
    refused "$regex" x.rpm
}

# bound NAME: where this part of the good one begins.
bound() {
    awk -v name="$1" '$2 == name {print $1}' bounds
}

test_truncated_anywhere() {
    local n
    setup
    for n in $(patch bounds good/$F | cut -d' ' -f1); do
        echo "$n"; echo $((n - 1)); echo $((n + 1))
    done | sort -nu >sizes
    [ "$(wc -l <sizes)" -ge 20 ] || die "$(cat sizes)"
    while read -r n; do
        [ "$n" -ge 0 ] && [ "$n" -lt "$(stat -c %s good/$F)" ] || continue
        head -c "$n" good/$F >cut.rpm
        refused 'cut.rpm: ' cut.rpm
    done <sizes
    cp good/$F longer.rpm
    echo x >>longer.rpm
    refused 'longer.rpm: .*something follows' longer.rpm
}

test_magic_numbers() {
    setup
    patch bounds good/$F >bounds
    spoilt 'not an rpm package' put 0 00000000
    spoilt 'package format 9' put 4 09
    spoilt 'source package' put 6 0001
    spoilt 'package type 7' put 6 0007
    spoilt 'signature type 6' put 78 0006
    spoilt 'signature header: .*magic' put 96 00
    spoilt 'x.rpm: header: .*magic' put "$(bound main-intro)" 00
    echo 'no package' >text.rpm
    refused 'text.rpm' text.rpm
    : >empty.rpm
    refused 'empty.rpm.*truncated' empty.rpm
}

test_lies_about_lengths() {
    local signature main
    setup
    patch bounds good/$F >bounds
    signature=$(bound signature-intro)
    main=$(bound main-intro)
    # entries: 100000, none, all that 32 bits can say
    spoilt 'signature header: has 100000 entries' put $((signature + 8)) 000186a0
    spoilt 'x.rpm: header: has 100000 entries' put $((main + 8)) 000186a0
    spoilt 'x.rpm: header: has 4294967295 entries' put $((main + 8)) ffffffff
    spoilt 'x.rpm: header: has 0 entries' put $((main + 8)) 00000000
    # one more than there are
    spoilt 'x.rpm: header: ' put $((main + 8)) "$(printf '%08x' \
        $(($(od -An -tu4 -j $((main + 8)) -N 4 --endian=big good/$F) + 1)))"
    # bytes of data
    spoilt 'signature header: has 4294967295 bytes' put $((signature + 12)) ffffffff
    spoilt 'x.rpm: header: has 2147483647 bytes' put $((main + 12)) 7fffffff
    spoilt 'x.rpm: header: has 0 bytes' put $((main + 12)) 00000000
    # as many as are allowed, and not there
    spoilt 'x.rpm: header: truncated' put $((main + 12)) 02000000
    # the second entry: a type, an offset, a count, a tag out of order, which
    # may be, but is not what was hashed
    main=$(bound main-index)
    spoilt 'unknown type' put $((main + 16 + 4)) 0000000b
    spoilt 'beyond the data' put $((main + 16 + 8)) 7ffffff0
    spoilt 'has [0-9]+ (items|strings)|runs beyond' put $((main + 16 + 12)) 7fffffff
    spoilt "the header's SHA-256 is wrong" put $((main + 16)) 00100000
    spoilt 'the region' put "$main" 00000040
}

test_digests() {
    local payload
    setup
    patch bounds good/$F >bounds
    payload=$(bound main-end)
    spoilt "the header's SHA-256 is wrong" flip $((payload - 40))
    spoilt "the payload's digest is wrong" flip $((payload + 20))
    spoilt "the payload's digest is wrong" flip -1
    # the digest itself
    cp good/$F x.rpm
    local at
    at=$(LC_ALL=C grep -abo "$(rpm -qp --nosignature --qf '%{SHA256HEADER}' good/$F)" \
        good/$F | cut -d: -f1)
    spoilt "the header's SHA-256 is wrong" put "$at" 7a
}

# The digests are right again, so it is the name that is refused.
test_names_that_climb() {
    local text
    setup
    # as long as veilid-cli
    for text in ../../../a /etc/passw 'veilid cli' .eilid-cli -eilid-cli \
        'veilid%cli' veilid@cli; do
        spoilt "bad name '$text'" string 1000 "$text"
    done
    spoilt "bad version '../.4'" string 1001 ../.4
    spoilt "bad version '0-3.4'" string 1001 0-3.4
    spoilt "bad release '/'" string 1002 /
    spoilt "bad architecture '../../'" string 1022 ../../
    # the same way, one that is in order: it is the names that were judged
    mkdir p
    cp good/$F p/
    must patch string p/$F 1000 veilid-clj
    must dist -o 'release.packages=veilid-clj' build -r v0.3.4 --from p
}

test_not_of_this_release() {
    setup
    make_rpm a veilid-cli 0.3.5
    refused 'version is 0.3.5, but the release is v0.3.4' a/*.rpm
    make_rpm b bash 0.3.4
    refused "package 'bash' is not on the list" b/*.rpm
    make_rpm c veilid-cli 0.3.4 1 aarch64
    make_rpm i veilid-cli 0.3.4 1 i686
    refused "architecture 'i686' is not one of the suite's" i/*.rpm
    expect 66 'no package of build amd64-rpm' dist build -r v0.3.4 --from c
    # every bad one is named
    mkdir all
    make_rpm all veilid-cli 0.3.6
    make_rpm all veilid-server 0.3.7
    expect 65 'failed' dist build -r v0.3.4 --from all
    grep -q 'veilid-cli-0.3.6-1.x86_64.rpm.*version' err || die "first"
    grep -q 'veilid-server-0.3.7-1.x86_64.rpm.*version' err || die "second"
    [ -z "$(ls state/generations)" ] || die "published"
    must dist build -r v0.3.4 --from good
}

test_a_source_package() {
    setup
    mkdir s
    HOME=$T/home rpmbuild -bs --define "_topdir $T/top" --define "_srcrpmdir $T/s" \
        --define 'name veilid-cli' --define 'version 0.3.4' --define 'release 1' \
        "$RPM_SPECS/plain.spec" >/dev/null 2>&1
    [ -e s/veilid-cli-0.3.4-1.src.rpm ] || die "no source package"
    refused 'source package' s/veilid-cli-0.3.4-1.src.rpm
    HOME=$T/home rpmbuild -bs --define "_topdir $T/top" --define "_srcrpmdir $T/s" \
        --define 'name veilid-cli' --define 'version 0.3.4' --define 'release 1' \
        "$RPM_SPECS/plain.spec" >/dev/null 2>&1
    # one that only its header gives away
    must patch put s/veilid-cli-0.3.4-1.src.rpm 6 0000
    refused 'a source package by its header' s/veilid-cli-0.3.4-1.src.rpm
}

test_drops() {
    local d=home/incoming/v0.3.4.amd64-rpm.j1 x
    setup
    # what is good in itself may wait in the store, unnamed
    nothing() { [ -z "$(ls state/generations)" ] || die "published"; }
    expect 66 'no complete drop of build amd64-rpm' dist build -r v0.3.4
    # another architecture
    make_rpm a veilid-cli 0.3.4 1 aarch64
    make_drop home/incoming v0.3.4 amd64-rpm j1 a/*
    expect 65 'aarch64.rpm: architecture is arm64, but the build is of amd64' \
        dist build -r v0.3.4
    nothing
    # another format
    rm -rf home/incoming/*
    make_deb e veilid-cli 0.3.4 amd64
    make_drop home/incoming v0.3.4 amd64-rpm j1 good/* e/*
    expect 65 'veilid-cli-0.3.4_amd64.deb: it is a .deb, but the build is amd64-rpm' \
        dist build -r v0.3.4
    nothing
    use_builds amd64-deb
    make_drop home/incoming v0.3.4 amd64-deb j1 good/* e/*
    expect 65 "$F: it is a .rpm, but the build is amd64-deb" dist build -r v0.3.4
    nothing
    use_builds amd64-rpm
    # another hash than it lists
    rm -rf home/incoming/*
    make_drop home/incoming v0.3.4 amd64-rpm j1 good/*
    x=$(cat $d/SHA256SUMS)
    sed -i 's/^./x/; s/^x/0/' $d/SHA256SUMS
    [ "$x" != "$(cat $d/SHA256SUMS)" ] || sed -i 's/^./1/' $d/SHA256SUMS
    expect 65 "$F: does not have the hash that its SHA256SUMS lists" \
        dist build -r v0.3.4
    nothing
    echo "$x" >$d/SHA256SUMS
    cp good/$F $d/lab-stray.rpm
    expect 65 "'lab-stray.rpm' is not in its SHA256SUMS" dist build -r v0.3.4
    nothing
    rm $d/lab-stray.rpm
    must dist build -r v0.3.4
    [ "$(dist list 2>/dev/null | cut -f2-5)" = \
        "$(printf 'rpm\tx86_64\tveilid-cli\t0.3.4-1')" ] || die "$(dist list)"
}

test_links_and_other_things() {
    setup
    mkdir p
    ln -s ../good/$F p/$F
    expect 65 "$F.*not a regular file" dist build -r v0.3.4 --from p
    rm p/$F
    mkdir p/$F
    expect 65 "$F" dist build -r v0.3.4 --from p
    nothing_is_stored || die "something was stored"
}

# rpm of Enterprise Linux 8 and 9 cannot check an Ed25519 signature.
test_keys() {
    setup
    use_key ed25519
    expect 77 'RSA' dist build -r v0.3.4 --from good
    nothing_is_stored || die "something was stored"
    # nor sign one that no configured build would bring
    expect 77 'RSA' dist -o release.builds=amd64-deb build --partial \
        -r v0.3.4 --from good
    use_key main
    must dist build -r v0.3.4 --from good
    # nor may it sign what is there, when no build brings rpms any more
    use_key ed25519
    use_builds amd64-deb
    expect 77 'RSA' dist refresh
    [ "$(ls state/generations)" = 1 ] || die "a generation was made"
    use_key main
    must dist verify
}

test_builds_that_are_none() {
    local build
    setup
    for build in amd64-tar x86_64-rpm rpm -rpm i386-rpm; do
        use_builds $build
        expect 78 "\[release\] builds.*'$build'" dist build -r v0.3.4 --from good
    done
    nothing_is_stored || die "something was stored"
}

run_tests
