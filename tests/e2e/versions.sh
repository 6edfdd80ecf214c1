#!/bin/bash
# Which releases there are, and that no version is published in silence that
# nobody will be offered: apt-get is asked what it would install.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rpms.sh"

# one VERSION [OPTION...]: such a veilid-cli, built as a nightly one for stable.
one() {
    rm -rf one
    make_deb one veilid-cli "$1" amd64
    from_one "${@:2}"
}
from_one() {
    dist build -r nightly-20261122 --suite stable --partial --from one "$@"
}

# offered VERSION: what apt chooses of the tree that is current.
offered() {
    must export_and_deploy
    [ -n "${WEB:-}" ] || web_start "$T/srv"
    [ -d r ] || apt_root r "$WEB"
    must apt r update
    APT_CONFIG=$T/r/apt.conf apt-cache policy veilid-cli >policy
    grep -qF "Candidate: $1" policy || die "apt thinks otherwise: $(cat policy)"
}

test_ids() {
    local id
    make_deb one veilid-cli 0.9.2 amd64
    for id in 0.9.2 nightly-1 nightly-20260230 v1 v1.0 v1.0.0.0 xv1.0.0 v1.0.0x; do
        expect 64 "'$id' is not a release id" dist build -r "$id" --from one
        expect 64 "'$id' is not a release id" "$BUILD/bin/scp-to-orchestrator" -c conf \
            -r "$id" one
    done
    expect 64 'xv0.9.2' env CI_COMMIT_TAG=xv0.9.2 "$BUILD/bin/distribute-packages" -c conf \
        build --from one
    must dist -o release.tag-format=%v build -r 0.9.2 --partial --from one
    expect 78 'must have %v' dist -o release.tag-format=v build -r v0.9.2 --partial --from one
}

test_an_older_version_is_refused() {
    must one 0.3.4-1
    expect 65 'veilid-cli 0.3.3-1 of amd64 is not newer than 0.3.4-1, which suite stable has' \
        one 0.3.3-1
    # one that is another file, and the same to dpkg
    expect 65 'not newer than 0.3.4-1' one 0.03.4-1
    expect 65 'not newer than 0.3.4-1' one 0.3.4~deb12u1
    [ "$(ls state/generations)" = 1 ] || die "a generation was made"
    expect 0 'apt offers veilid-cli 0.3.4-1 \(amd64\)' one 0.3.3-1 --allow-older-version
    grep -q 'warning: .*not newer than' err || die "not a word: $(cat err)"
    [ "$(wc -l <out)" = 1 ] || die "stdout: $(cat out)"
    offered 0.3.4-1
    # for other machines it is the first
    make_deb one veilid-cli 0.3.2 arm64
    rm one/*amd64*
    expect 0 'apt offers veilid-cli 0.3.2 \(arm64\)' from_one
    # for all machines it has a rival
    rm -r one
    make_deb one veilid-cli 0.3.3-9 all
    expect 65 'veilid-cli 0.3.3-9 of all is not newer than 0.3.4-1' from_one
    # withdrawn, it is no rival any more
    must dist remove veilid-cli=0.3.4-1
    expect 0 'apt offers veilid-cli 0.3.3-9 \(amd64 arm64\)' from_one
    offered 0.3.3-9
}

test_an_epoch_is_for_good() {
    must one 0.3.4
    expect 65 '1:0.3.5 of amd64: its epoch is not that of 0.3.4' one 1:0.3.5
    must one 1:0.3.5 --allow-older-version
    offered 1:0.3.5
    expect 65 '0.3.6 of amd64: its epoch is not that of 1:0.3.5' one 0.3.6
    must one 1:0.3.6
    expect 0 'apt offers veilid-cli 1:0.3.6' one 0.3.7 --allow-older-version
    offered 1:0.3.6
}

test_a_prerelease_has_a_tilde() {
    local next='[suite next]\norigin = packages.example.org'
    expect 65 'version 0.4.0-rc1 is newer than 0.4.0-1 to dpkg.*write 0.4.0~rc1' one 0.4.0-rc1
    expect 65 'write 0.4.0~rc1, or give --allow-older' "$BUILD/bin/scp-to-orchestrator" \
        -c conf -r nightly-20261122 one
    must one 0.4.0-rc1 --allow-older-version
    offered 0.4.0-rc1
    # which is the reason
    expect 65 '0.4.0-1 of amd64 is not newer than 0.4.0-rc1' one 0.4.0-1
    # as the tag wants it
    use_builds amd64-deb amd64-rpm
    rm -r one state
    make_deb one veilid-cli 0.4.0~rc1 amd64
    make_rpm one veilid-cli 0.4.0~rc1
    expect 78 "'v0.4.0-rc1' is a prerelease.*prerelease-suite" \
        dist build -r v0.4.0-rc1 --from one
    expect 65 'version is 0.4.0~rc1, but the release is v0.4.0,' dist build -r v0.4.0 --from one
    sed -i "s/^\[suite nightly\]/$next\n&/; s/^\[release\]/&\nprerelease-suite = next/" conf
    expect 0 'next: dnf offers veilid-cli 0.4.0~rc1-1 \(x86_64\)' dist build -r v0.4.0-rc1 --from one
    [ "$(dist -q list | cut -f1 | sort -u)" = next ] || die "$(dist list)"
    # the release that follows is newer for both
    rm -r one
    make_deb one veilid-cli 0.4.0 amd64
    make_rpm one veilid-cli 0.4.0
    must dist build -r v0.4.0 --suite next --from one
    grep -q 'next: apt offers veilid-cli 0.4.0 (amd64)' err || die "$(cat err)"
    grep -q 'next: dnf offers veilid-cli 0.4.0-1 (x86_64)' err || die "$(cat err)"
}

test_additions_to_the_version() {
    local v all='release.version-suffixes=-[0-9]* +* ~deb[0-9]*'
    for v in 0.4.0+dfsg 0.4.0~deb12u1; do
        rm -rf one
        make_deb one veilid-cli $v amd64
        expect 65 "version is .*, but the release is v0.4.0, which takes 0.4.0.*\(-\[0-9\]\*\)" \
            dist -n build -r v0.4.0 --partial --from one
        must dist -n -o "$all" build -r v0.4.0 --partial --from one
    done
    rm -rf one
    make_deb one veilid-cli 0.4.0~rc1 amd64
    expect 65 'but the release is v0.4.0' dist -n -o 'release.version-suffixes=*' \
        build -r v0.4.0 --partial --from one
}

run_tests
