#!/bin/bash
# distribute-packages: what is published, judged by apt, gpgv and sha256sum.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

test_apt_installs_without_a_warning() {
    make_release p 0.3.4
    publish v0.3.4 p
    web_start "$T/srv"
    apt_root r "$WEB"
    must apt r update
    must apt r install veilid-server veilid-cli:arm64
    [ "$(installed r)" = "veilid-cli:arm64=0.3.4 veilid-server:amd64=0.3.4 " ] ||
        die "installed: $(installed r)"
    apt_root r2 "$WEB"
    must apt r2 update
    must apt r2 install veilid-server:arm64 veilid-cli
    grep -q 0.3.4 r/usr/share/veilid-server/version || die "not unpacked"
}

test_upgrade_to_the_next_version() {
    make_release p 0.3.4
    publish v0.3.4 p
    web_start "$T/srv"
    apt_root r "$WEB"
    must apt r update
    must apt r install veilid-server
    make_release q 0.3.5
    publish v0.3.5 q
    must apt r update
    must apt r upgrade
    [ "$(installed r)" = "veilid-server:amd64=0.3.5 " ] || die "$(installed r)"
    # and back: old versions stay
    must apt r install --allow-downgrades veilid-server=0.3.4
}

test_names_by_hash_are_enough() {
    make_release p 0.3.4
    publish v0.3.4 p
    # shellcheck disable=SC2016
    web_start "$T/srv" 'location ~ /Packages { return 404; }'
    apt_root r "$WEB"
    must apt r update
    must apt r install veilid-server veilid-cli:arm64
    grep -q by-hash web/access || die "apt did not use by-hash"
}

test_release_and_signature_without_inrelease() {
    make_release p 0.3.4
    publish v0.3.4 p
    web_start "$T/srv" 'location ~ /InRelease { return 404; }'
    apt_root r "$WEB"
    APT_CONFIG=$T/r/apt.conf must apt-get --error-on=any update
    must gpg --dearmor <trusted.asc
    cp "$T/out" k.gpg
    must gpgv --keyring "$T/k.gpg" srv/apt/dists/stable/Release.gpg \
        srv/apt/dists/stable/Release
}

test_the_sources_file_works() {
    make_release p 0.3.4
    web_start "$T/srv"
    sed -i "s|^url = .*|url = $WEB/|" conf
    publish v0.3.4 p
    apt_root r "$WEB"
    rm r/etc/apt/sources.list
    mkdir -p r/etc/apt/keyrings
    must curl -fsS -o r/etc/apt/keyrings/k.asc \
        "$WEB/gpg/veilid-packages-key.public"
    must curl -fsS -o r/etc/apt/sources.list.d/v.sources \
        "$WEB/apt/veilid-stable.sources"
    sed -i "s|^Signed-By: .*|Signed-By: $T/r/etc/apt/keyrings/k.asc|" \
        r/etc/apt/sources.list.d/v.sources
    must apt r update
    must apt r install veilid-cli
}

test_all_goes_into_every_architecture() {
    make_release p 0.3.4
    make_deb p lab-doc 0.3.4 all
    publish v0.3.4 p
    for a in amd64 arm64; do
        grep -q '^Package: lab-doc' srv/apt/dists/stable/main/binary-$a/Packages ||
            die "not for $a"
    done
    grep -q '^Architectures: amd64 arm64$' srv/apt/dists/stable/Release || die
    web_start "$T/srv"
    apt_root r "$WEB"
    must apt r update
    must apt r install lab-doc
}

test_release_has_the_fields_that_users_know() {
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    must export_and_deploy
    grep -q '^Origin: packages.example.org$' srv/apt/dists/stable/Release || die origin
    grep -q '^Suite: stable$' srv/apt/dists/stable/Release || die suite
    ! grep -qE '^(Label|Codename|MD5Sum|SHA1):' srv/apt/dists/stable/Release || die extra
    (cd srv && sha256sum --strict --quiet -c SHA256SUMS) || die "sha256sum"
    LC_ALL=C sort -c <(grep -v '^#' srv/SHA256SUMS | cut -c67-) || die "unsorted"
}

test_from_drops_no_date_decides() {
    make_release p 0.3.4
    DEB_EXTRA=other make_deb o veilid-server 0.3.4 amd64
    make_drop home/incoming v0.3.4 amd64-deb a1 o/*amd64.deb
    touch -d '2100-01-01' home/incoming/v0.3.4.amd64-deb.a1
    make_drop home/incoming v0.3.4 amd64-deb b2 p/*amd64.deb
    make_drop home/incoming v0.3.4 arm64-deb c3 p/*arm64.deb
    # the same once more; not complete, of another release, not a drop
    make_drop home/incoming v0.3.4 arm64-deb c4 p/*arm64.deb
    mkdir home/incoming/v0.3.4.amd64-deb.z9.part home/incoming/v0.3.4.amd64-deb.z8
    make_drop home/incoming v0.3.5 amd64-deb d4 p/*amd64.deb
    expect 65 "build amd64-deb has two drops .*'v0.3.4.amd64-deb.a1' and 'v0.3.4.amd64-deb.b2'" \
        dist build -r v0.3.4
    expect 64 '--drop v0.3.5.amd64-deb.d4 is of no build of release v0.3.4' \
        dist build -r v0.3.4 --drop v0.3.5.amd64-deb.d4
    expect 66 'no complete drop of build amd64-deb' \
        dist build -r v0.3.4 --drop v0.3.4.amd64-deb.z8
    CI_COMMIT_TAG=v0.3.4 expect 0 'build amd64-deb: drop v0.3.4.amd64-deb.b2' \
        dist build --drop v0.3.4.amd64-deb.b2
    must dist list
    [ "$(wc -l <"$T/out")" = 4 ] || die "list: $(cat "$T/out")"
    grep -q "$(sha256sum <p/veilid-server-0.3.4_amd64.deb | cut -c1-64)" "$T/out" ||
        die "not the one that was named"
}

test_a_missing_build_is_refused() {
    make_release p 0.3.4
    make_drop home/incoming v0.3.4 amd64-deb a1 p/*amd64.deb
    expect 66 'no complete drop of build arm64-deb of release v0.3.4' \
        dist build -r v0.3.4
    expect 0 'arm64-deb' dist build -r v0.3.4 --partial
    rm -rf state
    expect 66 'no package of build arm64-deb' \
        dist build -r v0.3.4 --from home/incoming/v0.3.4.amd64-deb.a1
}

# The job of build runs again when its drops have served, and are gone.
test_drops_that_have_served() {
    make_release p 0.3.4
    make_release q 0.3.5
    make_drop home/incoming v0.3.4 amd64-deb x1 p/*_amd64.deb
    make_drop home/incoming v0.3.4 arm64-deb x1 p/*_arm64.deb
    must dist build -r v0.3.4
    rm -r home/incoming/v0.3.4.*
    expect 0 'build amd64-deb: drop v0.3.4.amd64-deb.x1 was published already' \
        dist build -r v0.3.4
    grep -q 'nothing to do: generation 1' err || die "$(cat err)"
    expect 66 'no complete drop of build amd64-deb of release v0.3.5' \
        dist build -r v0.3.5
    expect 66 'no package of release v0.3.5' dist build -r v0.3.5 --partial
    # one build was late
    make_drop home/incoming v0.3.5 amd64-deb y1 q/*_amd64.deb
    must dist build -r v0.3.5 --partial
    rm -r home/incoming/v0.3.5.*
    make_drop home/incoming v0.3.5 arm64-deb y1 q/*_arm64.deb
    expect 0 'build amd64-deb: drop v0.3.5.amd64-deb.y1 was published' \
        dist build -r v0.3.5
    [ "$(dist list 2>/dev/null | cut -f5 | grep -cFx 0.3.5)" = 4 ] || die "$(dist list)"
}

test_a_drop_must_hold_what_it_lists() {
    make_release p 0.3.4
    make_drop home/incoming v0.3.4 arm64-deb a1 p/*arm64.deb
    make_drop home/incoming v0.3.4 amd64-deb a1 p/*amd64.deb
    local d=home/incoming/v0.3.4.amd64-deb.a1
    cp p/veilid-cli-0.3.4_amd64.deb $d/lab-stray_1_amd64.deb
    expect 65 "'lab-stray_1_amd64.deb' is not in its SHA256SUMS" dist build -r v0.3.4
    rm $d/lab-stray*
    cp $d/veilid-cli-0.3.4_amd64.deb $d/veilid-server-0.3.4_amd64.deb
    expect 65 'does not have the hash' dist build -r v0.3.4
    rm $d/veilid-server-0.3.4_amd64.deb
    ln -s veilid-cli-0.3.4_amd64.deb $d/veilid-server-0.3.4_amd64.deb
    expect 65 'not a regular file' dist build -r v0.3.4
    [ ! -e state/generations/1 ] || die "published"
}

test_the_same_again_is_nothing_to_do() {
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    cp state/generations/1/SHA256SUMS before
    expect 0 'nothing to do' dist build -r v0.3.4 --from p
    must dist build -r v0.3.4 --from p
    [ "$(cut -f1 "$T/out")" = 1 ] || die "record: $(cat "$T/out")"
    cmp before state/generations/1/SHA256SUMS || die "changed"
    [ "$(ls state/generations)" = 1 ] || die "another generation"
    expect 0 'is live' export_and_deploy
    expect 0 'live already' export_and_deploy
}

test_same_input_same_bytes() {
    make_release p 0.3.4
    export SOURCE_DATE_EPOCH=1780000000
    must dist build -r v0.3.4 --from p
    must dist -o "repository.state=$T/other" build -r v0.3.4 --from p
    cmp state/generations/1/ledger other/generations/1/ledger || die ledger
    for s in state other; do
        grep -vE '  apt/dists/stable/(InRelease|Release.gpg)$' \
            $s/generations/1/SHA256SUMS >$s.sums
    done
    cmp state.sums other.sums || die "different bytes"
    grep -q '^Date: Thu, 28 May 2026 20:26:40 UTC$' state/objects/"$(
        awk '/dists.stable.Release$/ {print $1}' state.sums)" || die date
}

test_the_date_always_grows() {
    make_release p 0.3.4
    SOURCE_DATE_EPOCH=1780000000 must dist build -r v0.3.4 --from p
    SOURCE_DATE_EPOCH=1770000000 must dist refresh
    [ "$(cut -f3 "$T/out")" = 2026-05-28T20:26:41Z ] || die "$(cat "$T/out")"
    SOURCE_DATE_EPOCH=99999999999 expect 78 'clock' dist refresh
    SOURCE_DATE_EPOCH=x expect 64 'SOURCE_DATE_EPOCH' dist refresh
}

# Versions leave the index beyond keep, the pool after grace; indexes that were
# replaced stay reachable by hash for as long.
test_keep_and_grace() {
    local day=86400 now i
    now=$(($(date +%s) - 30 * day))
    sed -i 's/^\[suite stable\]/&\nkeep = 2\ngrace = 3d/' conf
    for i in 1 2 3; do
        make_release p$i 0.$i.0
        SOURCE_DATE_EPOCH=$((now + i * day)) must dist build -r v0.$i.0 --from p$i
    done
    must dist list
    [ "$(cut -f5 "$T/out" | sort -u | tr '\n' ' ')" = '0.2.0 0.3.0 ' ] || die list
    must export_and_deploy
    [ -e srv/apt/pool/stable/main/veilid-cli_0.1.0_amd64.deb ] || die "no grace"
    [ "$(find srv/apt/dists/stable/main/binary-amd64/by-hash -type f | wc -l)" = 6 ] ||
        die "by-hash of earlier generations"
    SOURCE_DATE_EPOCH=$((now + 5 * day)) must dist refresh
    must export_and_deploy
    [ "$(find srv/apt/dists/stable/main/binary-amd64/by-hash -type f | wc -l)" = 4 ] ||
        die "by-hash is kept for ever, or not long enough"
    SOURCE_DATE_EPOCH=$((now + 7 * day)) must dist refresh
    must export_and_deploy
    [ ! -e srv/apt/pool/stable/main/veilid-cli_0.1.0_amd64.deb ] || die "no end"
    [ -e srv/apt/pool/stable/main/veilid-cli_0.2.0_amd64.deb ] || die "kept one went"
    # gone, but its name stands for its content for ever
    DEB_EXTRA=other make_release p1 0.1.0
    expect 65 'published with different contents' dist build -r v0.1.0 --from p1
}

test_an_old_version_cannot_slip_past_keep() {
    sed -i 's/^\[suite stable\]/&\nkeep = 1/' conf
    make_release p 0.3.4
    make_release q 0.3.3
    must dist build -r v0.3.4 --from p
    expect 65 'not newer than 0.3.4' dist build -r v0.3.3 --from q
    expect 65 'older than the 1 newest' dist build -r v0.3.3 --from q \
        --allow-older-version
}

test_same_name_other_content_is_refused() {
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    DEB_EXTRA=other make_deb q veilid-cli 0.3.4 amd64
    expect 65 "veilid-cli_0.3.4_amd64.deb' was published with different contents" \
        dist build -r v0.3.4 --from q --partial
    [ "$(ls state/generations)" = 1 ] || die "a generation was made"
    # also after it was withdrawn
    must dist remove veilid-cli
    expect 65 'published with different contents' \
        dist build -r v0.3.4 --from q --partial
    must dist build -r v0.3.4 --from p
    must dist list
    [ "$(wc -l <"$T/out")" = 4 ] || die "the same file cannot come back"
    # two in one release
    mkdir two
    DEB_EXTRA=a make_deb two/a lab-x 0.3.4 all
    DEB_EXTRA=b make_deb two/b lab-x 0.3.4 all
    expect 65 "contents: 'two/[ab]/lab-x-0.3.4_all.deb' and 'two/[ab]/lab-x-0.3.4_all.deb'" \
        dist build -r v0.3.4 --from two/a --from two/b --partial
}

# Other people's words for Debian's architectures would make lists that no
# machine reads.
test_architectures_have_the_names_of_debian() {
    local word right
    make_release p 0.3.4
    while read -r word right; do
        expect 78 "architectures: '$word' is not an architecture of Debian's: write $right$" \
            dist -o "suite stable.architectures=amd64 $word" -n build -r v0.3.4 --from p
        expect 78 "'$word-deb' is not a build: write $right-deb" \
            dist -o "release.builds=amd64-deb $word-deb" -n build -r v0.3.4 --from p
    done <<'END'
aarch64 arm64
x86_64 amd64
armv7l armhf
i686 i386
ppc64le ppc64el
END
    for word in noarch all any; do
        expect 78 "'$word' is not an architecture: leave it out" \
            dist -o "suite stable.architectures=amd64 $word" -n build -r v0.3.4 --from p
    done
    must dist -o 'suite stable.architectures=amd64 arm64 armhf armel i386 riscv64 hurd-i386' \
        -n build -r v0.3.4 --from p
}

test_what_users_cannot_pin() {
    local field
    make_release p 0.3.4
    for field in origin=Lab:stable 'label=Lab, stable' 'origin=/lab/' 'label=lab*'; do
        expect 0 'warning: .suite stable. .*: users cannot pin it' \
            dist -o "suite stable.$field" -n build -r v0.3.4 --from p
    done
    must dist -o 'suite stable.label=The Lab 2.0' -n build -r v0.3.4 --from p
    ! grep -q warning err || die "$(cat err)"
}

test_release_fields_cannot_change() {
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    for o in 'suite stable.origin=other' 'suite stable.label=L' \
        'suite stable.codename=c'; do
        expect 78 'every apt client would refuse' dist -o "$o" refresh
    done
    expect 78 "Origin 'packages.example.org'" \
        dist -o 'suite stable.origin=other' build -r v0.3.4 --from p
    [ "$(ls state/generations)" = 1 ] || die "a generation was made"
    must dist -o 'suite stable.label=L' refresh --change-release-fields
    must dist -o 'suite stable.label=L' refresh
    must dist -o 'suite stable.label=L' -o 'suite stable.description=new' refresh
}

test_two_suites_do_not_touch_each_other() {
    make_release p 0.3.4
    make_release n 20261122
    must dist build -r v0.3.4 --from p
    must export_and_deploy
    cp srv/apt/dists/stable/InRelease before
    IS_NIGHTLY=true CI_PIPELINE_CREATED_AT=2026-11-22T01:02:03Z must dist build --from n
    [ "$(cut -f2 "$T/out")" = nightly-20261122 ] || die "$(cat "$T/out")"
    must export_and_deploy
    cmp before srv/apt/dists/stable/InRelease || die "stable was signed again"
    web_start "$T/srv"
    apt_root r "$WEB" nightly
    must apt r update
    must apt r install veilid-cli
    must dist list --suite nightly
    [ "$(cut -f1 "$T/out" | sort -u)" = nightly ] || die list
    must dist build -r v0.3.4 --suite nightly --from p --allow-older-version
}

test_remove_revert_refresh() {
    make_release p 0.3.4
    make_release q 0.3.5
    publish v0.3.4 p
    publish v0.3.5 q
    web_start "$T/srv"
    apt_root r "$WEB"
    must apt r update
    must dist remove veilid-cli=0.3.5
    must export_and_deploy
    must apt r update
    must apt r install veilid-cli veilid-server
    [ "$(installed r)" = 'veilid-cli:amd64=0.3.4 veilid-server:amd64=0.3.5 ' ] ||
        die "$(installed r)"
    must dist revert 2
    must export_and_deploy
    must apt r update
    must apt r upgrade
    [ "$(installed r)" = 'veilid-cli:amd64=0.3.5 veilid-server:amd64=0.3.5 ' ] ||
        die "$(installed r)"
    must dist revert 1
    must dist list
    [ "$(cut -f5 "$T/out" | sort -u)" = 0.3.4 ] || die "revert 1"
    expect 66 'generation 99 never existed or is no longer kept' dist revert 99
    expect 64 'is not the serial of a generation' dist revert x
    expect 66 "no package 'nothing'" dist remove nothing
    must dist refresh
    expect 66 'not published' dist refresh --suite nightly
    must dist verify
}

test_remove_of_the_last_package_warns() {
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    expect 0 'warning: suite stable has no package left for amd64' \
        dist remove veilid-cli veilid-server
    must dist verify
}

test_rotation_with_two_keys() {
    make_key ed25519
    make_release p 0.3.4
    sed -i "s|^key-file.*|&\nnext-key-file = $KEYS/ed25519|" conf
    publish v0.3.4 p
    web_start "$T/srv"
    apt_root r "$WEB"
    must apt r update
    apt_root r2 "$WEB" stable "$KEYS/ed25519.asc"
    must apt r2 update
    must apt r2 install veilid-cli
    cmp <(gpg --dearmor <srv/gpg/veilid-packages-key-next.public) \
        <(gpg --dearmor <"$KEYS/ed25519.asc") || die "next key"
    # the server may trust either
    cp "$KEYS/ed25519.asc" trusted.asc
    must deploy verify
}

test_a_new_key_signs_every_suite() {
    make_key ed25519
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    must dist build -r v0.3.4 --suite nightly --from p
    use_key ed25519
    make_release q 0.3.5
    expect 0 'every suite is signed again' dist build -r v0.3.5 --from q
    must dist verify
    must export_and_deploy
    must deploy verify
}

test_valid_until() {
    sed -i 's/^\[suite stable\]/&\nvalid-for = 2d/' conf
    make_release p 0.3.4
    publish v0.3.4 p
    grep -q '^Valid-Until: ' srv/apt/dists/stable/Release || die "none"
    web_start "$T/srv"
    apt_root r "$WEB"
    must apt r update
    SOURCE_DATE_EPOCH=1770000000 expect 65 'expired: Valid-Until' \
        dist -o "repository.state=$T/s2" build -r v0.3.4 --from p
    [ ! -e s2/generations/1 ] || die "published what clients refuse"
}

test_verify_sees_what_is_wrong() {
    make_release p 0.3.4
    publish v0.3.4 p
    must dist verify
    must dist verify "$T/srv"
    cp -rL srv/.releases/current tree
    must dist verify "$T/tree"
    echo x >>tree/apt/pool/stable/main/veilid-cli_0.3.4_amd64.deb
    expect 65 'does not have the hash' dist verify "$T/tree"
    cp -rL srv/.releases/current tree2
    rm tree2/apt/dists/stable/main/binary-arm64/Packages.gz
    expect 65 'is listed, but missing' dist verify "$T/tree2"
    local o
    o=state/objects/$(sha256sum <p/veilid-cli-0.3.4_amd64.deb | cut -c1-64)
    truncate -s -1 "$o"
    expect 65 'does not have the hash' dist verify
    expect 66 'No such file' dist -o "repository.state=$T/none" verify
    make_key ed25519
    cp "$KEYS/ed25519.asc" trusted.asc
    expect 77 'not trusted' dist verify "$T/tree2"
}

test_dry_run_changes_nothing() {
    make_release p 0.3.4
    expect 0 'would publish this as generation 1' dist -n build -r v0.3.4 --from p
    nothing_is_stored || die "wrote something"
    must dist build -r v0.3.4 --from p
    make_release q 0.3.5
    find state | sort >before
    expect 0 '\+ stable veilid-cli 0.3.5 amd64' dist -n build -r v0.3.5 --from q
    find state | sort | cmp - before || die "changed the state"
    must dist export -n
    [ ! -s "$T/out" ] || die "exported"
}

test_architectures_cannot_vanish() {
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    expect 78 "lacks 'arm64', which is published" \
        dist -o 'suite stable.architectures=amd64' refresh
    must dist -o 'suite stable.architectures=amd64 arm64 riscv64' refresh
    must dist verify
}

run_tests
