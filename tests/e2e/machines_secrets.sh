#!/bin/bash
# Where the tokens are not: in no output, no command line, no environment that
# can be read, no file; and nobody gets one but the host that is configured.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cloud.sh"

# Of this run alone: they are looked for in /tmp.
CLOUD_TOKEN=dop_v1_$(od -An -N 16 -tx1 /dev/urandom | tr -d ' \n')
CLOUD_GITLAB_TOKEN=glpat-$(od -An -N 10 -tx1 /dev/urandom | tr -d ' \n')
OURS=(build-machines build-orchestration)

start() {
    cloud_start --boot-seconds 0.1 --ssh-seconds 0.05 --runner-seconds 0.1 \
        --delete-seconds 0.05 --keys-per-minute 1000 "$@"
    cloud_conf
    sed -i 's/^\[machine .*/&\nuser-data = enrol/' "$T/conf"
    printf '[enrol]\nearthly-sha256 = %064d\n' 1 >>"$T/conf"
}

# Every token that there is: ours, and those of the runners.
tokens() {
    printf '%s\n' "$CLOUD_TOKEN" "$CLOUD_GITLAB_TOKEN"
    cloud_state | python3 -c 'import json, sys
for r in json.load(sys.stdin)["runners"]:
    print(r["token"])'
}

# said STATUS ARG...: all that it says at its loudest is added to "said".
said() {
    local status=$1
    shift
    machines -v -v "$@" >"$T/out" 2>"$T/err"
    is "$?" "$status" "$*: $(cat "$T/err")"
    cat "$T/out" "$T/err" >>"$T/said"
}

is() { [ "$1" = "$2" ] || die "'$1' is not '$2' ${3:-}"; }

# silent FILE...: no token is in them.
silent() {
    tokens >"$T/tokens"
    ! grep -Fl -f "$T/tokens" "$@" >found || die "a token is in: $(cat found)"
}

# listen NAME ADDRESS: writes whatever comes to $T/NAME; sets PORT.
listen() {
    : >"$T/$1"
    "${CLOUD_WAY[@]}" python3 -u -c 'import socket, sys
server = socket.socket()
server.bind((sys.argv[2], 0))
server.listen()
print(server.getsockname()[1])
while True:
    guest, _ = server.accept()
    guest.settimeout(60)
    with open(sys.argv[1], "ab", 0) as f:
        f.write(b"somebody\n")
        try:
            f.write(guest.recv(65536))
        except OSError:
            pass
    guest.close()' "$T/$1" "$2" >"$T/$1.port" 2>/dev/null &
    PIDS+=($!)
    wait_for -p "${PIDS[-1]}" test -s "$T/$1.port" || die "no $1"
    PORT=$(cat "$T/$1.port")
}

# ------------------------------------------------------------------- output

test_nothing_is_said() {
    start
    : >said
    said 0 create --wait runner amd64-deb arm64-deb
    said 0 create amd64-deb
    said 0 create --replace --wait runner arm64-deb
    said 0 list
    said 0 --json list
    said 0 check
    said 0 user-data amd64-deb
    said 0 -n delete --all
    said 0 reap --expired
    said 0 delete amd64-deb
    is "$(tokens | wc -l)" 5
    silent said
    grep -q '/v2/droplets' said || die "it says nothing: $(cat said)"
}

test_nothing_is_said_when_it_fails() {
    local fault
    start
    : >said
    for fault in post-nonsense post-not-json runner-post-nonsense \
        runner-post-403 limit-422 post-cut-after-accept unauthorized forbidden \
        list-nonsense gitlab-401; do
        cloud_fault $fault 1
        machines -v -v create --timeout 2m --wait runner amd64-deb >>said 2>&1
        cloud_fault $fault 0
        machines -v -v delete --timeout 2m amd64-deb >>said 2>&1
    done
    machines -v -v create amd64-deb -o 'machine amd64-deb.size=none' >>said 2>&1
    # one of a form that is refused
    (umask 077; printf '%s two\n' "$CLOUD_TOKEN" >broken)
    expect 78 'no token' machines -v -v list -o "digitalocean.token-file=$T/broken"
    cat err >>said
    DIGITALOCEAN_ACCESS_TOKEN="$CLOUD_TOKEN "$'\n'x expect 78 'no token' \
        machines -v -v list
    cat err >>said
    # sent to the other service
    expect 77 '401' machines -v -v list -o "digitalocean.token-file=$T/gitlab.token"
    cat err >>said
    rm broken
    silent said
}

# --------------------------------------------------------- the process itself

test_the_running_process() {
    local pid
    CLOUD_CLOCK=real
    start --boot-seconds 100000
    rm do.token gitlab.token
    sed -i '/^token-file/d' conf
    DIGITALOCEAN_ACCESS_TOKEN=$CLOUD_TOKEN GITLAB_TOKEN=$CLOUD_GITLAB_TOKEN \
        "${CLOUD_WAY[@]}" "$BUILD/bin/build-machine-ctl" -c "$T/conf" -v -v \
        create --wait runner amd64-deb >said 2>&1 &
    pid=$!
    PIDS+=("$pid")
    wait_for -p "$pid" grep -q 'made droplet' said || die "$(cat said)"
    tr '\0' '\n' <"/proc/$pid/cmdline" >cmdline
    grep -q create cmdline || die "$(cat cmdline)"
    silent cmdline said
    if cat "/proc/$pid/environ" >environ 2>/dev/null; then
        # the others are there: it is this process's
        grep -aq "$HOME" environ || die "$(tr '\0' '\n' <environ)"
        silent environ
    fi
    # nothing of it can be in a core, and nobody may trace it
    is "$(sed -n 's/^Max core file size *\([0-9]*\) .*/\1/p' "/proc/$pid/limits")" 0
    kill "$pid"
    wait "$pid"
    is "$?" 143
    silent said
    [ -z "$(cloud_droplets)$(cloud_runners)" ] || die left
}

newer_than_mark() { touch later && [ later -nt mark ]; }

test_no_file_has_one() {
    local file
    CLOUD_CLOCK=real    # strace sees all that is opened
    start
    # what the start has written is older, also where clocks are coarse
    touch mark
    wait_for newer_than_mark
    must machines -v -v create --wait runner amd64-deb arm64-deb
    must machines check
    must machines delete --all
    tokens >tokens
    # the simulator's log has what was sent, and is not the tool's
    find "$T" /tmp /dev/shm /var/tmp "$HOME" -xdev -maxdepth 3 -type f \
        -newer mark ! -path "$T/tokens" ! -path "$T/cloud.*" -print0 2>/dev/null |
        xargs -0 -r grep -Flas -f tokens >found
    [ ! -s found ] || die "a token is in: $(cat found)"
    command -v strace >/dev/null || return 0
    # and none is written that is gone by now
    ASAN_OPTIONS=detect_leaks=0 must in_cloud strace -f -o calls \
        -e trace=open,openat,openat2,creat,memfd_create \
        "$BUILD/bin/build-machine-ctl" -c "$T/conf" create --wait runner amd64-deb
    while read -r file; do
        case $file in /dev/null|/dev/tty|/proc/*) ;; *) die "writes $file" ;; esac
    done < <(grep -E 'O_WRONLY|O_RDWR|O_CREAT|creat\(|memfd' calls |
        grep -v ENOENT | cut -d '"' -f 2)
}

# ------------------------------------------------------------- whom it talks to

test_redirects_are_not_followed() {
    local to
    start
    listen other 127.0.0.3
    for to in "http://127.0.0.3:$PORT" "http://127.0.0.1:$PORT" \
        "http://localhost:$PORT" 'https://api.digitalocean.com'; do
        cloud_do fault "{\"name\": \"redirect\", \"to\": \"$to\"}" >/dev/null
        expect 76 '302.*redirect' machines -v -v create --timeout 2m amd64-deb
        expect 76 '302.*redirect' machines list
        expect 76 '302.*redirect' machines delete --timeout 2m amd64-deb
    done
    # to the simulator's other address
    cloud_fault redirect
    expect 76 '302' machines list
    cloud_fault redirect 0
    [ ! -s other ] || die "somebody came: $(cat -A other)"
    cloud_log >log
    ! grep -q 'http://127.0.0.2' log || die "$(cat log)"
    [ -z "$(cloud_droplets)" ] || die left
}

test_only_loopback_is_dialled() {
    CLOUD_CLOCK=real
    start --per-minute 10000
    # two pages, whose links name api.digitalocean.com
    cloud_droplet x-%d "${OURS[@]}" number=250 >/dev/null
    command -v strace >/dev/null || {
        echo '# skip strace is not installed'
        return
    }
    cloud_set limit=1000
    local verb n=0
    for verb in 'create --wait runner amd64-deb' list check 'delete --all'; do
        # shellcheck disable=SC2086
        ASAN_OPTIONS=detect_leaks=0 must in_cloud strace -f -o "calls.${verb%% *}" \
            -e trace=connect,sendto,sendmsg "$BUILD/bin/build-machine-ctl" \
            -c "$T/conf" $verb
    done 2>/dev/null
    cat calls.* >calls
    grep -o 'sin_addr=inet_addr("[^"]*")' calls | sort -u >dialled
    grep -q '127.0.0.1' dialled || die "$(head calls)"
    n=$(grep -vc 'inet_addr("127\.' dialled)
    is "$n" 0 "$(cat dialled)"
    ! grep -E 'sin_port=htons\(53\)|nscd' calls || die 'asks for names'
    # what GitLab gets is GitLab's, and so on
    is "$(cloud_log | cut -d ' ' -f 4 | sort -u)" right
}

test_proxies_are_not_for_loopback() {
    local name
    CLOUD_CLOCK=real    # "localhost" is looked up, which takes its time
    start
    listen proxy 127.0.0.1
    for name in http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY; do
        export $name="http://127.0.0.1:$PORT"
    done
    export no_proxy='' NO_PROXY=''
    must machines create --wait runner amd64-deb
    must machines list
    must machines delete amd64-deb
    [ ! -s proxy ] || die "it was asked: $(cat -A proxy)"
    must machines list -o "digitalocean.api-url=${CLOUD/127.0.0.1/localhost}"
    [ ! -s proxy ] || die "it was asked: $(cat -A proxy)"
    # elsewhere it is asked for a tunnel, and that is all that it gets
    machines_begin tunnel list -o digitalocean.api-url=https://api.example.org
    wait_for -p "$PID" grep -aq '^CONNECT api.example.org:443' proxy ||
        die "$(cat -A proxy tunnel.err)"
    kill "$PID"
    wait "$PID"
    is "$?" 143
    silent proxy
}

run_tests
