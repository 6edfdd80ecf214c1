#!/bin/bash
# What stays and what goes in an rpm repository: keep, grace, remove, revert,
# refresh; what verify sees.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rpms.sh"

R=rpm/stable/x86_64
DAY=86400

setup() {
    use_builds amd64-rpm
    sed -i "s/^\[suite stable\]/&\n${1:-}/" conf
}

# of VERSION [RELEASE [OPTION...]]: such an rpm of veilid-cli, alone in a directory.
# add VERSION [RELEASE [OPTION...]]: of veilid-cli, into the suite stable; OLDER:
# --allow-older-version, where it is one.
of() {
    rm -rf "p-$1"
    build_rpm "p-$1" x86_64 "$RPM_SPECS/plain.spec" --define 'name veilid-cli' \
        --define "version $1" --define "release ${2:-1}" "${@:3}"
    echo "p-$1"
}

add() {
    of "$@" >/dev/null
    must dist build -r nightly-20261122 --suite stable --from "p-$1" --partial \
        ${OLDER:-}
}

versions() {
    dist list 2>/dev/null | cut -f5 | tr '\n' ' '
}

# The lists that are reachable, those of earlier generations too.
count_lists() {
    find srv/$R/repodata/ -name '*.xml.gz' | wc -l
}

test_keep_orders_as_rpm_does() {
    setup 'keep = 2'
    # by ASCII, or as dpkg does it, the order would be another one
    add '1.0' 10
    expect 65 'veilid-cli 1.0~rc1-1 of x86_64 is not newer than 1.0-10' \
        dist build -r nightly-20261122 --suite stable --from "$(of '1.0~rc1')"
    OLDER=--allow-older-version add '1.0~rc1'
    [ "$(versions)" = '1.0~rc1-1 1.0-10 ' ] || die "$(versions)"
    add '1.0^git2'
    [ "$(versions)" = '1.0-10 1.0^git2-1 ' ] || die "$(versions)"
    add '1.0.1' 9
    [ "$(versions)" = '1.0^git2-1 1.0.1-9 ' ] || die "$(versions)"
    add '1.0.1' 10
    [ "$(versions)" = '1.0.1-9 1.0.1-10 ' ] || die "$(versions)"
    sed 's/^Version:/Epoch: 1\n&/' "$RPM_SPECS/plain.spec" >epoch.spec
    build_rpm e x86_64 epoch.spec --define 'name veilid-cli' \
        --define 'version 0.9' --define 'release 1'
    expect 65 'its epoch is not that of 1.0.1-10' \
        dist build -r nightly-20261122 --suite stable --from e
    must dist build -r nightly-20261122 --suite stable --from e --allow-older-version
    [ "$(versions)" = '1.0.1-10 1:0.9-1 ' ] || die "$(versions)"
    make_rpm o veilid-cli 1.0 11
    expect 65 'older than the 2 newest' \
        dist build -r nightly-20261122 --suite stable --from o --allow-older-version
    must dist verify
    # each architecture for itself
    use_builds amd64-rpm arm64-rpm
    make_rpm a veilid-cli 0.1 1 aarch64
    must dist build -r nightly-20261122 --suite stable --from a --partial
    [ "$(versions)" = '0.1-1 1.0.1-10 1:0.9-1 ' ] || die "$(versions)"
}

test_grace() {
    local now i
    now=$(($(date +%s) - 30 * DAY))
    setup 'keep = 2\ngrace = 3d'
    for i in 1 2 3; do
        SOURCE_DATE_EPOCH=$((now + i * DAY)) add 0.$i
    done
    must export_and_deploy
    [ "$(versions)" = '0.2-1 0.3-1 ' ] || die "$(versions)"
    [ -e srv/$R/veilid-cli-0.1-1.x86_64.rpm ] || die "no grace"
    # three generations, three lists each
    [ "$(count_lists)" = 9 ] || die "$(count_lists) lists"
    SOURCE_DATE_EPOCH=$((now + 5 * DAY)) must dist refresh
    must export_and_deploy
    [ "$(count_lists)" = 6 ] || die "$(count_lists) lists after some days"
    SOURCE_DATE_EPOCH=$((now + 7 * DAY)) must dist refresh
    must export_and_deploy
    [ "$(count_lists)" = 3 ] || die "$(count_lists) lists in the end"
    [ ! -e srv/$R/veilid-cli-0.1-1.x86_64.rpm ] || die "no end"
    [ -e srv/$R/veilid-cli-0.2-1.x86_64.rpm ] || die "a kept one went"
    must deploy verify
    make_rpm p veilid-server 0.1.0
    must dist build -r v0.1.0 --from p
}

test_remove() {
    setup
    make_rpm p veilid-server 0.3.4
    must dist build -r v0.3.4 --from p
    add 0.3.4
    add 0.3.4 2
    add 0.3.4.1
    expect 0 '- stable veilid-cli 0.3.4-2 x86_64 \(withdrawn\)' \
        dist remove veilid-cli=0.3.4-2
    [ "$(versions)" = '0.3.4-1 0.3.4.1-1 0.3.4-1 ' ] || die "$(versions)"
    OLDER=--allow-older-version add 0.3.4 2
    # without a release: all of them, and none of another version
    must dist remove veilid-cli=0.3.4
    [ "$(versions)" = '0.3.4.1-1 0.3.4-1 ' ] || die "$(versions)"
    expect 66 "no package 'veilid-cli=0.3'" dist remove veilid-cli=0.3
    expect 0 'warning: suite stable has no package left for x86_64' \
        dist remove veilid-cli veilid-server
    [ "$(versions)" = '' ] || die "$(versions)"
    must export_and_deploy
    gunzip -c "$(newest primary)" | grep -q '<metadata.* packages="0">' ||
        die "not empty"
    must deploy verify
    # a client still finds a repository
    must dist verify
    add 0.3.5
    must dist verify
}

# newest TYPE: the list that repomd.xml names now.
newest() {
    echo "srv/$R/$(grep -o "repodata/[0-9a-f]*-$1.xml.gz" srv/$R/repodata/repomd.xml)"
}

test_revert() {
    local f
    setup
    add 0.3.4
    must export_and_deploy
    cp -rL srv/$R earlier
    for f in primary filelists other; do cp "$(newest $f)" $f.earlier; done
    add 0.3.5
    make_rpm s veilid-server 0.3.5
    must dist build -r v0.3.5 --from s
    must dist revert 1
    must export_and_deploy
    [ "$(versions)" = '0.3.4-1 ' ] || die "$(versions)"
    for f in primary filelists other; do
        cmp "$(newest $f)" $f.earlier || die "$f is another one"
    done
    cmp earlier/veilid-cli-0.3.4-1.x86_64.rpm srv/$R/veilid-cli-0.3.4-1.x86_64.rpm ||
        die "another package"
    rpm_ok main srv/$R/*.rpm || die "$(cat rpmkeys)"
    # and forward again
    must dist revert 3
    [ "$(versions)" = '0.3.4-1 0.3.5-1 0.3.5-1 ' ] || die "$(versions)"
    must dist verify
}

# From before there were rpms: then there are none, and the names stay taken.
test_revert_to_debs_alone() {
    setup
    use_builds amd64-deb amd64-rpm
    make_deb d veilid-cli 0.3.4 amd64
    must dist build -r v0.3.4 --from d --partial
    add 0.3.5
    must dist revert 1
    must dist verify
    must export_and_deploy
    must deploy verify
    dist list 2>/dev/null >have
    ! grep -q rpm have || die "$(cat have)"
    must dist build -r nightly-20261122 --suite stable --from p-0.3.5 --partial
    must dist verify
}

test_refresh() {
    local before after
    setup
    add 0.3.4
    must export_and_deploy
    cp -rL srv/$R before
    sleep 1
    must dist refresh
    must export_and_deploy
    ls before before/repodata >names
    ls srv/$R/ srv/$R/repodata | sed "s|srv/$R|before|; s|before/:|before:|" |
        cmp - names || die "other names"
    for f in before/*.rpm before/repodata/*.gz; do
        cmp "$f" "srv/$R/${f#before/}" || die "$f changed"
    done
    before=$(sed -n 's/.*<revision>\(.*\)<.*/\1/p' before/repodata/repomd.xml)
    after=$(sed -n 's/.*<revision>\(.*\)<.*/\1/p' srv/$R/repodata/repomd.xml)
    [ "$after" -gt "$before" ] || die "revision $before, then $after"
    ! cmp -s before/repodata/repomd.xml.asc srv/$R/repodata/repomd.xml.asc ||
        die "the signature of before"
    gpg --dearmor <trusted.asc >k.gpg
    must gpgv --keyring "$T/k.gpg" srv/$R/repodata/repomd.xml.asc \
        srv/$R/repodata/repomd.xml
}

test_verify_sees_what_is_wrong() {
    local o
    setup
    add 0.3.4
    must export_and_deploy
    must dist verify
    must dist verify "$T/srv"
    must deploy verify
    o=$(sha256sum <srv/$R/veilid-cli-0.3.4-1.x86_64.rpm | cut -c1-64)
    cp -rL srv/.releases/current tree
    must dist verify tree
    printf x >>tree/$R/veilid-cli-0.3.4-1.x86_64.rpm
    expect 65 'veilid-cli-0.3.4-1.x86_64.rpm.* does not have the hash' \
        dist verify tree
    rm tree/$R/veilid-cli-0.3.4-1.x86_64.rpm
    expect 65 'veilid-cli-0.3.4-1.x86_64.rpm.*listed, but missing|No such file' \
        dist verify tree
    truncate -s -1 "state/objects/$o"
    expect 65 'does not have the hash' dist verify
}

test_dry_run_changes_nothing() {
    setup
    make_rpm p veilid-cli 0.3.4
    expect 0 'would publish this as generation 1' dist -n build -r v0.3.4 --from p
    nothing_is_stored || die "wrote something"
    must dist build -r v0.3.4 --from p
    make_rpm q veilid-cli 0.3.5
    find state | sort >before
    expect 0 '\+ stable veilid-cli 0.3.5-1 x86_64' dist -n build -r v0.3.5 --from q
    find state | sort | cmp - before || die "changed the state"
}

run_tests
