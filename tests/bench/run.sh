#!/bin/bash
# Speed and memory of the tools, against what one would use instead.
#
#   BUILD=build tests/bench/run.sh [FILTER]
#
# One row a work; FILTER is a part of its name, or a shell pattern. Both sides
# run in turn, ours, theirs, ours, theirs; the times are medians of RUNS (5),
# of the very slow ones one run. The ratio is theirs over ours: more is
# better. What is restored between runs is not timed, and the disk is quiet
# when a run starts. Peak memory is that of the tool or the largest of its
# children. Status 1: a target was missed; 66: nothing was measured.
#
# ext4 passes over the inodes that were freed in the last minutes, one by one,
# for each new file: so each run works in a directory of its own, which lies
# in a block group of its own, and nearly all is removed at the end only.
#
# For a quick look: RUNS=1 SMALL=500 LARGE=4 tests/bench/run.sh index, and
# RUNS=1 RPMS=200 tests/bench/run.sh rpm
# shellcheck disable=SC2317  # most functions are called by their names
set -euo pipefail

filter=${1:-}
build=${BUILD:-build}
runs=${RUNS:-5}
small=${SMALL:-10000}	# packages in the index
slow=${SLOW:-$small}	# of these for aptly and reprepro
rpms=${RPMS:-2000}
large=${LARGE:-20}	# packages of large_mib MiB
large_mib=${LARGE_MIB:-50}
upload_mib=${UPLOAD_MIB:-1024}	# one package that is sent
memory_limit=$((64 * 1024))	# KiB
release=v1.0
generations=5	# that deploy-repo keeps

here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$build/bin" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/vb.XXXXXX")
chattr +T "$work" 2>/dev/null || true	# spread what is made in it
export GNUPGHOME=$work/g LC_ALL=C
unset VEILID_CICD_CONF CI_COMMIT_TAG IS_NIGHTLY SOURCE_DATE_EPOCH

pids=()
finish() {
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
    gpgconf --homedir "$GNUPGHOME" --kill all 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

die() {
    echo "bench: $*" >&2
    exit 1
}

say() {
    echo "bench: $*" >&2
}

# ------------------------------------------------------------- measuring

# timed NAME COMMAND...: the seconds go to the file NAME, one line a run
timed() {
    local name=$1 start end
    shift
    sync
    start=$EPOCHREALTIME
    "$@" >"$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        die "$name: '$*' failed"
    }
    end=$EPOCHREALTIME
    awk -v a="$start" -v b="$end" 'BEGIN { printf "%.4f\n", b - a }' \
        >>"$work/$name.times"
}

median() {
    sort -n "$1" | awk '{ v[NR] = $1 } END {
        m = int((NR + 1) / 2)
        printf "%.3f\n", NR % 2 ? v[m] : (v[m] + v[m + 1]) / 2 }'
}

# One of our tools, its peak memory noted.
ours() {
    local tool=$1
    shift
    command time -a -o "$work/peak" -f %M "$bin/$tool" -q \
        -c "$work/conf" "$@"
}

# fresh NAME: sets the variable NAME to a path that was never used
serial=0
state='' ftp='' aptly='' reprepro='' rpmdir=''
fresh() {
    serial=$((serial + 1))
    printf -v "$1" %s "$work/$1.$serial.${work##*.}"
}

missed=0
rows=0
print_row() {
    local name=$1 against=$2 target=$3 note=$4 a b peak
    a=$(median "$work/a.times")
    b=$(median "$work/b.times")
    peak=$(sort -n "$work/peak" | tail -n 1)
    if [ "$rows" = 0 ]; then
        printf '%-11s %-14s %8s %8s %7s %6s %8s\n' work against 'ours s' \
            'other s' ratio target 'peak MiB'
    fi
    rows=$((rows + 1))
    awk -v name="$name" -v against="$against" -v a="$a" -v b="$b" \
        -v target="$target" -v peak="$peak" -v limit="$memory_limit" \
        -v note="$note" 'BEGIN {
        verdict = ""
        if (b / a < target) verdict = " MISSED"
        if (peak >= limit) verdict = verdict " MISSED-MEMORY"
        printf "%-11s %-14s %8.3f %8.3f %7.2f %6.2f %8.1f %s %s\n", name,
            against, a, b, b / a, target, peak / 1024,
            verdict == "" ? " met" : verdict, note
        exit verdict != "" }' || missed=1
}

wanted() {
    # shellcheck disable=SC2053  # the filter is a pattern
    [ -z "$filter" ] || [[ "$1" == *$filter* ]]
}

# compare WORK AGAINST TARGET TIMES NOTE OURS OTHER
# Calls the functions OURS and OTHER, timed, and before each of them
# OURS_ready and OTHER_ready, not timed. OTHER runs only TIMES times.
compare() {
    local name=$1 against=$2 target=$3 times=$4 note=$5 ours=$6 other=$7 i
    rm -f "$work"/{a,b}.times "$work/peak"
    for ((i = 0; i < runs || i < times; i++)); do
        "${ours}_ready"
        timed a "$ours"
        [ "$i" -lt "$times" ] || continue
        "${other}_ready"
        timed b "$other"
    done
    print_row "$name" "$against" "$target" "$note"
}

has() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || {
            say "left out, $tool is not installed"
            return 1
        }
    done
}

# --------------------------------------------------------- what all share

make_key() {
    mkdir -m 700 "$GNUPGHOME"
    printf '%s\n' '%no-protection' 'Key-Type: RSA' 'Key-Length: 3072' \
        'Key-Usage: sign' 'Name-Real: Bench' \
        'Name-Email: bench@packages.example.org' 'Expire-Date: 1y' \
        '%commit' >"$work/key.conf"
    gpg --batch --quiet --gen-key "$work/key.conf" 2>/dev/null
    gpg --batch --quiet --armor --export >"$work/trusted.asc"
    (
        umask 077
        gpg --batch --quiet --armor --export-secret-keys >"$work/secret"
    )
    fingerprint=$(gpg --batch --quiet --no-auto-check-trustdb \
        --with-colons --list-secret-keys |
        awk -F: '$1 == "fpr" { print $10; exit }')
}

make_conf() {
    mkdir -p "$work/inbox"
    cat >"$work/conf" <<EOF
[release]
builds = amd64-deb arm64-deb
packages = *
[suite stable]
origin = packages.example.org
architectures = amd64 arm64
[repository]
url = https://packages.example.org
[signing]
key-file = $work/secret
[deploy]
root = $work/root
inbox = $work/inbox
trusted-key = $work/trusted.asc
keep = $generations
EOF
}

prepare() {
    local tool
    for tool in distribute-packages deploy-repo; do
        [ -x "$bin/$tool" ] || die "$bin/$tool is missing: make"
    done
    has cc gpg apt-ftparchive dpkg-deb time || exit 66
    cc -O2 -std=c17 -D_GNU_SOURCE -o "$work/make_debs" \
        "$here/make_debs.c" -larchive
    make_key
    make_conf
}

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

check_some() {
    local deb
    for deb in $(find "$1" -name '*.deb' | sort | sed -n '1p;$p'); do
        if ! dpkg-deb -I "$deb" || ! dpkg-deb -c "$deb"; then
            die "$deb is no good package"
        fi >/dev/null
    done
}

# publish STATE DIR: the packages below DIR
publish() {
    "$bin/distribute-packages" -q -c "$work/conf" \
        -o "repository.state=$1" build --partial --from "$2/amd64" \
        --from "$2/arm64" -r "$release" >/dev/null
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

# ---------------------------------------------------------------- deploy

# entries SUMS: its lines for files, sorted
entries() {
    grep -v '^#' "$1" | sort
}

# Generations 1 to 6 were deployed, so that as many are in the root as are
# kept, and 7 is the drop. Each of them adds one package. rsync gets the trees
# of 6 and 7, whose files have the same times but for those that changed.
next=$((generations + 2))
need_deploy() {
    local i state=$work/deploy-state
    say "making $next generations"
    cp -al "$work/base" "$state"
    mkdir "$work/root0" "$work/tree-old" "$work/tree-next"
    for ((i = 1; i < next; i++)); do
        if [ "$i" -gt 1 ]; then
            next_generation "$state" "$i"
        fi
        export_tree "$state" >"$work/tar"
        "$bin/deploy-repo" -q -c "$work/conf" \
            -o "deploy.root=$work/root0" - <"$work/tar" >/dev/null
    done
    tar -xf "$work/tar" -C "$work/tree-old"
    next_generation "$state" "$next"
    export_tree "$state" | tar -x -C "$work/tree-next"
    make_drop "$work/tree-next" "$work/drop"
    cp -al "$work/tree-old" "$work/tree-new"
    comm -23 <(cd "$work/tree-old" && find . -type f | sort) \
        <(cd "$work/tree-next" && find . -type f | sort) |
        (cd "$work/tree-new" && xargs -r rm -f)
    cp -a --remove-destination "$work/drop/." "$work/tree-new"
    diff -r "$work/tree-new" "$work/tree-next" >&2 ||
        die "the tree for rsync is not the one that is deployed"
    rm -rf "$state" "$work/tar" "$work/tree-next"
}

# next_generation STATE NUMBER
next_generation() {
    rm -rf "$work/more"
    mkdir "$work/more"
    "$work/make_debs" "$work/more" "$((small + small % 2 + 2 * $2))" 1
    publish_more "$1"
}

publish_more() {
    "$bin/distribute-packages" -q -c "$work/conf" \
        -o "repository.state=$1" build --partial --from "$work/more/amd64" \
        -r "$release" >/dev/null
}

export_tree() {
    "$bin/distribute-packages" -q -c "$work/conf" \
        -o "repository.state=$1" export
}

# make_drop TREE DROP: what the old tree has not got
make_drop() {
    mkdir "$2"
    cp -a "$1"/SHA256SUMS "$1"/SHA256SUMS.asc "$2"
    comm -13 <(entries "$work/tree-old/SHA256SUMS") \
        <(entries "$1/SHA256SUMS") | cut -c 67- |
        (cd "$1" && xargs cp -a --parents -t "$2")
}

deploy_ours_ready() {
    rm -rf "$work/root" "$work/inbox"
    cp -al "$work/root0" "$work/root"
    mkdir "$work/inbox"
    cp -a "$work/drop" "$work/inbox/generation.$next.x"
}

deploy_ours() {
    ours deploy-repo
}

deploy_rsync_ready() {
    [ "$(readlink "$work/root/.releases/current")" = "$next" ] ||
        die "the drop was not deployed"
    rm -rf "$work/copy"
    cp -al "$work/tree-old" "$work/copy"
}

deploy_rsync() {
    rsync -a --delete "$work/tree-new/" "$work/copy/"
}

# ------------------------------------------------------------------ rpms

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

# ------------------------------------------------------------- by ssh

# An sshd that gives sftp, one package, and a line of 40 ms to the same sshd.
have_upload=
need_upload() {
    [ -z "$have_upload" ] || return 0
    have_upload=yes
    local d=$work/upload.d
    say "making a package of $upload_mib MiB"
    mkdir -p "$d/far/incoming" "$d/tree/DEBIAN" "$d/package" /run/sshd
    dd if=/dev/urandom of="$d/tree/content" bs=1M count="$upload_mib" status=none
    printf '%s\n' 'Package: bench-upload' 'Version: 1.0' 'Architecture: amd64' \
        'Section: net' 'Maintainer: Bench <bench@packages.example.org>' \
        'Description: large' >"$d/tree/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone -b "$d/tree" \
        "$d/package/bench-upload_1.0_amd64.deb" >/dev/null
    rm -rf "$d/tree"
    ssh-keygen -q -t ed25519 -N '' -f "$d/host"
    ssh-keygen -q -t ed25519 -N '' -f "$d/id"
    upload_port=$((20000 + RANDOM % 12000))
    cat >"$d/sshd" <<EOF
Port $upload_port
ListenAddress 127.0.0.1
HostKey $d/host
AuthorizedKeysFile $d/id.pub
StrictModes no
UsePAM no
PermitRootLogin yes
PidFile none
Subsystem sftp internal-sftp
ForceCommand internal-sftp -d $d/far
EOF
    /usr/sbin/sshd -f "$d/sshd" -D -e 2>"$d/log" &
    pids+=($!)
    python3 "$here/../e2e/cut_proxy.py" "$upload_port" --delay 20 >"$d/line" &
    pids+=($!)
    until grep -q '^ready' "$d/line" && grep -q listening "$d/log"; do
        sleep 0.1
    done
    upload_line=$(sed -n 's/^ready //p' "$d/line")
    sed "s/^/[127.0.0.1]:$upload_port /" "$d/host.pub" >"$d/hosts"
    sed "s/^/[127.0.0.1]:$upload_line /" "$d/host.pub" >>"$d/hosts"
    cat >>"$work/conf" <<EOF
[orchestrator]
host = 127.0.0.1
user = $(id -un)
identity-file = $d/id
known-hosts = $d/hosts
EOF
}
has_sshd() {
    [ "$(id -u)" = 0 ] && [ -x /usr/sbin/sshd ] && return
    say 'left out, an sshd needs root and openssh-server'
    return 1
}
upload_ready() {
    find "$work/upload.d/far/incoming" -mindepth 1 -delete
}
upload_ours_ready() { upload_ready; }
upload_scp_ready() { upload_ready; }
line_ours_ready() { upload_ready; }
line_scp_ready() { upload_ready; }
upload_by() {
    ours scp-to-orchestrator -r "$release" -o "orchestrator.port=$1" \
        "$work/upload.d/package"
}
scp_by() {
    local d=$work/upload.d
    scp -q -P "$1" -i "$d/id" -o "UserKnownHostsFile=$d/hosts" \
        -o IdentitiesOnly=yes -c aes128-gcm@openssh.com \
        "$d/package/bench-upload_1.0_amd64.deb" \
        "$(id -un)@127.0.0.1:incoming/"
}
upload_ours() { upload_by "$upload_port"; }
upload_scp() { scp_by "$upload_port"; }
line_ours() { upload_by "$upload_line"; }
line_scp() { scp_by "$upload_line"; }

# ------------------------------------------------------------- the table

prepare
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
if wanted deploy-one/rsync && has rsync; then
    need_base
    need_deploy
    compare deploy-one rsync 1 "$runs" '' deploy_ours deploy_rsync
fi
has_rpm() {
    has rpmbuild rpmsign rpmkeys createrepo_c
}
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
if wanted upload/scp && has scp && has_sshd; then
    need_upload
    compare upload scp 1.1 3 'ours is read back' upload_ours upload_scp
fi
if wanted upload-40ms/scp && has scp python3 && has_sshd; then
    need_upload
    compare upload-40ms scp 3 1 'ours is read back' line_ours line_scp
fi
[ "$rows" -gt 0 ] || exit 66
exit "$missed"
