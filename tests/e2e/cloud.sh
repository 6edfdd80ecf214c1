# A DigitalOcean and a GitLab for tests of build-machine-ctl: the simulator of
# tests/sim, in a network namespace of its own, where it may have port 22.
# Sourced, after lib.sh.
#
#   cloud_start [OPTION...]   starts it, with options of tests/sim/cloud.py;
#                             sets CLOUD, its URL. It ends with the test.
#                             Its clock is one that `machines` has as well:
#                             nobody waits there (tests/sim/clock.c). With
#                             CLOUD_CLOCK=real it is the real one: for two at
#                             one time, of which the faster would make the
#                             other one late, and for who does not use it
#                             CLOUD_IN: a process whose namespace it shares,
#                             or "here": ours
#   cloud_conf [BUILD...]     adds what it needs to $T/conf; by default for
#                             amd64-deb arm64-deb amd64-rpm
#   machines ARG...           build-machine-ctl, where it can reach all that
#   in_cloud COMMAND...       any program, there; functions cannot
# shellcheck shell=bash

SIM=$(cd "$(dirname "${BASH_SOURCE[0]}")/../sim" && pwd)
CLOUD_TOKEN=dop_v1_0123456789abcdef
CLOUD_GITLAB_TOKEN=glpat-0123456789abcdef
CLOUD_PROJECT=42

cloud_start() {
    local how ways=('unshare -n' 'unshare -rn' '') shared=() clock=()
    case ${CLOUD_IN:-} in
    '') ;;
    here) ways=('') ;;
    *) ways=("nsenter -t $CLOUD_IN -n") ;;
    esac
    : >"$T/cloud.log"
    : >"$T/cloud.out"
    CLOUD_TIME=()
    if [ "${CLOUD_CLOCK:-}" != real ]; then
        clock=(--clock "$T/cloud.clock")
        CLOUD_TIME=("VC_CLOCK=$T/cloud.clock" "LD_PRELOAD=$BUILD/tests/clock.so"
            "ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0")
    fi
    for how in "${ways[@]}"; do
        # shellcheck disable=SC2086
        [ -z "$how" ] || $how true 2>/dev/null || continue
        [ -n "$how" ] || shared=(--shared)
        # the pid stays the same: unshare becomes the simulator
        # shellcheck disable=SC2086
        $how /usr/bin/python3 -B "$SIM/cloud.py" --with-parent \
            "${shared[@]}" "${clock[@]}" --log "$T/cloud.log" --token "$CLOUD_TOKEN" \
            --gitlab-token "$CLOUD_GITLAB_TOKEN" --project "$CLOUD_PROJECT" \
            "$@" >"$T/cloud.out" 2>"$T/cloud.err" &
        PIDS+=($!)
        break
    done
    CLOUD_PID=${PIDS[-1]}
    case $how in
    '') CLOUD_WAY=() ;;
    *-rn) CLOUD_WAY=(nsenter -t "$CLOUD_PID" -U --preserve-credentials -n) ;;
    *) CLOUD_WAY=(nsenter -t "$CLOUD_PID" -n) ;;
    esac
    cloud_wait
    CLOUD=$(sed -n 's/^ready //p' "$T/cloud.out")
    export CLOUD
}

cloud_wait() {
    wait_for -p "$CLOUD_PID" grep -q '^ready' "$T/cloud.out" ||
        die "the simulator does not start: $(tail -n 3 "$T/cloud.err")"
}

in_cloud() { "${CLOUD_WAY[@]}" "$@"; }

machines() {
    in_cloud env "${CLOUD_TIME[@]}" "$BUILD/bin/build-machine-ctl" \
        -c "$T/conf" "$@"
}

# machines_begin NAME ARG...: in the background, what it says into $T/NAME.out
# and NAME.err; sets PID, which is in $T/NAME.pid from before it begins. A shell
# ignores INT for what it puts into the background.
machines_begin() {
    local name=$1
    shift
    # shellcheck disable=SC2016
    "${CLOUD_WAY[@]}" env --default-signal=INT "${CLOUD_TIME[@]}" bash -c \
        'echo $$ >"$1"; exec "${@:2}"' bash "$T/$name.pid" \
        "$BUILD/bin/build-machine-ctl" -c "$T/conf" "$@" \
        >"$T/$name.out" 2>"$T/$name.err" &
    PID=$!
    PIDS+=("$PID")
}

cloud_conf() {
    local build
    [ $# -gt 0 ] || set -- amd64-deb arm64-deb amd64-rpm
    (umask 077
        echo "$CLOUD_TOKEN" >"$T/do.token"
        echo "$CLOUD_GITLAB_TOKEN" >"$T/gitlab.token")
    cat >>"$T/conf" <<EOF
[digitalocean]
api-url = $CLOUD
token-file = $T/do.token
ssh-keys = 38852180 38632397 41187560
tags = build-machines build-orchestration
[gitlab]
url = $CLOUD
token-file = $T/gitlab.token
project = $CLOUD_PROJECT
EOF
    for build in "$@"; do
        printf '[machine %s]\nimage = %s\nrunner-tags = %s\n' \
            "$build" "build-$build" "$build"
    done >>"$T/conf"
}

# ------------------------------------------------------------- in control

# cloud_do PATH [JSON]: GET, or POST of the JSON, under /sim/.
cloud_do() {
    in_cloud curl -fsS --noproxy '*' -H 'Content-Type: application/json' \
        ${2:+--data "$2"} "$CLOUD/sim/$1" || die "the simulator refuses: $*"
}

# cloud_fault NAME [COUNT [SECONDS [TO]]]: for the next COUNT occasions; without,
# or with "null", for ever; 0 ends it. The names: tests/sim/faults.py.
cloud_fault() {
    cloud_do fault "{$(json_members "name=$1" "count=${2:-null}" \
        "seconds=${3:-null}" "to=${4:-null}")}" >"$T/cloud.control"
}

# cloud_set limit=2 boot_seconds=3 ...: options, while it runs.
cloud_set() { cloud_do options "{$(json_members "$@")}" >"$T/cloud.control"; }

# cloud_pass SECONDS: so much later.
cloud_pass() { cloud_do pass "{\"seconds\": $1}" >"$T/cloud.control"; }

# cloud_time: what time it is there, in seconds.
cloud_time() { cloud_do pass '{"seconds": 0}' | sed 's/.*: *\([0-9]*\).*/\1/'; }

# cloud_later AT REQUEST FAULT COUNT [KEY=VALUE...]: the fault begins before the
# request number AT from now on of those that begin with REQUEST. delete=true:
# and whatever is active is deleted then.
cloud_later() {
    cloud_do later "{\"fault\": {$(json_members "name=$3" "count=$4")}, $(
        json_members "at=$1" "request=$2" "${@:5}")}" >"$T/cloud.control"
}

# cloud_strike NAME AT WHEN SIGNAL [REQUEST]: who was begun as NAME gets it at the
# request number AT from now on, of those that begin with REQUEST; that one is
# "lost" or "done" (tests/sim/control.py).
cloud_strike() {
    rm -f "$T/$1.pid"
    cloud_do strike "{$(json_members "file=$T/$1.pid" "at=$2" "when=$3" \
        "signal=$4" "request=${5:-}")}" >"$T/cloud.control"
}

# cloud_droplet NAME [TAG...] [KEY=VALUE...]: somebody's droplet; prints its id.
# Keys: number (of them; "%d" in the name counts), age (seconds), status, size,
# image, region, created_at, user_data, ssh (true, false), id, locked.
cloud_droplet() { cloud_plant droplet tags "$@"; }

# cloud_runner DESCRIPTION [TAG...] [KEY=VALUE...]: somebody's runner; prints
# its id. Keys: status (online, offline, ...), age, project, paused, kind.
cloud_runner() { cloud_plant runner tags "$@"; }

# cloud_image NAME [TAG...] [KEY=VALUE...]: a snapshot, or what type= says.
# Keys: id, slug, created_at, min_disk_size, size_gigabytes, status, type.
cloud_image() { cloud_plant image tags "$@"; }

cloud_plant() {
    local what=$1 tags=() members=() name=name word answer
    [ "$what" = runner ] && name=description
    members+=("$name=$3")
    shift 3
    for word in "$@"; do
        case $word in
        *=*) members+=("$word") ;;
        *) tags+=("\"$word\"") ;;
        esac
    done
    answer=$(cloud_do "$what" "{$(json_members "${members[@]}"), \"tags\": [$(
        IFS=,; echo "${tags[*]}")]}") || exit 1
    [[ $answer =~ \"id\":\ ?([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}

# KEY=VALUE... as members of a JSON object: numbers and true, false, null as
# such, all else as a string; and names always, as there is a fault "429".
json_members() {
    local word value comma=''
    for word in "$@"; do
        value=${word#*=}
        [[ ! $word =~ ^(name|description)= &&
            $value =~ ^(-?[0-9]+(\.[0-9]+)?|true|false|null)$ ]] || {
            value=${value//\\/\\\\} value=${value//\"/\\\"}
            value=\"${value//$'\n'/\\n}\"
        }
        printf '%s"%s": %s' "$comma" "${word%%=*}" "$value"
        comma=', '
    done
}

# --------------------------------------------------------- what there is

# The living droplets, "id name status tags", as python3-libcloud, a client that
# is not ours, sees them.
cloud_droplets() {
    in_cloud /usr/bin/python3 -B "$SIM/ask.py" droplets "$CLOUD" "$CLOUD_TOKEN"
}

# The runners that GitLab knows: "id status paused|active description tags".
cloud_runners() { in_cloud /usr/bin/python3 -B "$SIM/ask.py" runners "$CLOUD"; }

# Every droplet and runner that ever was, as JSON; see tests/sim/control.py.
cloud_state() { cloud_do state; }

# The requests so far, "method path status authorization"; or "json": all of
# them. What the test itself has asked is not among them.
cloud_log() { /usr/bin/python3 -B "$SIM/ask.py" log "$@" <"$T/cloud.log"; }

# The bodies of POST /v2/droplets, one a line.
cloud_bodies() { /usr/bin/python3 -B "$SIM/ask.py" body <"$T/cloud.log"; }

# From now on the log is empty.
cloud_forget() { : >"$T/cloud.log"; }
