#!/bin/bash
# What a control file says is judged as dpkg and apt do: one that either refuses
# would break every apt command of every user, or no machine could install it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# Several hundred generated control files, judged by all three.
test_dpkg_and_apt_agree() {
    local judges=$ROOT/tests/e2e/judge_debs.py d part
    d=$(mktemp -d "${VC_PRIVATE:+/dev/shm}/vc-judge.XXXXXX")
    python3 "$judges" make "$d" || die "make"
    sed -i 's/^packages = .*/packages = */' conf
    for part in "$d"/debs/*; do
        dist build -r nightly-20260101 --from "$part" --partial >out 2>>said
        [ $? = 65 ] || die "status: $(tail -n 3 said)"
    done
    python3 "$judges" judge "$d" || die "judge"
    python3 "$judges" compare "$d" said >differ
    local status=$?
    rm -rf "$d"
    cat differ
    [ "$status" = 0 ] || die "they differ"
    [ -z "$(ls state/generations)" ] || die "published"
}

# with_field DIR NAME LINE [VERSION]: a package that dpkg-deb would not make.
with_field() {
    local dir=$1 name=$2 line=$3 version=${4:-0.3.4}
    make_deb good "$name" "$version" amd64 none
    rm -rf parts
    mkdir -p parts "$dir"
    (
        cd parts || exit 1
        ar x "../good/${name}-${version}_amd64.deb"
        tar -xf control.tar ./control
        sed -i "/^Section/i $line" control
        tar -cf control.tar ./control
        ar rc "../$dir/${name}-${version}_amd64.deb" debian-binary control.tar data.tar
    ) || die "with_field"
}

test_a_bad_one_in_a_drop_among_good_ones() {
    make_deb g veilid-cli 0.3.4 amd64
    with_field b veilid-server 'Depends: libc6 |'
    use_builds amd64-deb
    make_drop home/incoming v0.3.4 amd64-deb x g/*.deb b/*.deb
    expect 65 "veilid-server-0.3.4_amd64.deb: .*field Depends: a package's name is missing" \
        dist build -r v0.3.4
    [ -z "$(ls state/generations)" ] || die "published"
    # and it is not sent
    mkdir p
    cp g/*.deb b/*.deb p/
    expect 65 "veilid-server-0.3.4_amd64.deb: .*field Depends: a package's name is missing" \
        "$BUILD/bin/scp-to-orchestrator" -c "$T/conf" \
        -o orchestrator.host=127.0.0.1 -o orchestrator.user=x -r v0.3.4 p
}

test_essential_is_for_those_that_are_named() {
    local field
    for field in 'Essential: yes' 'Protected: YES' 'Important: yes'; do
        rm -rf b
        with_field b veilid-server "$field"
        expect 65 "field ${field%:*}: .*allow-essential" \
            dist build -r v0.3.4 --from b --partial
        expect 65 "field ${field%:*}: .*allow-essential" \
            "$BUILD/bin/scp-to-orchestrator" -c "$T/conf" \
            -o orchestrator.host=127.0.0.1 -o orchestrator.user=x -r v0.3.4 b
        must dist -o 'release.allow-essential=other veilid-s*' \
            build -r v0.3.4 --from b --partial --dry-run
    done
    rm -rf b
    with_field b veilid-server 'Essential: no'
    must dist build -r v0.3.4 --from b --partial
}

test_what_from_ignores_is_named() {
    local file
    make_deb p veilid-cli 0.3.4 amd64
    for file in x.ddeb x.udeb x.changes x.buildinfo x.dsc README; do touch "p/$file"; done
    must dist build -r v0.3.4 --from p --partial
    for file in x.ddeb x.udeb x.changes x.buildinfo x.dsc README; do
        grep -q "p/$file: ignored" err || die "$file is not named"
    done
    touch p/veilid-cli-0.3.4-1.src.rpm
    expect 65 'veilid-cli-0.3.4-1.src.rpm' dist build -r v0.3.4 --from p --partial
    rm p/*.rpm
    mv p/*.deb .
    ln -s ../veilid-cli-0.3.4_amd64.deb p/
    expect 65 "'veilid-cli-0.3.4_amd64.deb' is not a regular file" \
        dist build -r v0.3.4 --from p --partial
}

# What was published before it was judged must not keep anybody from mending it.
# The index says what no package could bring today, under the same key, and the
# state is made from what is public.
test_a_repository_that_has_a_bad_one() {
    web_start "$T/srv"
    sed -i "s|^url = .*|url = $WEB|" conf
    make_deb p veilid-cli 0.3.4 amd64
    make_deb p veilid-server 0.3.4 amd64
    use_builds amd64-deb
    publish v0.3.4 p
    mv state lost
    local tree=srv/.releases/1 packages dir size sum file
    [ -d "$tree" ] || tree=$(readlink -f srv/.releases/current)
    cp -a "$tree" broken
    dir=broken/apt/dists/stable
    packages=$dir/main/binary-amd64/Packages
    find broken -path '*/by-hash/*' -type f -delete
    sed -i '/^Package: veilid-server/a Depends: libc6 |' "$packages"
    gzip -9nc "$packages" >"$packages.gz"
    (
        cd "$dir" || exit 1
        rm -f InRelease Release.gpg
        while read -r file; do
            sum=$(sha256sum <"$file" | cut -d' ' -f1) size=$(stat -c %s "$file")
            sed -i "s|^ [0-9a-f]* *[0-9]* $file\$| $sum $size $file|" Release
            mkdir -p "${file%/*}/by-hash/SHA256"
            cp "$file" "${file%/*}/by-hash/SHA256/$sum"
        done < <(sed -n 's|^ [0-9a-f]* *[0-9]* \(main/.*\)|\1|p' Release)
        gpg --homedir "$KEYS/h.main" --batch --quiet --clearsign -o InRelease Release
        gpg --homedir "$KEYS/h.main" --batch --quiet --armor -b -o Release.gpg Release
    )
    sign_tree broken 1
    sed -i 's/^# release .*/# release v0.3.4/' broken/SHA256SUMS
    (cd broken && rm SHA256SUMS.asc && sign_file main SHA256SUMS)
    rm -rf "$(readlink -f "$tree")"
    mv broken "$tree"
    must dist pull
    apt_root r "$WEB"
    apt r update
    apt r check && die "apt takes it"
    must dist list
    grep -q veilid-server out || die "$(cat out)"
    dist verify >out 2>err
    case $? in 0|65) ;; *) die "verify: $(cat err)" ;; esac
    make_deb q veilid-cli 0.3.5 amd64
    must dist build -r v0.3.5 --from q
    must dist revert 1
    must dist remove veilid-server
    must export_and_deploy
    must apt r update
    must apt r install veilid-cli
}

run_tests
