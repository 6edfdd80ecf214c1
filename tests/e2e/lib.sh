# What the end-to-end tests share. A test file sources this, defines functions
# test_*, and ends with `run_tests`. Each test runs in a subshell of its own,
# with a directory $T, a home in it, and nothing of the caller's environment
# that could change what the tools do.
# shellcheck shell=bash

set -u

# A /dev/shm of our own: what is left in it, this test file has left there.
if [ -z "${VC_PRIVATE:-}" ]; then
    export VC_PRIVATE=tried
    if unshare -m true 2>/dev/null; then
        exec unshare -m bash -c 'mount -t tmpfs -o mode=1777 tmpfs /dev/shm
            VC_PRIVATE=yes exec bash "$@"' bash "$0" "$@"
    fi
fi
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
unset CI_COMMIT_TAG CI_PIPELINE_CREATED_AT CI_PROJECT_DIR GITLAB_CI IS_NIGHTLY \
    SOURCE_DATE_EPOCH VEILID_CICD_CONF GNUPGHOME XDG_RUNTIME_DIR \
    http_proxy https_proxy
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
# Debian's programs: in front of them there may be others, or shims, by which
# each start of python3 takes ten times as long.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LSAN_OPTIONS="suppressions=$ROOT/tests/lsan.supp:print_suppressions=0"
# shellcheck source=tests/e2e/begin.sh
. "$ROOT/tests/e2e/begin.sh"
OWN_KEYS=
if [ -z "${KEYS:-}" ]; then
    KEYS=$(mktemp -d /tmp/vc-keys.XXXXXX)
    OWN_KEYS=yes
fi

# ------------------------------------------------------------ the harness

die() {
    echo "# $*"
    exit 1
}

# expect STATUS REGEX COMMAND...: the exit status, and what it said (stderr).
expect() {
    local status=$1 regex=$2 got
    shift 2
    "$@" >"$T/out" 2>"$T/err"
    got=$?
    if [ "$got" != "$status" ]; then
        sed 's/^/# /' "$T/err"
        die "status $got, expected $status: $*"
    fi
    if ! grep -Eq -- "$regex" "$T/err"; then
        sed 's/^/# /' "$T/err"
        die "said nothing like '$regex': $*"
    fi
}

# Runs a command that must succeed; shows what it said when it does not.
must() {
    "$@" >"$T/out" 2>"$T/err" && return
    sed 's/^/# /' "$T/err" "$T/out"
    die "failed: $*"
}

# hears SIGNAL PID: it has a handler for it by now, and is no shell any more,
# which has handlers as well, until it becomes the command.
hears() {
    local caught
    [ "$(readlink "/proc/$2/exe")" != "$(readlink /proc/$$/exe)" ] || return 1
    caught=$(sed -n 's/^SigCgt:\s*/0x/p' "/proc/$2/status") &&
        [ $(((caught >> ($(kill -l "$1") - 1)) & 1)) = 1 ]
}

# PARALLEL, where it is set before: so many tests at once, for those that wait
# more than they work. They are in the background then, where bash has
# everything ignore SIGINT.
run_tests() {
    local test tests n=0
    tests=$(declare -F | awk '$3 ~ /^test_/ {print $3}')
    echo "1..$(echo "$tests" | wc -l)"
    LOGS=$(mktemp -d /tmp/vc.XXXXXX)
    [ "${PARALLEL:-1}" = 1 ] || make_key main   # which all of them would make
    STARTED=() PID_OF=() REPORTED=0 FAILED=0
    for test in $tests; do
        STARTED+=("$test")
        if [ "${PARALLEL:-1}" = 1 ]; then
            run_logged "$test"
            report_oldest
        else
            [ "$n" -lt "$PARALLEL" ] || report_oldest
            run_logged "$test" &
            PID_OF+=($!)
        fi
        n=$((n + 1))
    done
    while [ "$REPORTED" -lt "$n" ]; do report_oldest; done
    rm -rf "$LOGS"
    if [ -n "$OWN_KEYS" ]; then rm -rf "$KEYS"; fi
    exit "$FAILED"
}

run_logged() {
    T=$(mktemp -d /tmp/vc.XXXXXX)
    (run_one "$1") >"$LOGS/$1" 2>&1
    echo $? >"$LOGS/$1.status"
    wait_for nobody_works_in "$T" || {
        echo "# left running: $(at_work_in "$T")" >>"$LOGS/$1"
        echo 1 >"$LOGS/$1.status"
    }
    rm -rf "$T"
}

# Of whatever is done in a directory, /proc/PID/cwd.
at_work_in() { find /proc/[0-9]*/cwd -maxdepth 0 -lname "$1*" 2>/dev/null; }
nobody_works_in() { [ -z "$(at_work_in "$1")" ]; }

report_oldest() {
    local test=${STARTED[$REPORTED]} pid=${PID_OF[$REPORTED]:-}
    local log=$LOGS/$test
    [ -z "$pid" ] || wait "$pid"
    REPORTED=$((REPORTED + 1))
    if [ "$(cat "$log.status" 2>/dev/null)" != 0 ]; then
        FAILED=1
        echo "not ok $REPORTED - $test"
        grep '^#' "$log"
        grep -v '^#' "$log" | tail -n 30 >&2
    elif grep -q '^# skip' "$log"; then
        echo "ok $REPORTED - $test # SKIP $(sed -n 's/^# skip //p' "$log")"
    else
        echo "ok $REPORTED - $test"
    fi
}

run_one() {
    export HOME=$T/home
    mkdir -p "$HOME/incoming"
    cd "$T" || exit 1
    trap cleanup EXIT
    write_conf
    "$1"
    check_nothing_left
}

# Processes that the test has started: by pid, and only those.
PIDS=()
cleanup() {
    local pid
    for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${PIDS[@]}"; do wait "$pid" 2>/dev/null; done
    # gpgme, which dnf uses, leaves an agent for each of its key rings
    for pid in $(pgrep -f "^gpg-agent --homedir $T/"); do kill "$pid"; done
    mountpoint -q "$T/full" && umount "$T/full"
    return 0
}

# No key ring, and no living agent of one, may outlast a run. A keeper whose
# parent was killed needs a moment.
check_nothing_left() {
    wait_for nothing_is_left || die "left behind: $(keyrings; agents)"
}

nothing_is_left() { [ -z "$(keyrings; agents)" ]; }

keyrings() {
    find /dev/shm -maxdepth 1 -name '*veilid-cicd-keys.*' 2>/dev/null
}

agents() {
    local pid
    for pid in $(pgrep -f 'gpg-agent.*veilid-cicd-keys'); do
        [ "$(readlink "/proc/$pid/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ] &&
            [ "$(ps -o stat= -p "$pid" | cut -c1)" != Z ] && echo "agent $pid"
    done
    return 0
}

# ------------------------------------------------------- the two tools

write_conf() {
    cat >"$T/conf" <<EOF
[release]
builds = amd64-deb arm64-deb
packages = veilid-server veilid-cli lab-*
[suite stable]
origin = packages.example.org
description = Test packages
[suite nightly]
origin = packages.example.org
[repository]
state = $T/state
inbox = $T/home/incoming
url = http://packages.example.org
[signing]
key-file = $T/key
[deploy]
root = $T/srv
inbox = $T/inbox
trusted-key = $T/trusted.asc
EOF
    mkdir -p "$T/srv" "$T/inbox"
    use_key main
}

dist() { "$BUILD/bin/distribute-packages" -c "$T/conf" "$@"; }
deploy() { "$BUILD/bin/deploy-repo" -c "$T/conf" "$@"; }
# shellcheck disable=SC2317
export_and_deploy() {
    dist export | deploy "$@" -
    [ "${PIPESTATUS[*]}" = "0 0" ]
}

# publish RELEASE DIR...: build and deploy.
publish() {
    local release=$1 from=() dir
    shift
    for dir in "$@"; do from+=(--from "$dir"); done
    must dist build -r "$release" "${from[@]}"
    must export_and_deploy
}

# The state has neither generations nor objects.
nothing_is_stored() {
    [ -z "$(find state/generations state/objects -mindepth 1 2>/dev/null)" ]
}

# ------------------------------------------------------------- packages

# make_deb DIR NAME VERSION ARCH [COMPRESSION [LINE...]]: with dpkg-deb; the
# lines are added to the control file. DEB_FILE, if set, is in it as well.
make_deb() {
    local dir=$1 name=$2 version=$3 arch=$4 z=${5:-xz} d line
    shift $(($# < 5 ? 4 : 5))
    d=$(mktemp -d "$T/deb.XXXXXX")
    mkdir -p "$dir" "$d/DEBIAN" "$d/usr/share/$name"
    {
        printf 'Package: %s\nVersion: %s\nArchitecture: %s\n' \
            "$name" "$version" "$arch"
        printf 'Maintainer: Lab <lab@example.org>\nSection: net\n'
        for line in "$@"; do printf '%s\n' "$line"; done
        printf 'Description: %s for tests\n and a second line\n .\n end\n' \
            "$name"
    } >"$d/DEBIAN/control"
    echo "$name $version ${DEB_EXTRA:-}" >"$d/usr/share/$name/version"
    [ -z "${DEB_FILE:-}" ] || cp "$DEB_FILE" "$d/usr/share/$name/file"
    chmod 755 "$d"
    dpkg-deb --root-owner-group -Z"$z" -b "$d" \
        "$dir/${name}-${version}_$arch.deb" >/dev/null
    rm -rf "$d"
}

# make_release DIR VERSION: the two packages for the two architectures.
make_release() {
    local arch
    for arch in amd64 arm64; do
        make_deb "$1" veilid-server "$2" $arch zstd
        make_deb "$1" veilid-cli "$2" $arch gzip
    done
}

# make_drop INBOX RELEASE BUILD UNIQUE FILE...: as a build machine sends it.
make_drop() {
    local drop=$1/$2.$3.$4
    shift 4
    mkdir -p "$drop.part"
    cp "$@" "$drop.part"
    (cd "$drop.part" && LC_ALL=C sha256sum -- * >SHA256SUMS)
    mv "$drop.part" "$drop"
}

# ----------------------------------------------------------------- keys

# Makes the key KIND once for all tests: $KEYS/KIND (secret), KIND.asc.
make_key() {
    local kind=$1 home=$KEYS/h.$1 algo=rsa3072 usage=sign expire=never args=()
    [ ! -e "$KEYS/$kind.asc" ] || return 0
    mkdir -m 700 "$home"
    echo 'cert-digest-algo SHA512' >"$home/gpg.conf"
    echo 's2k-count 65536' >"$home/gpg-agent.conf"
    printf '' >"$KEYS/empty"
    case $kind in
    rsa2048) algo=rsa2048 ;;
    ed25519) algo=ed25519 ;;
    dsa) algo=dsa2048 ;;
    soon) expire=10d ;;
    expired) expire=1d args=(--faked-system-time 20250101T000000) ;;
    sha1) echo 'cert-digest-algo SHA1' >"$home/gpg.conf" ;;
    esac
    local secret=''
    [ "$kind" != passphrase ] || secret=opensesame
    local g=(gpg --homedir "$home" --batch --quiet --pinentry-mode loopback
        --passphrase "$secret" "${args[@]}")
    "${g[@]}" --quick-gen-key "$kind <$kind@example.org>" $algo $usage \
        $expire 2>/dev/null
    local fpr
    fpr=$(gpg --homedir "$home" --with-colons -k 2>/dev/null |
        awk -F: '$1 == "fpr" {print $10; exit}')
    case $kind in
    subkey|subkeyonly)
        "${g[@]}" --quick-add-key "$fpr" rsa3072 sign never 2>/dev/null ;;
    revoked)
        sed 's/^:---/---/' "$home/openpgp-revocs.d/$fpr.rev" |
            gpg --homedir "$home" --batch --quiet --import 2>/dev/null ;;
    esac
    local what=--export-secret-keys
    [ "$kind" != subkeyonly ] || what=--export-secret-subkeys
    (umask 077; "${g[@]}" --armor $what "$fpr" >"$KEYS/$kind" 2>/dev/null)
    gpg --homedir "$home" --batch --armor --export "$fpr" >"$KEYS/$kind.asc" \
        2>/dev/null
    gpgconf --homedir "$home" --kill all
    [ -s "$KEYS/$kind" ] && [ -s "$KEYS/$kind.asc" ] || die "no key $kind"
}

# use_key KIND: signs with it from now on, and deploy-repo trusts it.
use_key() {
    make_key "$1"
    cp "$KEYS/$1" "$T/key"
    cp "$KEYS/$1.asc" "$T/trusted.asc"
}

# sign_tree DIR [SERIAL [KIND]]: a manifest over what is there, signed.
sign_tree() {
    local dir=$1 serial=${2:-9} kind=${3:-main}
    make_key "$kind"
    (
        cd "$dir" || exit 1
        rm -f SHA256SUMS SHA256SUMS.asc
        {
            printf '# serial %s\n# release v9\n# date 2026-01-02T03:04:05Z\n' \
                "$serial"
            find . -type f ! -name 'SHA256SUMS*' -printf '%P\n' |
                LC_ALL=C sort | xargs -r sha256sum
        } >"$T/sums"
        mv "$T/sums" SHA256SUMS
        sign_file "$kind" SHA256SUMS
    )
}

sign_file() {
    gpg --homedir "$KEYS/h.$1" --batch --quiet --yes --armor \
        --pinentry-mode loopback --passphrase '' --detach-sign "$2"
    gpgconf --homedir "$KEYS/h.$1" --kill all
}

# tar_tree DIR: as export writes it, the manifest first.
tar_tree() {
    (cd "$1" && tar -cf - --no-recursion SHA256SUMS SHA256SUMS.asc \
        -T <(find . -mindepth 1 ! -name 'SHA256SUMS*' -printf '%P\n' | sort))
}

# ------------------------------------------------------- a web server

# The server that examples/ ships, for what is here: address and root differ,
# and EXTRA comes first. Without TLS, which needs a certificate.
web_site() {
    local address=$1 root=$2 extra=${3:-}
    sed -e '/listen \[::\]/d' -e '/listen 443/d' -e '/ssl_/d' \
        -e "s|listen 80;|listen $address;|" \
        -e "s|root /srv;|root $root; $extra|" \
        "$ROOT/examples/nginx/veilid-cicd.conf"
}

# web_run NAME: nginx on what stands on stdin, below http. It listens, or this
# fails. Not behind a pipe, where PIDS would be lost.
web_run() {
    local d=$T/$1
    mkdir -p "$d"
    {
        echo "daemon off; master_process off; pid $d/pid; user root;
error_log $d/err info; worker_processes 1; events { worker_connections 64; }
http { access_log $d/access; client_body_temp_path $d/a;
proxy_temp_path $d/b; fastcgi_temp_path $d/c; uwsgi_temp_path $d/d;
scgi_temp_path $d/e;"
        cat
        echo '}'
    } >"$d/conf"
    rm -f "$d/pid"
    nginx -c "$d/conf" -e "$d/err" 2>/dev/null &
    PIDS+=($!)
    # which it writes when it has its ports: that somebody answers there does not
    # say that it is this one
    wait_for -p "${PIDS[-1]}" test -s "$d/pid"
}

# web_start ROOT [EXTRA]: that server on a free port of loopback; sets $WEB.
web_start() {
    on_a_port web_try "$@" || die "nginx does not start: $(tail -n 3 "$T/web/err")"
    export WEB=http://127.0.0.1:$PORT
}
web_try() { web_run web < <(web_site "127.0.0.1:$PORT" "$@"); }

# Before the name of a client: how it comes to where it sees the server.
CLIENT=(env)

# ------------------------------------------------------- an apt client

# apt_root NAME URL [SUITE [KEY]]: a throw-away root, $T/NAME, whose apt knows
# only us.
apt_root() {
    local r=$T/$1 url=$2 suite=${3:-stable} key=${4:-$T/trusted.asc}
    mkdir -p "$r"/etc/apt/{apt.conf.d,preferences.d,sources.list.d,trusted.gpg.d} \
        "$r"/var/lib/apt/lists/partial "$r"/var/cache/apt/archives/partial \
        "$r"/var/log/apt "$r"/var/lib/dpkg/{info,updates,triggers} \
        "$r"/usr/share
    : >"$r/var/lib/dpkg/status"
    printf 'amd64\narm64\n' >"$r/var/lib/dpkg/arch"
    cp "$key" "$r/etc/apt/key.asc"
    echo "deb [arch=amd64,arm64 signed-by=$r/etc/apt/key.asc] $url/apt $suite main" \
        >"$r/etc/apt/sources.list"
    cat >"$r/apt.conf" <<EOF
Dir "$r/";
Dir::State::status "$r/var/lib/dpkg/status";
Dir::Bin::methods "/usr/lib/apt/methods";
Dir::Bin::dpkg "/usr/bin/dpkg";
#clear APT::Architectures;
APT::Architecture "amd64";
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root";
APT::Get::Assume-Yes "true";
Acquire::Languages "none";
Acquire::Check-Date "true";
Acquire::Check-Valid-Until "true";
Acquire::http::Proxy "DIRECT";
Acquire::Retries "0";
DPkg::Options { "--root=$r"; "--force-not-root"; "--force-script-chrootless";
"--log=$r/var/log/dpkg.log"; };
DPkg::Path "/usr/sbin:/usr/bin:/sbin:/bin";
Dpkg::Use-Pty "false";
EOF
}

# apt NAME COMMAND...: every warning is an error of the test's.
apt() {
    local r=$T/$1 any=() status
    shift
    [ "$1" != update ] || any=(--error-on=any)
    APT_CONFIG=$r/apt.conf "${CLIENT[@]}" apt-get "${any[@]}" "$@" >"$T/apt.out" 2>"$T/apt.err"
    status=$?
    cat "$T/apt.out" "$T/apt.err" >&2
    [ "$status" = 0 ] && ! grep -qE '^[WNE]: ' "$T/apt.err"
}

installed() {
    dpkg-query --admindir="$1/var/lib/dpkg" -W -f '${Package}:${Architecture}=${Version}\n' \
        2>/dev/null | sort | tr '\n' ' '
}

# ------------------------------------------------- rpm, a dnf, a zypper client

# use_builds BUILD...: what a release consists of.
use_builds() {
    sed -i "s/^builds = .*/builds = $*/" "$T/conf"
}

# rpm_ok KIND FILE...: rpmkeys, which trusts the key KIND alone, finds every
# digest right and a signature on each file.
rpm_ok() {
    local db=$T/rpmdb.$1 key=$KEYS/$1.asc
    shift
    [ -d "$db" ] || rpmkeys --dbpath "$db" --import "$key" || return
    rpmkeys --dbpath "$db" -D '_pkgverify_level all' -K "$@" \
        >"$T/rpmkeys" 2>&1 &&
        ! grep -v ': digests signatures OK$' "$T/rpmkeys"
}

# sign_rpm KIND FILE...: with rpmsign.
sign_rpm() {
    local home=$KEYS/h.$1
    make_key "$1"
    shift
    GNUPGHOME=$home rpmsign --define '__gpg /usr/bin/gpg' --define "_gpg_name $(
        gpg --homedir "$home" --with-colons -k 2>/dev/null |
            awk -F: '$1 == "fpr" {print $10; exit}')" --addsign "$@"
    gpgconf --homedir "$home" --kill all
}

# The .repo file holds the server's address, so that comes before all else.
web_for_rpms() {
    web_start "$T/srv"
    sed -i "s|^url = .*|url = $WEB|" "$T/conf"
}
REPO_FILE=rpm/stable/x86_64/veilid-stable-x86_64-rpm.repo

# dnf_root NAME: a throw-away root, $T/NAME/root, whose dnf has our .repo file.
dnf_root() {
    local r=$T/$1
    mkdir -p "$r"/{repos,cache,log,state,root}
    "${CLIENT[@]}" curl -fsS -o "$r/repos/veilid.repo" "$WEB/$REPO_FILE" || die "no .repo file"
    printf '[main]\nplugins=0\n' >"$r/conf"
}

# dnf NAME COMMAND...: every warning is an error of the test's.
dnf() {
    local r=$T/$1 status
    shift
    "${CLIENT[@]}" dnf -y -c "$r/conf" --installroot "$r/root" --releasever 9 \
        --forcearch x86_64 --setopt "reposdir=$r/repos" \
        --setopt "cachedir=$r/cache" --setopt "logdir=$r/log" \
        --setopt "persistdir=$r/state" "$@" >"$r.out" 2>&1 </dev/null
    status=$?
    cat "$r.out" >&2
    [ "$status" = 0 ] && no_warning "$r.out"
}

# One is about the machine: rpm 4.20, itself in a chroot, on its sandbox.
no_warning() {
    ! grep -v 'private mounts in chroot not implemented' "$1" |
        grep -iE 'warn|error|fail|invalid|match|not signed|skipping|bad '
}

# zypper NAME COMMAND...: the same.
zypper() {
    local r=$T/$1 status
    shift
    mkdir -p "$r/root"
    "${CLIENT[@]}" zypper --root "$r/root" --non-interactive \
        --gpg-auto-import-keys "$@" >"$r.out" 2>&1 </dev/null
    status=$?
    cat "$r.out" >&2
    [ "$status" = 0 ] && no_warning "$r.out"
}

installed_rpms() {
    rpm --root "$T/$1/root" -qa --qf '%{NAME}=%{VERSION}-%{RELEASE}\n' |
        grep -v '^gpg-pubkey' | sort | tr '\n' ' '
}
