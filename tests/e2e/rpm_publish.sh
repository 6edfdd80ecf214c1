#!/bin/bash
# distribute-packages: .rpms signed and described, judged by rpmkeys, gpg,
# createrepo_c and an XML parser.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rpms.sh"

R=rpm/stable/x86_64

setup() {
    use_builds amd64-rpm
    sed -i 's/^packages = .*/packages = */' conf
}

patch() { python3 "$ROOT/tests/e2e/rpm_patch.py" "$@"; }

# Main header and payload of both files are the same bytes.
same_content() {
    cmp <(patch content "$1") <(patch content "$2") || die "$2: other content"
}

# The tree of the newest generation, in ./tree.
export_tree() {
    must dist export
    rm -rf tree
    mkdir tree
    tar -C tree -xf out
}

# Whose signatures are in it: a long key id for each.
signers() {
    sed -n '/^-----BEGIN PGP SIGNATURE/,$p' "$1" |
        gpg --homedir "$KEYS" --list-packets 2>/dev/null |
        sed -n 's/^:signature packet: .*keyid //p' | tr '\n' ' '
}
rpm_signers() {
    rpm -qp --nosignature --qf '%|SIGPGP?{%{SIGPGP:pgpsig}\n}|%|SIGGPG?{%{SIGGPG:pgpsig}\n}|%|DSAHEADER?{%{DSAHEADER:pgpsig}\n}|%|RSAHEADER?{%{RSAHEADER:pgpsig}\n}|' \
        "$1" | sed -n 's/.*Key ID //p' | tr 'a-f\n' 'A-F '
}
key_id() {
    gpg --homedir "$KEYS" --show-keys --with-colons "$KEYS/$1.asc" |
        awk -F: '$1 == "pub" {print $5; exit}'
}

# -------------------------------------------------------------- signatures

test_every_package_is_signed_and_else_as_it_was() {
    setup
    local f
    make_rpm p veilid-server 0.3.4
    make_rpm p veilid-cli 0.3.4
    must dist build -r v0.3.4 --from p
    export_tree
    rpm_ok main tree/$R/*.rpm || die "$(cat rpmkeys)"
    [ "$(wc -l <rpmkeys)" = 2 ] || die "rpmkeys saw $(cat rpmkeys)"
    for f in p/*.rpm; do
        same_content "$f" "tree/$R/$(basename "$f")"
        cmp -n 96 "$f" "tree/$R/$(basename "$f")" || die "another lead"
        [ "$(stat -c %s "$f")" = "$(stat -c %s "tree/$R/$(basename "$f")")" ] ||
            die "$f: another size"
    done
}

test_without_room_for_a_signature_the_file_grows() {
    setup
    local small=p/veilid-cli-0.3.4-1.x86_64.rpm
    build_rpm p x86_64 "$RPM_SPECS/plain.spec" --define 'name veilid-cli' \
        --define 'version 0.3.4' --define 'release 1' \
        --define '__gpg_reserved_space 16'
    must dist build -r v0.3.4 --from p
    export_tree
    local made=tree/$R/veilid-cli-0.3.4-1.x86_64.rpm
    rpm_ok main $made || die "$(cat rpmkeys)"
    same_content $small $made
    [ "$(stat -c %s $made)" -gt "$(stat -c %s $small)" ] || die "did not grow"
    must dist verify
}

test_signatures_of_others_are_replaced() {
    setup
    make_rpm p veilid-cli 0.3.4
    cp -r p unsigned
    must sign_rpm other p/*.rpm
    rpm_ok other p/*.rpm || die "$(cat rpmkeys)"
    must dist build -r v0.3.4 --from p
    export_tree
    rpm_ok main tree/$R/*.rpm || die "$(cat rpmkeys)"
    ! rpm_ok other tree/$R/*.rpm || die "still signed by the other"
    [ "$(rpm_signers tree/$R/*.rpm)" = "$(key_id main) " ] ||
        die "$(rpm_signers tree/$R/*.rpm)"
    same_content p/*.rpm tree/$R/*.rpm
    # who had signed it makes no other package of it
    expect 0 'nothing to do' dist build -r v0.3.4 --from unsigned
    expect 0 'nothing to do' dist build -r v0.3.4 --from tree/$R
}

# ---------------------------------------------------------------- metadata

# createrepo_c over what was published, with the times it was published with.
test_metadata_is_that_of_createrepo_c() {
    local arch date
    setup
    use_builds amd64-rpm arm64-rpm
    make_odd_rpms p
    must dist build -r nightly-20261122 --suite stable --from p
    date=$(cut -f3 out)
    export_tree
    for arch in x86_64 aarch64; do
        cp -r tree/rpm/stable/$arch $arch
        rm -r $arch/repodata $arch/*.repo
        touch -d "$date" $arch/*.rpm
        # it leaves this one out, or fails for it: see its .spec
        rm -f $arch/odd-control-*
        must createrepo_c --no-database --general-compress-type=gz $arch
        must python3 "$ROOT/tests/e2e/repodata_compare.py" --same-times \
            tree/rpm/stable/$arch/repodata $arch/repodata
    done
    [ "$(find tree/rpm/stable/x86_64 -name '*.rpm' | wc -l)" = \
        "$(find p -name '*x86_64.rpm' -o -name '*noarch.rpm' | wc -l)" ] ||
        die "not all of them"
    rpm_ok main tree/rpm/stable/*/*.rpm || die "$(cat rpmkeys)"
}

test_repomd_has_one_signature_by_the_primary_key() {
    setup
    use_builds amd64-deb amd64-rpm
    make_rpm p veilid-cli 0.3.4
    make_deb p veilid-cli 0.3.4 amd64
    use_key subkey
    make_key other
    sed -i "s|^key-file.*|&\nnext-key-file = $KEYS/other|" conf
    must dist build -r v0.3.4 --from p
    export_tree
    local d=tree/$R/repodata id
    id=$(key_id subkey)
    [ "$(signers $d/repomd.xml.asc)" = "$id " ] || die "$(signers $d/repomd.xml.asc)"
    [ "$(signers tree/apt/dists/stable/InRelease)" = "$id $(key_id other) " ] ||
        die "$(signers tree/apt/dists/stable/InRelease)"
    [ "$(rpm_signers tree/$R/*.rpm)" = "$id " ] || die "$(rpm_signers tree/$R/*.rpm)"
    head -n 1 $d/repomd.xml.asc | grep -q '^-----BEGIN PGP SIGNATURE-----$' ||
        die "not armoured"
    cmp $d/repomd.xml.key tree/gpg/veilid-packages-key.public || die "another key"
    gpg --dearmor <$d/repomd.xml.key >k.gpg
    must gpgv --keyring "$T/k.gpg" $d/repomd.xml.asc $d/repomd.xml
    rpm_ok subkey tree/$R/*.rpm || die "$(cat rpmkeys)"
    must dist verify
}

test_the_repo_file() {
    setup
    make_rpm p veilid-cli 0.3.4
    must dist build -r v0.3.4 --from p
    export_tree
    diff - tree/$REPO_FILE <<EOF || die "another .repo file"
[veilid-stable-x86_64-rpm]
name=Test packages (x86_64)
baseurl=http://packages.example.org/rpm/stable/x86_64
enabled=1
gpgcheck=1
repo_gpgcheck=1
pkg_gpgcheck=1
autorefresh=1
gpgkey=http://packages.example.org/gpg/veilid-packages-key.public
EOF
}

# The lists without what a new signature changes: the hash of the file.
plain_lists() {
    local f
    for f in "$1"/repodata/*-primary.xml.gz "$1"/repodata/*-filelists.xml.gz \
        "$1"/repodata/*-other.xml.gz; do
        gunzip -c "$f" | sed -E 's/pkgid="[0-9a-f]{64}"/pkgid=""/
            s|(<checksum type="sha256" pkgid="YES">)[0-9a-f]{64}|\1|'
    done
}

test_same_input_same_bytes() {
    setup
    make_rpm p veilid-server 0.3.4
    make_rpm p veilid-cli 0.3.4
    export SOURCE_DATE_EPOCH=1780000000
    must dist build -r v0.3.4 --from p
    export_tree
    mv tree one
    # the signatures of another second
    sleep 1
    must dist -o "repository.state=$T/other" build -r v0.3.4 --from p
    must dist -o "repository.state=$T/other" export
    mkdir two
    tar -C two -xf out
    ! cmp -s one/$R/veilid-cli* two/$R/veilid-cli* || die "nothing was tried"
    plain_lists one/$R >one.lists
    plain_lists two/$R >two.lists
    [ "$(grep -c '<package ' one.lists)" = 6 ] || die "not the lists"
    cmp one.lists two.lists || die "different lists"
    cmp <(cd one && find . -type f ! -path '*/repodata/*' | sort) \
        <(cd two && find . -type f ! -path '*/repodata/*' | sort) || die names
    cmp one/$REPO_FILE two/$REPO_FILE || die ".repo"
    grep -q '<revision>1780000000</revision>' one/$R/repodata/repomd.xml || die date
}

# ------------------------------------------------------ what goes where, once

test_noarch_goes_into_every_repository() {
    setup
    use_builds amd64-rpm arm64-rpm
    make_rpm x veilid-cli 0.3.4
    make_rpm a veilid-cli 0.3.4 1 aarch64
    make_rpm x veilid-doc 0.3.4 1 noarch
    # the same package, which the second build signed on its own
    cp x/veilid-doc* a/
    must sign_rpm other a/veilid-doc*
    make_drop home/incoming v0.3.4 amd64-rpm j1 x/*
    make_drop home/incoming v0.3.4 arm64-rpm j2 a/*
    must dist build -r v0.3.4
    export_tree
    cmp tree/rpm/stable/{x86_64,aarch64}/veilid-doc-0.3.4-1.noarch.rpm ||
        die "one package, two files"
    for a in x86_64 aarch64; do
        gunzip -c tree/rpm/stable/$a/repodata/*-primary.xml.gz |
            grep -q '<metadata.* packages="2">' || die "$a: not two packages"
        [ -e tree/rpm/stable/$a/veilid-stable-$a-rpm.repo ] || die "$a: no .repo"
    done
    must dist list
    [ "$(grep -c veilid-doc out)" = 2 ] || die "$(cat out)"
    must dist verify
    expect 0 'nothing to do' dist build -r v0.3.4
    # and another one of that name
    build_rpm b noarch "$RPM_SPECS/plain.spec" --define 'name veilid-doc' \
        --define 'version 0.3.4' --define 'release 1' --define '_buildhost other'
    expect 65 'veilid-doc-0.3.4-1.noarch.rpm' dist build -r v0.3.4 --from b --partial
    rm -rf state
    expect 65 'appears twice, with different contents' \
        dist build -r v0.3.4 --from x --from b --partial
}

# A new build gets the packages for all architectures that are there.
test_noarch_alone_needs_an_rpm_build() {
    make_rpm p veilid-cli 0.3.4 1 noarch
    expect 78 'veilid-cli.*\[release\] builds names no rpm build' dist build -r v0.3.4 --from p --partial
    use_builds amd64-deb amd64-rpm
    must dist build -r v0.3.4 --from p --partial
    must dist list
    [ "$(cut -f3 out)" = noarch ] || die "$(cat out)"
}

test_the_same_again_is_nothing_to_do() {
    setup
    make_rpm p veilid-cli 0.3.4
    must dist build -r v0.3.4 --from p
    cp state/generations/1/SHA256SUMS before
    local objects
    objects=$(find state/objects | sort)
    expect 0 'nothing to do' dist build -r v0.3.4 --from p
    cmp before state/generations/1/SHA256SUMS || die "changed"
    [ "$(ls state/generations)" = 1 ] || die "another generation"
    [ "$(find state/objects | sort)" = "$objects" ] || die "something was stored"
}

test_same_name_other_content_is_refused() {
    setup
    sed -i 's/^\[suite stable\]/&\ngrace = 0/' conf
    make_rpm p veilid-cli 0.3.4
    make_rpm p veilid-server 0.3.4
    build_rpm q x86_64 "$RPM_SPECS/plain.spec" --define 'name veilid-cli' \
        --define 'version 0.3.4' --define 'release 1' --define '_buildhost other'
    local file=veilid-cli-0.3.4-1.x86_64.rpm
    must dist build -r v0.3.4 --from p
    expect 65 "$file' was published with different contents" \
        dist build -r v0.3.4 --from q
    [ "$(ls state/generations)" = 1 ] || die "a generation was made"
    must dist remove veilid-cli
    must dist refresh
    export_tree
    [ ! -e tree/$R/$file ] || die "no end of grace"
    expect 65 "$file' was published with different contents" \
        dist build -r v0.3.4 --from q
    must dist build -r v0.3.4 --from p
    export_tree
    rpm_ok main tree/$R/$file || die "the same one cannot come back"
    must dist verify
}

test_debs_and_rpms_are_one_generation() {
    setup
    use_builds amd64-deb arm64-deb amd64-rpm
    make_release p 0.3.4
    make_rpm p veilid-cli 0.3.4
    publish v0.3.4 p
    (cd srv && sha256sum --strict --quiet -c SHA256SUMS) || die "sha256sum"
    [ "$(ls state/generations)" = 1 ] || die "not one generation"
    grep -q "  $R/veilid-cli-0.3.4-1.x86_64.rpm$" srv/SHA256SUMS || die "no rpm"
    grep -q '  apt/pool/stable/main/veilid-cli_0.3.4_amd64.deb$' srv/SHA256SUMS ||
        die "no deb"
    must dist list
    cut -f1-5 out | sort >have
    diff - have <<EOF || die list
stable	deb	amd64	veilid-cli	0.3.4
stable	deb	amd64	veilid-server	0.3.4
stable	deb	arm64	veilid-cli	0.3.4
stable	deb	arm64	veilid-server	0.3.4
stable	rpm	x86_64	veilid-cli	0.3.4-1
EOF
    awk -F '\t' '$2 == "rpm" {print $7 "  " $8; n = $6} END {print n >"size"}' out |
        (cd srv && sha256sum --strict --quiet -c) || die "hash and path"
    [ "$(cat size)" = "$(stat -c %s srv/$R/*.rpm)" ] || die "size"
    # one side changes, the other keeps even its signature
    cp -rL srv/$R before
    make_deb q veilid-cli 0.3.5 amd64
    must dist build -r v0.3.5 --from q --partial
    must export_and_deploy
    diff -r before srv/$R || die "debs changed, and the rpm side did too"
    make_rpm q2 veilid-cli 0.3.5
    must dist build -r v0.3.5 --from q2 --partial
    must export_and_deploy
    ! cmp -s before/repodata/repomd.xml srv/$R/repodata/repomd.xml || die "stale"
    must dist verify
    must deploy verify
}

# ------------------------------------------------------------- another key

test_another_key_signs_every_package_again() {
    setup
    use_builds amd64-rpm arm64-rpm
    local f
    make_rpm p veilid-cli 0.3.4
    make_rpm p veilid-server 0.3.4 1 noarch
    make_rpm p veilid-cli 0.3.4 1 aarch64
    make_rpm q veilid-gone 0.3.4
    must dist build -r v0.3.4 --from p --from q
    must dist remove veilid-gone
    use_key other
    expect 0 'rpms signed again' dist refresh
    export_tree
    rpm_ok other tree/rpm/stable/*/veilid-[cs]*.rpm || die "$(cat rpmkeys)"
    [ "$(wc -l <rpmkeys)" = 4 ] || die "$(cat rpmkeys)"
    for f in tree/rpm/stable/*/veilid-[cs]*.rpm; do
        same_content "p/$(basename "$f")" "$f"
    done
    cmp tree/rpm/stable/{x86_64,aarch64}/veilid-server-0.3.4-1.noarch.rpm ||
        die "one package, two files"
    must dist verify
    expect 0 'nothing to do' dist build -r v0.3.4 --from p
    must dist revert 1
    export_tree
    rpm_ok other tree/rpm/stable/*/*.rpm || die "$(cat rpmkeys)"
    [ "$(wc -l <rpmkeys)" = 5 ] || die "$(cat rpmkeys)"
    must dist verify
}

# The file is still there, in its time of grace, with the earlier signature.
test_a_withdrawn_package_comes_back_with_the_new_key() {
    setup
    make_rpm p veilid-cli 0.3.4
    make_rpm q veilid-server 0.3.4
    must dist build -r v0.3.4 --from p --from q
    must dist remove veilid-server
    use_key other
    must dist refresh
    must dist build -r v0.3.4 --from q
    export_tree
    rpm_ok other tree/$R/*.rpm || die "$(cat rpmkeys)"
    must dist verify
}

# Of two suites the one that is not built is signed again, too.
test_another_key_in_a_build_of_one_suite() {
    setup
    make_rpm p veilid-cli 0.3.4
    make_rpm n veilid-cli 0.3.5
    must dist build -r v0.3.4 --from p
    use_key other
    must dist build -r v0.3.5 --suite nightly --from n
    export_tree
    rpm_ok other tree/rpm/*/x86_64/*.rpm || die "$(cat rpmkeys)"
    [ "$(wc -l <rpmkeys)" = 2 ] || die "$(cat rpmkeys)"
    must dist verify
}

run_tests
