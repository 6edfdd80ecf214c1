# Rows of run.sh: .rpms, signed and indexed.
# shellcheck shell=bash disable=SC2154,SC2317,SC2034

# Of createrepo_c only what is published here: no databases, which nothing but
# yum ever read, and lists packed by gzip. It has as many workers as there are
# processors; rpmsign has no such thing, it signs one package after the other.
rpm_options=(-o release.builds=amd64-rpm -o 'suite stable.architectures=amd64')

# The packages as rpmbuild leaves them, and one more.
have_rpms=
need_rpms() {
    [ -z "$have_rpms" ] || return 0
    have_rpms=yes
    say "making $rpms rpms"
    mkdir "$work/rpms" "$work/rpm-one"
    "$here/make_rpms.sh" "$work/rpms" 0 "$rpms"
    "$here/make_rpms.sh" "$work/rpm-one" "$rpms" 1
    rpm_one=$(echo "$work"/rpm-one/*.rpm)
    rpmkeys --dbpath "$work/rpmdb" --import "$work/trusted.asc"
}

# Both sides have published them.
have_rpm_base=
need_rpm_base() {
    local first
    need_rpms
    [ -z "$have_rpm_base" ] || return 0
    have_rpm_base=yes
    say "publishing them"
    "$bin/distribute-packages" -q -c "$work/conf" "${rpm_options[@]}" \
        -o "repository.state=$work/rpm-base" build --from "$work/rpms" \
        -r "$release" >/dev/null
    cp -a "$work/rpms" "$work/rpm-signed"
    rpm_addsign "$work"/rpm-signed/*.rpm
    rpm_createrepo "$work/rpm-signed"
    first=bench-rpm-0-1.0-1.x86_64.rpm
    check_signed "$work/rpm-signed/$first"
    export_tree "$work/rpm-base" |
        tar -xO "rpm/stable/x86_64/$first" >"$work/$first"
    check_signed "$work/$first"
}

# rpm_addsign FILE...: in place, one after the other. It wants a terminal for
# gpg to ask on, or a name of one.
rpm_addsign() {
    GPG_TTY=none rpmsign --define "_gpg_name $fingerprint" \
        --define "__gpg $(command -v gpg)" --addsign "$@" >"$work/rpmsign.log" ||
        die "rpmsign failed"
}

# rpm_createrepo DIR [OPTION...]
rpm_createrepo() {
    createrepo_c -q --no-database --general-compress-type=gz \
        --workers "$(nproc)" "$@"
    gpg --batch --quiet --yes --armor --detach-sign "$1/repodata/repomd.xml"
}

# check_signed FILE: a client would take it
check_signed() {
    rpmkeys --dbpath "$work/rpmdb" -K "$1" | grep -q 'signatures OK$' ||
        die "$1 is not signed"
}

rpm_build() {
    ours distribute-packages "${rpm_options[@]}" -o "repository.state=$state" \
        build --from "$1" -r "$release"
}

rpm_all_ours_ready() {
    fresh state
}

rpm_all_ours() {
    rpm_build "$work/rpms"
}

rpm_all_other_ready() {
    fresh rpmdir
    cp -a "$work/rpms" "$rpmdir"
}

rpm_all_other() {
    rpm_addsign "$rpmdir"/*.rpm
    rpm_createrepo "$rpmdir"
}

rpm_sign_other_ready() {
    rpm_all_other_ready
}

rpm_sign_other() {
    rpm_addsign "$rpmdir"/*.rpm
}

# Without signing: all packages were published, and then withdrawn. So they are
# signed and stored, but in no index, and a build checks what comes, reads what
# is stored, and makes the lists from nothing.
rpm_cold_ours_ready() {
    local names
    if [ ! -d "$work/rpm-withdrawn" ]; then
        say "withdrawing them"
        cp -al "$work/rpm-base" "$work/rpm-withdrawn"
        mapfile -t names < <(seq -f 'bench-rpm-%.0f' 0 "$((rpms - 1))")
        "$bin/distribute-packages" -q -c "$work/conf" "${rpm_options[@]}" \
            -o "repository.state=$work/rpm-withdrawn" remove \
            "${names[@]}" >/dev/null 2>&1
    fi
    fresh state
    cp -al "$work/rpm-withdrawn" "$state"
}

rpm_cold_ours() {
    rpm_build "$work/rpms"
}

rpm_cold_other_ready() {
    fresh rpmdir
    mkdir "$rpmdir"
    cp -al "$work"/rpm-signed/*.rpm "$rpmdir"
}

rpm_cold_other() {
    rpm_createrepo "$rpmdir"
}

rpm_one_ours_ready() {
    fresh state
    cp -al "$work/rpm-base" "$state"
}

rpm_one_ours() {
    rpm_build "$work/rpm-one"
}

rpm_one_other_ready() {
    fresh rpmdir
    mkdir "$rpmdir"
    cp -al "$work"/rpm-signed/*.rpm "$rpmdir"
    cp -a "$work/rpm-signed/repodata" "$rpmdir"
}

rpm_one_other() {
    local new=$rpmdir/${rpm_one##*/}
    cp "$rpm_one" "$new"
    rpm_addsign "$new"
    rpm_createrepo "$rpmdir" --update --skip-stat
}

has_rpm() {
    has rpmbuild rpmsign rpmkeys createrepo_c
}

rpms_rows() {
    if wanted rpm-cold/createrepo_c && has_rpm; then
        need_rpm_base
        compare rpm-cold createrepo_c 2 "$runs" 'signed before' \
            rpm_cold_ours rpm_cold_other
    fi
    if wanted rpm-all/rpmsign+createrepo_c && has_rpm; then
        need_rpms
        compare rpm-all rpmsign+create 2 1 '' rpm_all_ours rpm_all_other
    fi
    if wanted rpm-sign/rpmsign && has_rpm; then
        need_rpms
        compare rpm-sign rpmsign 2 1 'ours indexes, too' \
            rpm_all_ours rpm_sign_other
    fi
    if wanted rpm-one/createrepo_c && has_rpm; then
        need_rpm_base
        compare rpm-one createrepo_c 1.5 "$runs" '' rpm_one_ours rpm_one_other
    fi
}
