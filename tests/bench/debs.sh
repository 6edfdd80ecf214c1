# Rows of run.sh: indexes of .debs, from nothing and by one more; large ones.
# shellcheck shell=bash disable=SC2154,SC2164,SC2317,SC2034

# The packages, and a state that has published them.
have_small=
need_small() {
    [ -z "$have_small" ] || return 0
    have_small=yes
    say "making $small small packages"
    mkdir "$work/small"
    "$work/make_debs" "$work/small" 0 "$small"
    check_some "$work/small"
}

have_base=
need_base() {
    need_small
    [ -z "$have_base" ] || return 0
    have_base=yes
    say "publishing them"
    publish "$work/base" "$work/small"
    # one more, and where it lies
    mkdir -p "$work/one"
    "$work/make_debs" "$work/one" "$((small + small % 2))" 1
    one=$(echo "$work"/one/amd64/*.deb)
}

# ------------------------------------------------------ apt-ftparchive

# The tree $ftp: its pools, and Packages and Release made by a script
# such as people have; with the hashes that it makes unless told otherwise.
ftp_release=(
    -o APT::FTPArchive::Release::Origin=packages.example.org
    -o APT::FTPArchive::Release::Suite=stable
    -o 'APT::FTPArchive::Release::Architectures=amd64 arm64'
    -o APT::FTPArchive::Release::Components=main
)

# ftp_index [DB]
ftp_index() {
    local architecture dir db
    cd "$ftp"
    for architecture in amd64 arm64; do
        dir=dists/stable/main/binary-$architecture
        db=()
        [ $# = 0 ] || db=(--db "$1/$architecture.db")
        apt-ftparchive -q "${db[@]}" packages \
            "pool/$architecture" >"$dir/Packages"
        gzip -k -f -n "$dir/Packages"
    done
    apt-ftparchive -q "${ftp_release[@]}" release \
        dists/stable >Release.new
    mv Release.new dists/stable/Release
    gpg --batch --quiet --yes --clearsign -o dists/stable/InRelease \
        dists/stable/Release
    gpg --batch --quiet --yes --armor --detach-sign \
        -o dists/stable/Release.gpg dists/stable/Release
    cd "$OLDPWD"
}

ftp_fresh() {
    fresh ftp
    mkdir -p "$ftp"/dists/stable/main/binary-{amd64,arm64}
    cp -al "$work/small" "$ftp/pool"
}

# -------------------------------------------------------------- cold index

cold_source=$work/small
cold_ours_ready() {
    fresh state
}

cold_ours() {
    ours distribute-packages -o "repository.state=$state" build --from "$cold_source/amd64" \
        --from "$cold_source/arm64" -r "$release"
}

cold_ftp_ready() {
    ftp_fresh
}

cold_ftp() {
    ftp_index
}

# A part of the packages, for what is slow.
slow_note=
need_slow() {
    need_small
    cold_source=$work/small
    [ "$slow" -lt "$small" ] || return 0
    slow_note="$slow packages"
    cold_source=$work/slow
    [ ! -d "$work/slow" ] || return 0
    mkdir "$work/slow"
    "$work/make_debs" "$work/slow" 0 "$slow"
}

cold_aptly_ready() {
    fresh aptly
    mkdir "$aptly"
    cat >"$aptly/conf" <<EOF
{ "rootDir": "$aptly/root", "architectures": ["amd64", "arm64"],
  "gpgProvider": "gpg", "skipContentsPublishing": true }
EOF
}

cold_aptly() {
    local run=(aptly "-config=$aptly/conf")
    "${run[@]}" repo create -distribution=stable -component=main bench
    "${run[@]}" repo add bench "$cold_source/amd64" "$cold_source/arm64"
    "${run[@]}" publish repo -batch -gpg-key="$fingerprint" \
        -origin=packages.example.org bench
}

# reprepro_conf DIR
reprepro_conf() {
    mkdir -p "$1/conf"
    cat >"$1/conf/distributions" <<EOF
Origin: packages.example.org
Suite: stable
Codename: stable
Architectures: amd64 arm64
Components: main
SignWith: $fingerprint
DebIndices: Packages Release . .gz
EOF
}

cold_reprepro_ready() {
    fresh reprepro
    reprepro_conf "$reprepro"
}

cold_reprepro() {
    reprepro_include "$reprepro" "$cold_source"
}

# reprepro_include BASE DIR: by xargs, for as many as one call may name
reprepro_include() {
    find "$2" -name '*.deb' -print0 | sort -z |
        xargs -0 reprepro -s -b "$1" includedeb stable
}

# ----------------------------------------------------------- one package

one_ours_ready() {
    fresh state
    cp -al "$work/base" "$state"
}

one_ours() {
    ours distribute-packages -o "repository.state=$state" build \
        --partial --from "$work/one/amd64" -r "$release"
}

# The database knows the others already.
one_ftp_ready() {
    local name=pool/amd64/${one##*/} base=$work/ftp-base
    if [ ! -d "$base" ]; then
        ftp_fresh
        mkdir "$ftp/db"
        ftp_index "$ftp/db"
        mv "$ftp" "$base"
    fi
    fresh ftp
    mkdir "$ftp"
    cp -al "$base/pool" "$ftp/pool"
    cp -a "$base/db" "$base/dists" "$ftp"
    cp "$one" "$ftp/$name"
}

one_ftp() {
    ftp_index "$ftp/db"
}

one_reprepro_ready() {
    local base=$work/reprepro-base
    if [ ! -d "$base" ]; then
        say "publishing them with reprepro"
        reprepro_conf "$base"
        reprepro_include "$base" "$work/small" >/dev/null
    fi
    fresh reprepro
    mkdir "$reprepro"
    cp -a "$base"/{conf,db,dists} "$reprepro"
    cp -al "$base/pool" "$reprepro/pool"
}

one_reprepro() {
    reprepro -s -b "$reprepro" includedeb stable "$one"
}

# ------------------------------------------------- what readers cost

# The same work in a process of its own, and in one that has the keys.
need_read_debs() {
    cc -O2 -std=c17 -D_GNU_SOURCE -iquote "$here/../.." -o "$work/read_debs" \
        "$here/read_debs.c" "$build/libveilid-cicd.a" \
        -larchive -lseccomp -lcrypto -lz -pthread
}

read_all() {
    "$work/read_debs" "$1" "$work/small/amd64" &&
        "$work/read_debs" "$1" "$work/small/arm64"
}

by_reader_ready() { echo 0 >>"$work/peak"; }
by_reader() { read_all reader; }
in_process_ready() { :; }
in_process() { read_all process; }

# ------------------------------------------------------------ large ones

need_large() {
    say "making $large packages of $large_mib MiB"
    mkdir "$work/large"
    "$work/make_debs" "$work/large" 0 "$large" "$large_mib"
    check_some "$work/large"
}

large_ours_ready() {
    [ -z "$state" ] || rm -rf "$state"
    fresh state
}

large_ours() {
    ours distribute-packages -o "repository.state=$state" build \
        --from "$work/large/amd64" --from "$work/large/arm64" -r "$release"
}

large_sums_ready() {
    rm -rf "$state"
}

large_sums() {
    find "$work/large" -name '*.deb' -print0 |
        xargs -0 -P "$(nproc)" -n 1 sha256sum
}

debs_rows() {
    if wanted index-cold/apt-ftparchive; then
        need_small
        compare index-cold apt-ftparchive 3 "$runs" '' cold_ours cold_ftp
    fi
    if wanted index-cold/aptly && has aptly; then
        need_slow
        compare index-cold aptly 20 1 "$slow_note" cold_ours cold_aptly
    fi
    if wanted index-cold/reprepro && has reprepro; then
        need_slow
        compare index-cold reprepro 10 1 "$slow_note" cold_ours cold_reprepro
    fi
    if wanted opened/in-process; then
        need_small
        need_read_debs
        compare opened in-process 0.9 "$runs" '' by_reader in_process
    fi
    if wanted index-one/reprepro && has reprepro; then
        need_base
        compare index-one reprepro 1 "$runs" '' one_ours one_reprepro
    fi
    if wanted index-one/apt-ftparchive; then
        need_base
        compare index-one apt-ftparchive 2 "$runs" '' one_ours one_ftp
    fi
    if wanted large/sha256sum; then
        need_large
        # at most 1.3 times as long
        compare large sha256sum 0.77 "$runs" '' large_ours large_sums
        rm -rf "$work/large"
    fi
}
