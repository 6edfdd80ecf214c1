#!/bin/bash
# distribute-packages build, killed at every change that it makes to a name, and
# before every fsync: the Nth call, for each N.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/killed.sh"

PARALLEL=2
COUNTED=' unlinkat rename renameat renameat2 linkat fsync syncfs '

drop_all() {
    local arch
    for arch in amd64 arm64; do
        make_drop "$HOME/incoming" "$1" $arch-deb x1 "$2"/*_$arch.deb
    done
}

# Two generations, as many as are kept, and what goes with the next one: the
# first of them, with what only it lists, and drops that are old.
prepare() {
    sed -i -e 's/^\[repository\]/&\nkeep = 2/' -e 's/^\[suite stable\]/&\ngrace = 0/' conf
    make_release p 0.3.4
    make_release q 0.3.5
    make_release r 0.3.6
    drop_all v0.3.4 p
    must dist build -r v0.3.4
    must export_and_deploy
    must dist refresh
    must export_and_deploy
    drop_all v0.3.5 q
    touch -d '30 days ago' "$HOME"/incoming/v0.3.4.*
    cp -a state base
    cp -a "$HOME/incoming" inbox.base
    cp -a srv srv.base
}

restore() {
    rm -rf state srv "$HOME/incoming"
    cp -a base state
    cp -a srv.base srv
    cp -a inbox.base "$HOME/incoming"
}

# No leftover of any kind, in the state or in the inbox.
no_rubbish() {
    [ ! -e state/unfinished ] || die "$1: unfinished"
    [ "$(ls -A state | tr '\n' ' ')" = 'generations lock objects ' ] ||
        die "$1: $(ls -A state)"
    [ "$(ls -A state/generations | sort -n | tr '\n' ' ')" = "$2 " ] ||
        die "$1: $(ls -A state/generations)"
    cat state/generations/*/SHA256SUMS | grep -v '^#' | cut -c1-64 | sort -u >listed
    ls -A state/objects | sort | cmp -s listed - ||
        die "$1: objects: $(ls -A state/objects | sort | diff listed - | head -3)"
    [ -z "$(find "$HOME/incoming" -mindepth 1 -maxdepth 1 ! -name 'v0.3.?.a??64-deb.x1')" ] ||
        die "$1: $(ls -A "$HOME/incoming")"
}

# But for the hashes: a date is signed.
everything() {
    find state srv "$HOME/incoming" ! -name lock -printf '%p %y %s %l\n' |
        sed -E 's/[0-9a-f]{64}/HASH/g' | sort
}

# one_kill N: killed there; then everything goes on. 1: it was not killed.
one_kill() {
    local n=$1 at made=no
    restore
    is_killed_at "$n" "$BUILD/bin/distribute-packages" -c conf build -r v0.3.5 || return 1
    at="killed at call $n, $(tail -n 1 calls)"
    is_new everything || return 0
    STATES=$((STATES + 1))
    [ ! -e state/generations/3 ] || made=yes
    must dist list
    [ "$(cut -f5 out | sort -u | tr '\n' ' ')" = \
        "$([ $made = yes ] && echo '0.3.4 0.3.5 ' || echo '0.3.4 ')" ] || die "$at: $(cat out)"
    must dist verify
    # what it has made already can be sent
    must dist -n export
    must export_and_deploy
    must dist build -r v0.3.5
    # gpgconf warns, too, where the keeper of the killed run is quicker
    ! grep -q '^distribute-packages: .*warning:' err || die "$at: $(cat err)"
    [ "$(cut -f1 out)" = 3 ] || die "$at: $(cat out)"
    must dist verify
    no_rubbish "$at" '2 3'
    must export_and_deploy
    [ "$(readlink srv/.releases/current)" = 3 ] || die "$at: not live"
    # and a next generation after it
    if [ $((STATES % 5)) = 1 ]; then
        drop_all v0.3.6 r
        must dist build -r v0.3.6
        no_rubbish "$at" '3 4'
        must export_and_deploy
        web_is_good "$at"
    fi
    return 0
}

# apt, from a server: not each time, since it takes as long as all the rest.
web_is_good() {
    apt_root "root.$n" "file:$T/srv"
    must apt "root.$n" update
    must apt "root.$n" install veilid-server
    [ "$(installed "root.$n")" = 'veilid-server:amd64=0.3.6 ' ] ||
        die "$1: $(installed "root.$n")"
}

# every REST: N = REST, REST + 2, ... until the build is no longer hit.
every_second() {
    local n=$1 hit=0
    STATES=0
    prepare
    while one_kill "$n"; do
        hit=$((hit + 1))
        n=$((n + 2))
    done
    [ "$(wc -l <calls)" -le "$n" ] || die "call $n did not end it: $(cat killed.err)"
    # what the test is about was among them
    for what in 'unlinkat ledger' 'renameat.* .removed.1\.' 'renameat.* .removed.v0.3.4' \
        'unlinkat SHA256SUMS' 'renameat2* 3$' fsync syncfs 'unlinkat [0-9a-f]{64}' \
        'unlinkat unfinished'; do
        grep -Eq "^$what" calls || die "no $what among: $(sort calls | uniq -c)"
    done
    [ $hit -gt 10 ] || die "only $hit kills"
    [ $STATES -gt 10 ] || die "only $STATES states"
    echo "# $hit kills of $(wc -l <calls) calls, $STATES states"
}

test_build_killed_at_every_odd_call() { every_second 1; }
test_build_killed_at_every_even_call() { every_second 0; }

run_tests
