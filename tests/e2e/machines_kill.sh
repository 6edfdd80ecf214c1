#!/bin/bash
# build-machine-ctl is killed, interrupted and run twice at the same time, at any
# moment: nobody pays for what nobody knows of.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cloud.sh"

OURS=(build-machines build-orchestration)

start() {
    cloud_start --boot-seconds 0.2 --ssh-seconds 0.05 --runner-seconds 0.1 \
        --delete-seconds 0.1 --per-minute 100000 "$@"
    cloud_conf
    cp "$T/conf" "$T/enrol.conf"
    sed -i 's/^\[machine .*/&\nuser-data = enrol/' "$T/enrol.conf"
    printf '[enrol]\nearthly-sha256 = %064d\n' 1 >>"$T/enrol.conf"
}

# until_log REGEX: the simulator has had such a request of the last one begun.
until_log() {
    wait_for -p "$PID" grep -Eq "$1" "$T/cloud.log" || die "no request like '$1' came"
}
POST='"method": "POST", "path": "/v2/droplets"'

# end PID: waits for it, and sets STATUS.
end() {
    wait "$1"
    STATUS=$?
}

is() { [ "$1" = "$2" ] || die "'$1' is not '$2' ${3:-}"; }
# No droplet, no runner, as the simulator itself knows it.
nothing() {
    cloud_state >"$T/state"
    ! grep -Eq '"living": ?true' "$T/state" ||
        die "left: $(cloud_droplets; cloud_runners) ${1:-${WHERE:-}}"
}
names() { cloud_droplets | cut -d ' ' -f 2 | sort | tr '\n' ' '; }

# ------------------------------------------------------------------- killed

# It is killed at each of its requests in turn, both before the service has done
# anything and before it has answered: these are all the states that there are.

# struck SIGNAL AT WHEN ARG...: it gets the signal there. False: it has ended
# before, and well.
struck() {
    local signal=$1 at=$2 when=$3
    shift 3
    cloud_strike a "$at" "$when" "$signal"
    machines_begin a "$@"
    end "$PID" 2>/dev/null
    [ "$STATUS" != 0 ] || return
    is "$STATUS" $((128 + $(kill -l "$signal"))) "$at, $when: $(cat a.err)"
}

# each_moment SIGNAL FUNCTION ARG...: the function once for each end that the
# signal makes of it; WHERE says which.
each_moment() {
    local signal=$1 function=$2 at when n=0
    shift 2
    for when in lost 'done'; do
        for ((at = 1; at < 100; at++)); do
            WHERE="$signal at request $at, $when"
            before_it
            struck "$signal" "$at" "$when" "$@" || break
            "$function"
            n=$((n + 1))
        done
        [ "$at" -gt 3 ] && [ "$at" -lt 100 ] || die "$at requests: $(cat a.err)"
        must machines delete --all
    done
}
before_it() { :; }

# shellcheck disable=SC2317
made_by_the_next_run() {
    must machines create "${OPTIONS[@]}" amd64-deb arm64-deb
    is "$(names)" 'build-server-amd64-deb-tmp build-server-arm64-deb-tmp ' "$WHERE"
    is "$(cut -f 1,4 "$T/out" | tr '\t\n' '  ')" \
        'amd64-deb active arm64-deb active ' "$WHERE"
    must machines delete amd64-deb arm64-deb
    nothing "$WHERE"
}

test_create_is_killed() {
    start
    OPTIONS=()
    each_moment KILL made_by_the_next_run create amd64-deb arm64-deb
}

test_create_with_runners_is_killed() {
    start
    cp enrol.conf conf
    OPTIONS=(--wait runner)
    each_moment KILL made_by_the_next_run create --wait runner amd64-deb arm64-deb
}

# shellcheck disable=SC2317
deleted_by_hand() {
    # too young
    must machines reap --older-than 1h --expired
    is "$(wc -l <out)" 0 "$WHERE"
    must machines delete amd64-deb arm64-deb
    nothing "$WHERE"
}

test_create_is_killed_and_nobody_runs_it_again() {
    start
    cp enrol.conf conf
    each_moment KILL deleted_by_hand create amd64-deb arm64-deb
}

# shellcheck disable=SC2317
deleted_by_the_next_run() {
    must machines delete --all
    nothing "$WHERE"
}

test_delete_is_killed() {
    start --delete-seconds 2
    cp enrol.conf conf
    before_it() { must machines create --wait none amd64-deb arm64-deb amd64-rpm; }
    each_moment KILL deleted_by_the_next_run delete --all
}

# --------------------------------------------------------------- interrupted

# What create has made by then, it has deleted.
test_create_is_interrupted() {
    local signal
    start
    for signal in INT TERM HUP; do
        each_moment $signal nothing create amd64-deb arm64-deb
    done
}

test_create_with_runners_is_interrupted() {
    start
    cp enrol.conf conf
    each_moment TERM nothing create --wait runner amd64-deb arm64-deb
}

# interrupted SIGNAL REQUEST ARG...: at the first such request, which is done. What
# is waited for then must never come by itself.
interrupted() {
    local signal=$1 request=$2
    shift 2
    cloud_strike a 1 'done' "$signal" "$request"
    machines_begin a "$@"
    end "$PID"
    is "$STATUS" $((128 + $(kill -l "$signal"))) "$*: $(cat a.err)"
}

test_what_was_there_stays() {
    local id
    start
    id=$(cloud_droplet build-server-arm64-deb-tmp "${OURS[@]}" ssh=false)
    interrupted INT 'POST /v2/droplets' create amd64-deb arm64-deb
    is "$(cloud_droplets | cut -d ' ' -f 1)" "$id"
}

test_keep() {
    local id
    start
    cp enrol.conf conf
    interrupted TERM 'POST /v2/droplets' create --keep amd64-deb
    id=$(cloud_droplets | cut -d ' ' -f 1)
    grep -q "droplet $id .*is kept" a.err || die "'$id': $(cat a.err)"
    is "$(cloud_runners | wc -l)" 1
    must machines delete amd64-deb
    nothing
}

# The old one is on its way, and no new one is ordered.
test_replace_is_interrupted() {
    start
    cloud_droplet build-server-amd64-deb-tmp "${OURS[@]}" >/dev/null
    cloud_fault delete-slow null 1000000
    interrupted INT 'DELETE ' create --replace amd64-deb
    ! grep -q "$POST" cloud.log || die 'ordered a new one'
    grep -Eq 'droplet [0-9]+ .*was not deleted' a.err || die "$(cat a.err)"
}

test_delete_is_interrupted() {
    local verb
    start
    for verb in 'delete amd64-deb' 'delete amd64-deb arm64-deb' 'reap --older-than 1h'; do
        cloud_droplet build-server-amd64-deb-tmp "${OURS[@]}" age=10000 >/dev/null
        cloud_droplet build-server-arm64-deb-tmp "${OURS[@]}" age=10000 >/dev/null
        cloud_fault delete-slow null 1000000
        # shellcheck disable=SC2086
        interrupted INT 'DELETE ' $verb
        # what is not proven to be gone is named
        grep -Eq 'droplet [0-9]+ .*was not deleted' a.err || die "$verb: $(cat a.err)"
        cloud_fault delete-slow 0
        cloud_do reset '{}' >/dev/null
    done
}

# ------------------------------------------------------ while the API is slow

test_interrupted_while_a_listing_stalls() {
    local verb
    start
    for verb in 'create amd64-deb' 'delete amd64-deb' list check; do
        cloud_fault stall 1
        : >cloud.log
        # shellcheck disable=SC2086
        interrupted INT '' $verb
        is "$(cloud_log | wc -l)" 1 "$verb"
    done
    nothing
}

# The order is under way: it is found out what came of it.
test_interrupted_while_an_order_is_slow() {
    start
    cp enrol.conf conf
    cloud_fault post-slow 2 2
    interrupted INT 'POST /v2/droplets' create amd64-deb arm64-deb
    nothing
}

test_interrupted_while_an_order_stalls() {
    start
    cp enrol.conf conf
    cloud_fault post-stall-after-accept 1
    interrupted TERM 'POST /v2/droplets' create amd64-deb
    nothing
    is "$(cloud_state | python3 -c 'import json, sys
print(len(json.load(sys.stdin)["droplets"]))')" 1
}

# heard PID: no INT is pending, so its handler has been called.
heard() {
    local pending
    pending=$(sed -n 's/^ShdPnd:\s*/0x/p' "/proc/$1/status")
    [ $((pending & 2)) = 0 ]
}

test_a_second_signal_ends_it_at_once() {
    local id
    start
    # the clock stands still: the seconds that an order has do not go by
    cloud_fault post-stall-after-accept 1 0
    machines_begin a create amd64-deb
    until_log "$POST"
    kill -INT "$PID"
    wait_for -p "$PID" heard "$PID" || die "it has not heard: $(cat a.err)"
    kill -INT "$PID"
    end "$PID"
    is "$STATUS" 130
    # it has asked nothing more, and the next one finds the machine
    is "$(cloud_log | tail -n 1 | cut -d ' ' -f 1,2)" 'POST /v2/droplets'
    id=$(cloud_droplets | cut -d ' ' -f 1)
    must machines create amd64-deb
    is "$(cut -f 2 out)" "$id"
    must machines delete amd64-deb
    nothing
}

# -------------------------------------------------------- at the same time

# asked N: the simulator has had so many requests.
asked() { [ "$(wc -l <cloud.log)" -ge "$1" ]; }

test_two_runs_agree_on_one_machine() {
    local round a b
    CLOUD_CLOCK=real
    start
    cp enrol.conf conf
    # both are told that there is none, and both order one
    cloud_fault list-together 2
    for round in 1 2 3 4; do
        cloud_forget
        machines_begin a create --wait runner amd64-deb
        a=$PID
        # or the first is so far ahead
        [ $round = 1 ] || wait_for -p "$a" asked $((round * 2 - 2)) || die "$(cat a.err)"
        machines_begin b create --wait runner amd64-deb
        b=$PID
        end "$a"
        is "$STATUS" 0 "round $round: $(cat a.err)"
        end "$b"
        is "$STATUS" 0 "round $round: $(cat b.err)"
        is "$(cut -f 2 a.out)" "$(cut -f 2 b.out)" "round $round: $(cat a.err b.err)"
        is "$(cloud_droplets | cut -d ' ' -f 1)" "$(cut -f 2 a.out)" "round $round"
        # the runner of the one that went is gone as well
        is "$(cloud_runners | cut -d ' ' -f 2)" online "round $round: $(cat a.err b.err)"
        [ $round != 1 ] || is "$(cloud_bodies | wc -l)" 2
        must machines delete amd64-deb
        nothing "round $round"
    done
}

test_of_two_runs_the_second_is_interrupted() {
    local a
    CLOUD_CLOCK=real
    start
    cloud_fault not-yet
    machines_begin a create amd64-deb
    a=$PID
    until_log "$POST"
    machines_begin b create amd64-deb
    wait_for -p "$PID" grep -q adopted b.err || die "$(cat b.err)"
    kill -INT "$PID"
    end "$PID"
    is "$STATUS" 130 "$(cat b.err)"
    cloud_fault not-yet 0
    end "$a"
    is "$STATUS" 0 "$(cat a.err)"
    # adopted, it was not the second one's to delete
    is "$(cloud_droplets | cut -d ' ' -f 1)" "$(cut -f 2 a.out)"
}

# Of the first one's machine it is not known who else wants it.
test_of_two_runs_the_first_is_interrupted() {
    local a b
    CLOUD_CLOCK=real
    start
    cloud_fault not-yet
    machines_begin a create amd64-deb
    a=$PID
    until_log "$POST"
    machines_begin b create amd64-deb
    b=$PID
    wait_for -p "$b" grep -q adopted b.err || die "$(cat b.err)"
    kill -INT "$a"
    end "$a"
    is "$STATUS" 130 "$(cat a.err)"
    cloud_fault not-yet 0
    end "$b"
    # it makes one of its own, or says that it cannot in this time
    case $STATUS in
    0) is "$(cloud_droplets | cut -d ' ' -f 1)" "$(cut -f 2 b.out)" ;;
    75) nothing ;;
    *) die "status $STATUS: $(cat b.err)" ;;
    esac
}

PARALLEL=3
run_tests
