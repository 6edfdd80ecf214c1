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

# begin NAME ARG...: in the background, what it says into $T/NAME.out and
# NAME.err; sets PID. A shell ignores INT for what it puts into the background.
begin() {
    local name=$1
    shift
    "${CLOUD_WAY[@]}" env --default-signal=INT \
        "$BUILD/bin/build-machine-ctl" -c "$T/conf" "$@" \
        >"$T/$name.out" 2>"$T/$name.err" &
    PID=$!
    PIDS+=("$PID")
}

# pause N: up to N hundredths of a second, at random.
pause() { sleep "$(printf '0.%02d' $((RANDOM % $1)))"; }

# until_log REGEX: the simulator has had such a request.
until_log() {
    local n
    for n in {1..100}; do
        grep -Eq "$1" "$T/cloud.log" && return
        sleep 0.05
    done
    die "no request like '$1' came"
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
        die "left: $(cloud_droplets; cloud_runners) ${1:-}"
}
names() { cloud_droplets | cut -d ' ' -f 2 | sort | tr '\n' ' '; }

# ------------------------------------------------------------------- killed

# killed ROUNDS OPTION...: create is killed, and run again.
killed() {
    local rounds=$1 round
    shift
    for ((round = 0; round < rounds; round++)); do
        begin a create "$@" amd64-deb arm64-deb
        # over the whole course, and at random
        sleep "$(printf '0.%03d' $((round * 800 / rounds)))"
        pause 8
        kill -9 "$PID" 2>/dev/null
        end "$PID" 2>/dev/null
        must machines create "$@" amd64-deb arm64-deb
        is "$(names)" 'build-server-amd64-deb-tmp build-server-arm64-deb-tmp ' \
            "round $round"
        is "$(cut -f 1,4 "$T/out" | tr '\t\n' '  ')" \
            'amd64-deb active arm64-deb active '
        must machines delete amd64-deb arm64-deb
        nothing "round $round"
    done
}

test_create_is_killed() {
    start
    killed 5
}

test_create_with_runners_is_killed() {
    start
    cp enrol.conf conf
    killed 5 --wait runner
}

test_create_is_killed_and_nobody_runs_it_again() {
    local round
    start
    cp enrol.conf conf
    for round in 1 2 3; do
        begin a create amd64-deb arm64-deb
        pause 40
        kill -9 "$PID" 2>/dev/null
        end "$PID" 2>/dev/null
        # too young
        must machines reap --older-than 1h --expired
        is "$(wc -l <out)" 0 "round $round"
    done
    must machines delete amd64-deb arm64-deb
    nothing
}

test_delete_is_killed() {
    local round
    start --delete-seconds 0.3
    cp enrol.conf conf
    for round in 1 2 3 4; do
        must machines create --wait none amd64-deb arm64-deb amd64-rpm
        begin a delete --all
        pause 50
        kill -9 "$PID" 2>/dev/null
        end "$PID" 2>/dev/null
        must machines delete --all
        nothing "round $round"
    done
}

# --------------------------------------------------------------- interrupted

# interrupted ROUNDS OPTION...: create ends by the signal and has tidied up, or
# had ended before and has a machine.
interrupted() {
    local rounds=$1 round signal ended=0
    shift
    for ((round = 0; round < rounds; round++)); do
        case $((round % 3)) in 0) signal=INT ;; 1) signal=TERM ;; 2) signal=HUP ;; esac
        begin a create "$@" amd64-deb arm64-deb
        sleep "$(printf '0.%03d' $((round * 600 / rounds + 20)))"
        pause 8
        kill -$signal "$PID" 2>/dev/null
        end "$PID"
        if [ "$STATUS" = 0 ]; then
            is "$(cloud_droplets | wc -l)" 2 "round $round"
            must machines delete --all
        else
            is "$STATUS" $((128 + $(kill -l $signal))) "round $round: $(cat a.err)"
            ended=$((ended + 1))
        fi
        nothing "round $round: $(cat a.err)"
    done
    [ $ended -ge $((rounds / 2)) ] || die "only $ended were interrupted"
}

test_create_is_interrupted() {
    start
    interrupted 7
}

test_create_with_runners_is_interrupted() {
    start
    cp enrol.conf conf
    interrupted 7 --wait runner
}

test_what_was_there_stays() {
    local id
    start --boot-seconds 1000
    id=$(cloud_droplet build-server-arm64-deb-tmp "${OURS[@]}" ssh=false)
    begin a create amd64-deb arm64-deb
    until_log "$POST"
    kill -INT "$PID"
    end "$PID"
    is "$STATUS" 130
    is "$(cloud_droplets | cut -d ' ' -f 1)" "$id"
}

test_keep() {
    local id
    start --boot-seconds 1000
    cp enrol.conf conf
    begin a create --keep amd64-deb
    until_log "$POST"
    kill -TERM "$PID"
    end "$PID"
    is "$STATUS" 143
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
    cloud_fault delete-slow null 3
    begin a create --replace amd64-deb
    until_log '"method": "DELETE"'
    kill -INT "$PID"
    end "$PID"
    is "$STATUS" 130 "$(cat a.err)"
    ! grep -q "$POST" cloud.log || die 'ordered a new one'
    grep -Eq 'droplet [0-9]+ .*is not deleted' a.err || die "$(cat a.err)"
}

test_delete_is_interrupted() {
    local verb
    start
    for verb in 'delete amd64-deb' 'delete amd64-deb arm64-deb' 'reap --older-than 1h'; do
        cloud_droplet build-server-amd64-deb-tmp "${OURS[@]}" age=10000 >/dev/null
        cloud_droplet build-server-arm64-deb-tmp "${OURS[@]}" age=10000 >/dev/null
        cloud_fault delete-slow null 3
        : >cloud.log
        # shellcheck disable=SC2086
        begin a $verb
        until_log '"method": "DELETE"'
        kill -INT "$PID"
        end "$PID"
        is "$STATUS" 130 "$verb: $(cat a.err)"
        # what is not proven to be gone is named
        grep -Eq 'droplet [0-9]+ .*is not deleted' a.err || die "$verb: $(cat a.err)"
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
        begin a $verb
        until_log stall
        kill -INT "$PID"
        end "$PID"
        is "$STATUS" 130 "$verb: $(cat a.err)"
        is "$(cloud_log | wc -l)" 1 "$verb"
    done
    nothing
}

# The order is under way: it is found out what came of it.
test_interrupted_while_an_order_is_slow() {
    start
    cp enrol.conf conf
    cloud_fault post-slow 2 1
    begin a create amd64-deb arm64-deb
    until_log "$POST"
    kill -INT "$PID"
    end "$PID"
    is "$STATUS" 130 "$(cat a.err)"
    nothing
}

test_interrupted_while_an_order_stalls() {
    start
    cp enrol.conf conf
    cloud_fault post-stall-after-accept 1
    begin a create amd64-deb
    until_log "$POST"
    kill -TERM "$PID"
    end "$PID"
    is "$STATUS" 143 "$(cat a.err)"
    nothing
    is "$(cloud_state | python3 -c 'import json, sys
print(len(json.load(sys.stdin)["droplets"]))')" 1
}

test_a_second_signal_ends_it_at_once() {
    local id
    start
    cloud_fault post-stall-after-accept 1
    begin a create amd64-deb
    until_log "$POST"
    kill -INT "$PID"
    sleep 0.3
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

test_two_runs_agree_on_one_machine() {
    local round a b
    start
    cp enrol.conf conf
    # both are told that there is none, and both order one
    cloud_fault slow 2 0.5
    for round in 1 2 3; do
        begin a create --wait runner amd64-deb
        a=$PID
        [ $round = 1 ] || pause $((round * 15))
        begin b create --wait runner amd64-deb
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
    start --boot-seconds 1
    begin a create amd64-deb
    a=$PID
    until_log "$POST"
    cloud_forget
    begin b create amd64-deb
    until_log '"path": "/v2/droplets.tag_name'
    pause 30
    kill -INT "$PID"
    end "$PID"
    is "$STATUS" 130 "$(cat b.err)"
    end "$a"
    is "$STATUS" 0 "$(cat a.err)"
    # adopted, it was not the second one's to delete
    is "$(cloud_droplets | cut -d ' ' -f 1)" "$(cut -f 2 a.out)"
}

# Of the first one's machine it is not known who else wants it.
test_of_two_runs_the_first_is_interrupted() {
    local a b
    start --boot-seconds 1
    begin a create amd64-deb
    a=$PID
    until_log "$POST"
    begin b create --timeout 2s amd64-deb
    b=$PID
    until grep -q adopted b.err; do sleep 0.05; done
    kill -INT "$a"
    end "$a"
    is "$STATUS" 130 "$(cat a.err)"
    end "$b"
    # it makes one of its own, or says that it cannot in this time
    case $STATUS in
    0) is "$(cloud_droplets | cut -d ' ' -f 1)" "$(cut -f 2 b.out)" ;;
    75) nothing ;;
    *) die "status $STATUS: $(cat b.err)" ;;
    esac
}

PARALLEL=6
run_tests
