#!/bin/bash
# What a new user does, on a machine that has nothing: Debian 12 and 13 with
# git, make and certificates, an empty home, a clone, `make rehearse`, `make
# check`. Each in a chroot that is made for it from this machine's mirror and
# removed afterwards; what is mounted or started there ends with its namespace.
#
#   BUILD=build tests/bare.sh [bookworm|trixie]... [rehearse|check]...
#   AS=container      with no more rights than root in a default container has
#   AS=chroot         as root, where / is no mount point: no private mounts
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
# shellcheck source=tests/matrix/chroot.sh
. tests/matrix/chroot.sh
[ "$(id -u)" = 0 ] || { echo 'bare: chroots are for root' >&2; exit 77; }

# What docker and podman leave to root in a container.
CAPS=-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap
CAPS+=,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap

as_a_user() {
    case ${AS:-root} in
    root) ;;
    container)
        local CHROOT_SHM=64m
        export CHROOT_SHM
        set -- setpriv --bounding-set "$CAPS" --inh-caps=-all "$@"
        ;;
    chroot)
        local CHROOT_PLAIN=yes
        export CHROOT_PLAIN
        ;;
    *) echo "bare: AS=root, container or chroot, not '$AS'" >&2; exit 64 ;;
    esac
    chroot_alone "$suite" "$root" "$@"
}

# try TARGET: make TARGET in a clone of its own.
try() {
    local target=$1 began=$SECONDS status spent log=$BUILD/bare-$suite-${AS:-root}-$1.log
    # shellcheck disable=SC2016
    as_a_user sh -c 'cd && rm -rf clone && git clone -q /veilid-cicd.git clone &&
        cd clone && exec make "$1"' sh "$target" >"$log" 2>&1
    status=$?
    spent=$((SECONDS - began))
    printf '%s, as %s, make %s: status %d, %d:%02d\n' "$suite" "${AS:-root}" "$target" "$status" \
        $((spent / 60)) $((spent % 60))
    { grep -E '^  (FAIL|skip) ' "$log"; tail -n 1 "$log"; } | sed 's/^ */    /'
    if [ "$status" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "    all that it said: $log"
    fi
}

remove() {
    [ -z "${CHROOT_PID:-}" ] || kill -9 "$CHROOT_PID"
    [ -z "${root:-}" ] || rm -rf --one-file-system "$root"
    rmdir "$BUILD/bare" 2>/dev/null
}

suites=() targets=() passed=0 failed=0
for word in "$@"; do
    case $word in
    rehearse | check) targets+=("$word") ;;
    *) suites+=("$word") ;;
    esac
done
trap remove EXIT
trap 'exit 130' INT TERM
[ ${#suites[@]} -gt 0 ] || suites=(bookworm trixie)
[ ${#targets[@]} -gt 0 ] || targets=(rehearse check)
for suite in "${suites[@]}"; do
    chroot_make "bare-$suite" "$suite" git make ca-certificates || {
        failed=$((failed + 1))
        continue
    }
    root=$BUILD/bare/$suite-${AS:-root}
    mkdir -p "$BUILD/bare" && rm -rf --one-file-system "$root"
    cp -a "$CHROOTS/bare-$suite/root" "$root"
    git clone -q --bare . "$root/veilid-cicd.git" || exit 1
    for target in "${targets[@]}"; do try "$target"; done
    remove
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
