#!/bin/bash
# scp-to-orchestrator on a line that falls silent for good: after a minute of
# nothing it connects again, twice, then it gives up (75), and the next run
# goes on from there. The minutes are those of libfaketime, in which all the
# tool's clocks run 30 times as fast; the line and sshd keep the real time.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sshd.sh"

PROXY=$(cd "$(dirname "$0")" && pwd)/cut_proxy.py
MIB=1048576
SPEED=30
for FAKETIME_LIB in /usr/lib/*/faketime/libfaketimeMT.so.1; do :; done

send() {
    "$BUILD/bin/scp-to-orchestrator" -c "$T/conf" -r v0.3.4 "$@"
}

# The same where a minute is two seconds.
send_fast() {
    LD_PRELOAD=$FAKETIME_LIB FAKETIME="+0 x$SPEED" send "$@"
}

# line_start OPTION...: a line to sshd with a fault; conf has its port then.
line_start() {
    : >line.log
    : >line.out
    /usr/bin/python3 -B "$PROXY" "$SSHD_PORT" --log line.log "$@" \
        >line.out 2>line.err &
    LINE_PID=$!
    PIDS+=("$LINE_PID")
    until
        LINE=$(sed -n 's/^ready \([0-9]*\)$/\1/p' line.out)
        [ -n "$LINE" ]
    do
        kill -0 "$LINE_PID" 2>/dev/null || die "no line: $(cat line.err)"
        sleep 0.02
    done
    echo "[127.0.0.1]:$LINE $(cut -d ' ' -f 2,3 "$SSHD_HOSTS" | head -n 1)" \
        >>"$SSHD_HOSTS"
}

prepare() {
    if [ ! -e "$FAKETIME_LIB" ]; then
        echo '# skip libfaketime is not installed'
        exit 0
    elif nm "$BUILD/bin/scp-to-orchestrator" | grep -q '__[at]san_init'; then
        echo '# skip no other library goes before that of a sanitizer'
        exit 0
    fi
    sshd_start orchestrator
    sshd_conf
    head -c $((4 * MIB)) /dev/urandom >noise
    mkdir -p d/DEBIAN p
    printf '%s\n' 'Package: veilid-server' 'Version: 0.3.4' \
        'Architecture: amd64' 'Maintainer: Lab <lab@example.org>' \
        'Description: big' >d/DEBIAN/control
    cp noise d/data
    chmod 755 d
    dpkg-deb --root-owner-group -Znone -b d p/veilid-server-0.3.4_amd64.deb \
        >/dev/null
}

only_a_part() {
    [ "$(ls -A "$SSHD_INBOX" | wc -l)" = 1 ] &&
        [ -d "$(echo "$SSHD_INBOX"/*.part)" ] || die "$(ls -A "$SSHD_INBOX")"
}

the_drop_is_whole() {
    local drop
    drop=$(echo "$SSHD_INBOX"/*)
    [ "${drop%.part}" = "$drop" ] || die "$drop"
    (cd "$drop" && sha256sum --quiet --strict -c SHA256SUMS) || die 'hashes'
    cmp p/*.deb "$drop"/*.deb || die 'another file'
}

# After the greeting, in the middle of the data, and when it is read back.
test_silence_for_ever() {
    local at before
    prepare
    for at in $MIB $((3 * MIB)); do
        line_start --all --stall "$at"
        before=$SECONDS
        expect 75 '127.0.0.1' send_fast -o "orchestrator.port=$LINE" p
        grep -q '^at' line.log || die 'no stall'
        [ "$(grep -c resuming err)" = 2 ] || die "tries: $(cat err)"
        grep -qE 'silent|no answer|takes no more|wait' err || die "$(cat err)"
        [ ! -s out ] || die "a result: $(cat out)"
        # so many minutes as it says, but no hour
        [ $(((SECONDS - before) * SPEED)) -lt 1200 ] || die 'it waits too long'
        kill "$LINE_PID"
        only_a_part
    done
    expect 0 'resuming|sent' send p
    the_drop_is_whole
}

# Silent for minutes, and then it comes to life for the second try.
test_silence_that_ends_later() {
    prepare
    line_start --all --times 1 --stall $((2 * MIB)) --seconds 4
    expect 0 resuming send_fast -o "orchestrator.port=$LINE" \
        -o orchestrator.connect-timeout=10m p
    the_drop_is_whole
}

run_tests
