# What runs beside a test: begun, waited for, on a port that is free. Sourced by
# lib.sh, and by who does without it; PIDS are those who end with it.
# shellcheck shell=bash disable=SC2034  # what is sourced is used elsewhere

# pause SECONDS: without starting a program, where there is a place for a pipe
# into which nobody writes. On a slow machine that is most of what waiting costs.
pause() {
    local never=${KEYS:-}/never
    [ -n "${KEYS:-}" ] && { [ -p "$never" ] || mkfifo "$never"; } 2>/dev/null &&
        read -r -t "$1" <>"$never" 2>/dev/null
    # more than 128: it has waited
    [ $? -gt 128 ] || sleep "$1"
}

# wait_for [-p PID] COMMAND...: until it is true. The only way to wait for
# something: a machine that is slow may take its time, and the failure is
# no worse for coming late. -p: as long as that process lives.
wait_for() {
    local end=$((SECONDS + 300)) pid='' times=0
    [ "$1" != -p ] || { pid=$2; shift 2; }
    until "$@"; do
        if [ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null; then
            # perhaps the last thing that it did
            "$@"
            return
        fi
        [ "$SECONDS" -lt "$end" ] || return 1
        # what takes long need not be asked so often
        times=$((times + 1))
        if [ $times -lt 30 ]; then pause 0.02; else pause 0.2; fi
    done
}

# on_a_port COMMAND...: with a free PORT of loopback. Whether it is free, the
# server says itself when it binds it: the command fails then.
on_a_port() {
    for _ in {1..20}; do
        PORT=$((20000 + RANDOM % 12000))
        "$@" && return
    done
    return 1
}

in_background() {
    "$@" &
    PIDS+=($!)
}

# sshd_begin CONF LOG START...: sshd with that configuration, begun by START
# ("in_background", "start_on MACHINE"), which is the last of PIDS then. True
# when it listens, false when it cannot.
sshd_begin() {
    local conf=$1 log=$2
    shift 2
    : >"$log"
    "$@" /usr/sbin/sshd -D -e -f "$conf" >>"$log" 2>&1
    wait_for -p "${PIDS[-1]}" grep -q '^Server listening' "$log"
}
