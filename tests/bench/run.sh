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
# For a quick look: RUNS=1 SMALL=500 LARGE=4 tests/bench/run.sh index,
# RUNS=1 RPMS=200 tests/bench/run.sh rpm, and
# RUNS=1 UPLOAD_MIB=64 TREE=500 tests/bench/run.sh upload
#
# What is compared, and its rows, lies beside this, by subject.
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
tree=${TREE:-5000}	# small packages of the tree that is sent
memory_limit=$((64 * 1024))	# KiB
release=v1.0.0
generations=5	# that deploy-repo keeps

here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$build/bin" && pwd)
# shellcheck source=tests/e2e/begin.sh
. "$here/../e2e/begin.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/vb.XXXXXX")
chattr +T "$work" 2>/dev/null || true	# spread what is made in it
export GNUPGHOME=$work/g LC_ALL=C
unset VEILID_CICD_CONF CI_COMMIT_TAG IS_NIGHTLY SOURCE_DATE_EPOCH

PIDS=()
finish() {
    [ ${#PIDS[@]} = 0 ] || kill "${PIDS[@]}" 2>/dev/null || true
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

# ------------------------------------------------------------- the table

# shellcheck source-path=SCRIPTDIR
. "$here/debs.sh"
# shellcheck source-path=SCRIPTDIR
. "$here/deploy.sh"
# shellcheck source-path=SCRIPTDIR
. "$here/rpms.sh"
# shellcheck source-path=SCRIPTDIR
. "$here/upload.sh"

prepare
debs_rows
deploy_rows
rpms_rows
upload_rows
[ "$rows" -gt 0 ] || exit 66
exit "$missed"
