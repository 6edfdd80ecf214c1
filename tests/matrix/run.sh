#!/bin/bash
# What the tools publish, installed from by the clients of other releases of
# Debian, each in a chroot of its own: they must install and upgrade with every
# check turned on, and refuse what somebody has been at. One table at the end.
# The suite itself is built and its unit tests are run on Debian 13.
#
#   BUILD=build tests/matrix/run.sh [NAME]     only rows whose name has NAME
#
# The chroots are made once and kept in $BUILD/matrix; all that happens in them
# is lost with the namespace, where there is loopback and nothing else.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
export BUILD
only=${1:-}
# shellcheck source=tests/matrix/chroot.sh
. tests/matrix/chroot.sh

# release, its chroot, client
ROWS='12 bookworm apt
12 bookworm dnf
12 bookworm zypper
12 bookworm rpm
13 trixie apt
13 trixie dnf
13 trixie zypper
13 trixie rpm
sid sid apt
sid sid dnf5
sid sid zypper
sid sid rpm
13 suite suite'

# What the suite is built and tested with, by its own list.
suite_deps() {
    local root=$CHROOTS/suite/root sum
    sum=$(cksum <tests/deps.sh)
    [ "$(cat "$CHROOTS/suite/deps" 2>/dev/null)" != "$sum" ] || return 0
    cp tests/deps.sh "$root/tmp/deps.sh"
    chroot_alone trixie "$root" sh /tmp/deps.sh build test >>"$CHROOTS/suite/log" 2>&1 || {
        rm "$CHROOTS/suite/made"
        echo "what the suite needs cannot be installed; see $CHROOTS/suite/log" >&2
        return 69
    }
    echo "$sum" >"$CHROOTS/suite/deps"
}

# Made where there is a network. What cannot be made is a failed row.
make_chroots() {
    local suite
    grep -F "$only" <<<"$ROWS" | cut -d ' ' -f 2 | sort -u | while read -r suite; do
        case $suite in
        suite) chroot_make suite trixie ca-certificates && suite_deps ;;
        sid) chroot_make sid sid rpm dnf5 zypper ;;
        *) chroot_make "$suite" "$suite" rpm dnf zypper ;;
        esac 2>"$CHROOTS/$suite.why" </dev/null || cat "$CHROOTS/$suite.why" >&2
    done
}

if [ "${MATRIX_INSIDE:-}" != yes ]; then
    [ "$(id -u)" = 0 ] || { echo 'matrix: chroots are for root' >&2; exit 77; }
    mkdir -p "$CHROOTS"
    trap 'exit 130' INT TERM
    trap '[ -z "${CHROOT_PID:-}" ] || kill -9 "$CHROOT_PID"' EXIT
    make_chroots
    trap - EXIT INT TERM
    export MATRIX_INSIDE=yes VC_PRIVATE=yes
    exec unshare --mount --net --pid --fork --mount-proc --kill-child \
        bash "$0" "$only"
fi

# ------------------------------------------- from here on: loopback, and alone
T=$CHROOTS/run
export KEYS=$T/keys
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh
# shellcheck source=tests/e2e/rpms.sh
. tests/e2e/rpms.sh
# shellcheck source=tests/world/release.sh
. tests/world/release.sh
# shellcheck source=tests/matrix/trees.sh
. tests/matrix/trees.sh
# shellcheck source=tests/matrix/clients.sh
. tests/matrix/clients.sh
# shellcheck source=tests/matrix/rows.sh
. tests/matrix/rows.sh

trap 'exit 130' INT TERM      # the first process of a namespace has none
R=$T/root
mkdir -p "$T"
mount -t tmpfs -o mode=755 tmpfs "$T" && mount -t tmpfs -o mode=1777 tmpfs /dev/shm &&
    ip link set lo up || exit 1
export HOME=$T/home
mkdir -p "$HOME/incoming" "$KEYS" "$R" "$T/rows"
cd "$T" || exit 1

# -------------------------------------------------------------- all rows

publish_trees
web_at_last
make_rpm . control 1.0 && mv control-1.0-1.x86_64.rpm control.rpm &&
    sign_rpm main control.rpm >/dev/null 2>&1 || exit 1
: >"$T/trouble"; : >"$T/remarks"
ran=0 passed=0
printf '%-46s' client
# shellcheck disable=SC2086
printf ' %-8s' update install upgrade $BAD_STATES said
printf '\n'
while read -r release chroot client; do
    case "$release $chroot $client" in *"$only"*) ;; *) continue ;; esac
    row "$release" "$chroot" "$client"
done <<<"$ROWS"
for chroot in bookworm trixie sid suite; do
    [ ! -e "$CHROOTS/$chroot/made" ] || [ -z "$(ls -d "$T/rows/$chroot."* 2>/dev/null)" ] ||
        printf '%s: chroot of %s\n' "$chroot" "$(cat "$CHROOTS/$chroot/made")"
done
[ ! -s "$T/remarks" ] || { echo 'What they said beside their work:'; cat "$T/remarks"; }
[ ! -s "$T/trouble" ] || { echo 'What failed:'; cat "$T/trouble"; }
cleanup
rm -rf "$CHROOTS/said"
cp -r "$T/rows" "$CHROOTS/said"
printf '%d passed, %d failed, 0 skipped\n' "$passed" $((ran - passed))
[ "$ran" = "$passed" ] && [ "$ran" -gt 0 ]
