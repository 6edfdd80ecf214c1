#!/bin/bash
# deploy-repo, killed with SIGKILL at each call that names or removes something
# and at each that waits for the disk, one after the other. Whatever is left,
# clients get a whole generation, and list, send and the next deployments
# succeed. Killed at the 21st unlinkat of a prune, it once left a generation
# without its manifest, at which every later deployment ended; and in a drop
# that had served, one that `send` took for another.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/killed.sh"
. "$(dirname "$0")/rpms.sh"
. "$(dirname "$0")/sshd.sh"

COUNTED=' unlinkat renameat renameat2 linkat fsync syncfs '

live() { readlink srv/.releases/current; }
dist_of() { dist -o "repository.state=$T/state.$1" "${@:2}"; }

# A repository server with an inbox; generations 1 to 5, of which 1 and 2 are
# small, each exported and as the state in which it is the newest.
prepare() {
    local i
    sshd_start repo-server
    sshd_conf repo-server
    sed -i "s|^inbox = $T/inbox|inbox = $SSHD_INBOX|" conf
    web_for_rpms
    for i in 1 2 3 4 5; do
        make_deb p veilid-cli 0.$i.0 amd64
        [ $i -lt 3 ] || make_rpm p veilid-cli 0.$i.0
        [ $i -lt 3 ] && use_builds amd64-deb || use_builds amd64-deb amd64-rpm
        must dist build -r v0.$i.0 --from p
        rm -r p
        cp -a state state.$i
        must dist export; mv out $i.tar
    done
    apt_root r "$WEB"
}

# What is there now is what each kill begins with.
keep_as_it_is() {
    mkdir before
    cp -a srv before/srv
    cp -a "$SSHD_INBOX" before/inbox
}
# In place, so that the web server's root and the chroot stay the same.
put_back() {
    find srv "$SSHD_INBOX" -mindepth 1 -delete
    cp -a before/srv/. srv/
    cp -a before/inbox/. "$SSHD_INBOX/"
}

# The lock holds a process id, and so does a name.
everything() {
    find srv "$SSHD_INBOX" ! -name lock -printf '%p %y %s %l\n' |
        sed 's/\.releases\/next\.[0-9]*/next/' | sort
    find srv/.releases "$SSHD_INBOX" -name SHA256SUMS -exec cat {} +
}
what_is_public() {
    (cd srv && find -L . -path ./.releases -prune -o -type f -print0 | sort -z |
        xargs -0 sha256sum)
}
# All that a sender ever looks at.
what_a_sender_sees() {
    (cd "$SSHD_INBOX" && find . -mindepth 1 -name '.*' -prune -o -type f -print0 |
        sort -z | xargs -0r sha256sum)
}

clients_are_content() {
    rm -rf r/var/lib/apt/lists d
    mkdir -p r/var/lib/apt/lists/partial
    must apt r update
    must apt r install --download-only --reinstall veilid-cli
    dnf_root d
    must dnf d makecache
    must dnf d install --downloadonly veilid-cli
}

# After a kill, and with a drop by which the sender brings NEWEST or 5.
all_is_well() {
    local serial=$1 how=$2
    must deploy list
    [ "$(grep -c 'live$' out)" = 1 ] || die "list: $(cat out)"
    # senders are never told of a later one than the live one
    [ "$(sed -n 's/^# serial //p' "$SSHD_INBOX/LIVE/SHA256SUMS")" -le "$(live)" ] ||
        die "LIVE is later than $(live)"
    if [ "$how" = sent ]; then
        must dist_of "$serial" send
        if [ "$(cat srv/.releases/mark)" = "$(printf 'highest 4\nwithdrawn 4')" ] &&
            [ "$(live)" = 3 ]; then
            expect 77 'was withdrawn by a rollback' deploy
        else
            must deploy
        fi
        [[ $(live) =~ ^($MAY_BE_LIVE)$ ]] || die "live: $(live)"
        must dist_of 5 send
        must deploy
    else
        must deploy - <5.tar
    fi
    [ "$(live)" = 5 ] || die "live: $(live)"
    must deploy verify
    [ "$(ls -A "$SSHD_INBOX")" = LIVE ] || die "inbox: $(ls -A "$SSHD_INBOX")"
    cmp -s "$SSHD_INBOX/LIVE/SHA256SUMS" srv/SHA256SUMS || die "LIVE is another"
    find srv/.releases -mindepth 1 -maxdepth 1 -printf '%f\n' |
        grep -vE '^([0-9]+|current|lock|mark|spare|replaced\.1)$' >left &&
        die "left: $(cat left)"
    ! is_new what_is_public || clients_are_content
}

# killed_at_every_call NEWEST ARG...: deploy-repo ARG..., which is about the
# generation NEWEST, once for each call.
killed_at_every_call() {
    local newest=$1 n how states=0 bad=()
    shift
    keep_as_it_is
    for ((n = 0; ; n++)); do
        put_back
        is_killed_at $n "$BUILD/bin/deploy-repo" -c "$T/conf" "$@" || break
        is_new everything || continue
        states=$((states + 1))
        how=tar
        ! is_new what_a_sender_sees || how=sent
        tail -n 1 calls >call
        (
            ! is_new what_is_public || clients_are_content
            all_is_well "$newest" $how
        ) || bad+=("$n ($(cat call))")
    done
    grep -q error killed.err && die "not killed, but: $(cat killed.err)"
    [ "$(wc -l <calls)" -le "$n" ] || die "call $n did not end it"
    [ ${#bad[@]} = 0 ] ||
        die "${#bad[@]} of $n, in $states states: ${bad[*]}"
    [ "$n" -ge "$AT_LEAST" ] || die "killed only $n times"
    echo "killed $n times, $states states" >&2
}

# deployed SERIAL...: one after the other, from a tar.
deployed() {
    local serial
    for serial in "$@"; do must deploy - <"$serial.tar"; done
}

# MAY_BE_LIVE: once the sender has sent what was to be live, and it is
# deployed. AT_LEAST: so many calls there are.
test_a_prune() {
    MAY_BE_LIVE=4 AT_LEAST=30
    prepare
    mkdir -p srv/gpg
    touch srv/gpg/old
    deployed 1 2 3 4
    rm -r srv/.releases/1
    killed_at_every_call 4 -o deploy.keep=2 prune
}

# From a drop, into what was generation 1; generation 2 goes.
test_a_deployment() {
    MAY_BE_LIVE=4 AT_LEAST=80
    prepare
    deployed 1 2 3
    mv srv/.releases/1 srv/.releases/spare
    must dist_of 4 send
    killed_at_every_call 4 -o deploy.keep=1 deploy
}

# The sender's 4 is not wanted any more, or not yet unwanted.
test_a_rollback() {
    MAY_BE_LIVE='3|4' AT_LEAST=8
    prepare
    deployed 3 4
    killed_at_every_call 4 rollback
}

run_tests
