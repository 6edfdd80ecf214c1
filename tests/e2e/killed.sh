# A tool that is killed at the Nth call by which it changes a disk, not at a
# moment of the clock. Sourced, after lib.sh.
#
#   calls_of COMMAND...          sets MOMENTS, those that it makes: "call name"
#   killed_at N COMMAND...       SIGKILL instead of number N (from 0) of them
#   is_killed_at N COMMAND...    whether it was; the calls until then are in
#                                ./calls, what it said in ./killed.out and .err
#
#   is_new COMMAND...            false where it has printed the same before
#
# COUNTED: of which kinds, where not of all, each between blanks.
#
# A library that is loaded first counts: strace would count each thread's own,
# and takes three times as long.
# shellcheck shell=bash

make_counter() {
    local to=$KEYS/kill_at.$BASHPID.so
    must "${CC:-cc}" -O1 -D_GNU_SOURCE -shared -fPIC -o "$to" "$ROOT/tests/e2e/kill_at.c" -ldl
    mv "$to" "$KEYS/kill_at.so"
}

with_calls() {
    local at=$1
    shift
    [ -e "$KEYS/kill_at.so" ] || make_counter
    rm -f "$T/calls"
    ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0 LD_PRELOAD=$KEYS/kill_at.so \
        KILL_AT=$at KILL_LOG=$T/calls KILL_CALLS=${COUNTED:-} "$@"
}

calls_of() {
    with_calls -1 "$@" >/dev/null 2>&1
    mapfile -t MOMENTS <"$T/calls"
    [ ${#MOMENTS[@]} -gt 0 ] || die "no calls: $*"
}

is_killed_at() {
    # bash tells of who is killed
    { with_calls "$@" >"$T/killed.out" 2>"$T/killed.err"; } 2>/dev/null
    [ $? = 137 ]
}

killed_at() {
    is_killed_at "$@" ||
        die "not killed at call $1, ${MOMENTS[$1]}: ${*:2}"
}

# What a kill leaves is often what the one before has left.
is_new() {
    local hash
    mkdir -p "$T/seen"
    hash=$("$@" | sha256sum | cut -c1-64)
    [ ! -e "$T/seen/$hash" ] && : >"$T/seen/$hash"
}
