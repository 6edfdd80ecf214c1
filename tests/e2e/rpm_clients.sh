#!/bin/bash
# dnf and zypper, with every check that they have: of the packages' signatures,
# of the metadata's, of the hashes. Then the same trees, spoilt: they refuse,
# and so do our own tools.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rpms.sh"

D=tree/rpm/stable/x86_64

# publish_rpms VERSION: both packages, as they reach users.
publish_rpms() {
    use_builds amd64-rpm
    make_rpm "p$1" veilid-server "$1"
    make_rpm "p$1" veilid-cli "$1"
    publish "v$1" "p$1"
}

test_dnf_installs_and_upgrades() {
    web_for_rpms
    publish_rpms 0.3.4
    dnf_root r
    must dnf r makecache
    must dnf r install veilid-server veilid-cli
    [ "$(installed_rpms r)" = 'veilid-cli=0.3.4-1 veilid-server=0.3.4-1 ' ] ||
        die "$(installed_rpms r)"
    [ "$(sh r/root/usr/bin/veilid-cli)" = 'veilid-cli 0.3.4-1' ] || die "no file"
    publish_rpms 0.3.5
    must dnf r --refresh upgrade
    [ "$(installed_rpms r)" = 'veilid-cli=0.3.5-1 veilid-server=0.3.5-1 ' ] ||
        die "$(installed_rpms r)"
    # and back: old versions stay
    must dnf r downgrade veilid-cli-0.3.4
    must dist remove veilid-server=0.3.5
    must export_and_deploy
    must dnf r --refresh distro-sync veilid-server
    [ "$(installed_rpms r)" = 'veilid-cli=0.3.4-1 veilid-server=0.3.4-1 ' ] ||
        die "$(installed_rpms r)"
    # it asked for what it checks
    grep -q 'repodata/repomd.xml.asc' web/access || die "no signature was fetched"
    ! grep -E '" (4|5)[0-9][0-9] ' web/access || die "something was not there"
}

# With a primary key that has a signing subkey, too; a package of no
# architecture; versions with the characters that URLs escape; dependencies.
test_dnf_with_all_that_is_odd() {
    web_for_rpms
    use_key subkey
    use_builds amd64-rpm arm64-rpm
    sed -i 's/^packages = .*/packages = */' conf
    make_rpm p plain '1.0~rc1'
    make_rpm p plain '1.0^git2' 0.1
    make_rpm p doc 1.0 1 noarch
    make_rpm p plain 1.0 1 aarch64
    build_rpm p x86_64 "$RPM_SPECS/odd-epoch.spec"
    must dist build -r nightly-20261122 --suite stable --from p
    must export_and_deploy
    dnf_root r
    must dnf r install plain doc
    [ "$(installed_rpms r)" = 'doc=1.0-1 plain=1.0^git2-0.1 ' ] ||
        die "$(installed_rpms r)"
    must dnf r downgrade 'plain-1.0~rc1'
    must dnf r repoquery --changelogs '*'
    must dnf r repoquery --deplist '*'
    must dnf r repoquery --list '*'
}

test_zypper_installs_and_upgrades() {
    web_for_rpms
    publish_rpms 0.3.4
    must zypper z addrepo "$WEB/$REPO_FILE"
    must zypper z refresh
    must zypper z install --download-in-advance veilid-server
    [ "$(installed_rpms z)" = 'veilid-server=0.3.4-1 ' ] ||
        die "$(installed_rpms z)"
    publish_rpms 0.3.5
    must zypper z refresh
    must zypper z update --download-in-advance
    [ "$(installed_rpms z)" = 'veilid-server=0.3.5-1 ' ] ||
        die "$(installed_rpms z)"
    # it knows our key from repomd.xml.key as well
    sed -i '/^gpgkey=/d' z/root/etc/zypp/repos.d/*.repo
    rm -rf z2 && mkdir -p z2/root/etc/zypp/repos.d
    cp z/root/etc/zypp/repos.d/*.repo z2/root/etc/zypp/repos.d/
    must zypper z2 refresh
    must zypper z2 install --download-in-advance veilid-cli
    [ "$(installed_rpms z2)" = 'veilid-cli=0.3.5-1 ' ] ||
        die "$(installed_rpms z2)"
}

# repomd.xml and its signature are two files, and a client that asks for them
# between the swap gets one of each: dnf says so and the next try is good. No
# other failure is a client's to bear.
client_loop() {
    local n=0
    while [ ! -e stop ]; do
        if ! dnf r --refresh upgrade; then
            grep -q 'repomd.xml GPG signature verification error' r.out &&
                dnf r --refresh install veilid-cli ||
                { cp r.out failed; exit 1; }
            echo between >>retried
        fi
        n=$((n + 1))
        echo "$n" >rounds
    done 2>/dev/null
}

three_rounds() { [ -e failed ] || [ "$(cat rounds)" -ge 3 ]; }

test_ten_generations_under_a_dnf() {
    local i client
    web_for_rpms
    use_builds amd64-rpm
    for i in 1 2 3 4 5 6 7 8 9 10 11; do make_rpm p$i veilid-cli 0.$i.0; done
    publish v0.1.0 p1
    dnf_root r
    must dnf r install veilid-cli
    echo 0 >rounds
    client_loop &
    client=$!
    PIDS+=("$client")
    for i in 2 3 4 5 6 7 8 9 10 11; do
        publish v0.$i.0 p$i
        [ ! -e failed ] || break
    done
    wait_for three_rounds || die 'no more rounds'
    touch stop
    wait "$client"
    [ ! -e failed ] || die "a client failed: $(cat failed)"
    [ ! -e retried ] || [ "$(wc -l <retried)" -le 2 ] || die "again and again"
    must dnf r --refresh upgrade
    [ "$(installed_rpms r)" = 'veilid-cli=0.11.0-1 ' ] || die "$(installed_rpms r)"
}

# --------------------------------------------------- somebody has been at it

# A live tree, and a copy of it, which the web server shows.
stage() {
    web_for_rpms
    sed -i "s|root $T/srv;|root $T/tree;|" web/conf
    publish_rpms 0.3.4
    cp -rL srv/.releases/current tree
    kill "${PIDS[-1]}"
    wait "${PIDS[-1]}" 2>/dev/null
    rm web/pid
    nginx -c "$T/web/conf" -e "$T/web/err" 2>/dev/null &
    PIDS+=($!)
    wait_for -p "${PIDS[-1]}" test -s web/pid || die "$(tail -n 3 web/err)"
    # as it is, it is good
    dnf_root good
    must dnf good install veilid-cli
    cp -r tree whole
}

spoil() {
    rm -rf tree
    cp -r whole tree
}

# New metadata over the packages that lie there now, rightly signed: only the
# packages themselves can give it away.
describe_again() {
    local key
    key=$(cat $D/repodata/repomd.xml.key)
    rm -r $D/repodata
    must createrepo_c --no-database --general-compress-type=gz $D
    echo "$key" >$D/repodata/repomd.xml.key
    sign_file main $D/repodata/repomd.xml
}

# dnf_refuses REGEX: in a root of its own; and nothing is installed.
dnf_refuses() {
    rm -rf bad
    dnf_root bad
    echo retries=1 >>bad/conf
    ! dnf bad install veilid-cli 2>/dev/null || die "dnf installs it"
    grep -qE "$1" bad.out || die "dnf says $(cat bad.out)"
    [ -z "$(installed_rpms bad)" ] || die "and yet it is installed"
}

# we_refuse STATUS REGEX: both tools, though the manifest is in order.
we_refuse() {
    live_tree >before
    sign_tree tree 9
    expect "$1" "$2" dist verify tree
    tar_tree tree >tree.tar
    expect "$1" "$2" deploy - <tree.tar
    live_tree | cmp before - || die "the live tree has changed"
}

live_tree() {
    find srv -type l -printf '%p %l\n' | sort
    find srv -type f ! -name lock -exec sha256sum {} + | sort
}

test_packages_that_are_not_ours() {
    local file=veilid-cli-0.3.4-1.x86_64.rpm
    stage
    cp p0.3.4/$file $D/
    describe_again
    dnf_refuses 'is not signed'
    we_refuse 77 "$file.*no OpenPGP signature|$file.*not signed"

    spoil
    make_key other
    cp p0.3.4/$file $D/
    must sign_rpm other $D/$file
    describe_again
    dnf_refuses 'not correct|GPG check FAILED'
    we_refuse 77 "$file"

    # its header is ours, its payload is not
    spoil
    python3 "$ROOT/tests/e2e/rpm_patch.py" flip $D/$file -9
    describe_again
    dnf_refuses 'BAD|NOT OK|FAILED'
    we_refuse 65 "$file"
}

test_packages_that_changed_after_the_metadata() {
    local file=veilid-cli-0.3.4-1.x86_64.rpm
    stage
    python3 "$ROOT/tests/e2e/rpm_patch.py" flip $D/$file -9
    dnf_refuses "$file.*(checksum|Checksum)|No more mirrors"
    we_refuse 65 "$file.*a different checksum in primary"

    spoil
    rm $D/$file
    dnf_refuses "$file.*404|No more mirrors"
    we_refuse 65 "$file.*listed, but missing"
}

test_metadata_that_is_not_ours() {
    local primary
    stage
    sed -i 's/<revision>/& /' $D/repodata/repomd.xml
    dnf_refuses 'repomd.xml GPG signature verification error'
    we_refuse 77 'repomd.xml'

    spoil
    rm $D/repodata/repomd.xml.asc
    dnf_refuses 'repomd.xml.asc|GPG verification is enabled'
    we_refuse 65 'repomd.xml.asc'

    spoil
    make_key other
    sign_file other $D/repodata/repomd.xml
    dnf_refuses 'repomd.xml GPG signature verification error'
    we_refuse 77 'repomd.xml'

    spoil
    primary=$(echo $D/repodata/*-primary.xml.gz)
    gunzip -c "$primary" | sed 's/Prints/Hides/' | gzip -n >x.gz
    ! cmp -s x.gz "$primary" || die "nothing was changed"
    mv x.gz "$primary"
    dnf_refuses 'primary|Checksum|checksum|No more mirrors'
    we_refuse 65 'primary.xml.gz'
    # that of dnf: another one may be signed with two keys, rpm's own takes one
    spoil
    make_key third
    gpg --homedir "$KEYS/h.third" --batch --quiet --pinentry-mode loopback \
        --passphrase '' --detach-sign -o second $D/repodata/repomd.xml
    gpgconf --homedir "$KEYS/h.third" --kill all
    { gpg --dearmor <$D/repodata/repomd.xml.asc; cat second; } |
        gpg --enarmor 2>/dev/null | sed 's/ARMORED FILE/SIGNATURE/' >two
    mv two $D/repodata/repomd.xml.asc
    we_refuse 77 'repomd.xml.asc. is not one signature'
}

run_tests
