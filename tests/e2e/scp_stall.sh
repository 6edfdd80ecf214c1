#!/bin/bash
# scp-to-orchestrator on a line that falls silent for good: after a minute of
# nothing it connects again, twice, then it gives up (75), and the next run
# goes on from there. The minutes are those of a clock that the line puts forward
# while it is silent (tests/sim/clock.c).
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sshd.sh"
. "$(dirname "$0")/line.sh"

send() {
    "$BUILD/bin/scp-to-orchestrator" -c "$T/conf" -r v0.3.4 "$@"
}

send_by_clock() {
    VC_CLOCK=$T/clock LD_PRELOAD=$BUILD/tests/clock.so \
        ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0 \
        send -o "orchestrator.port=$LINE" "$@"
}

# What time it is there, in seconds.
now() {
    /usr/bin/python3 -B -c 'import struct, sys
print(sum(struct.unpack("qqqq", open(sys.argv[1], "rb").read())[2:]) // 10**9)' \
        clock
}

prepare() {
    sshd_start orchestrator
    sshd_conf
    make_big p veilid-server 4
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
    local at
    prepare
    for at in $MIB $((3 * MIB)); do
        line_start --clock clock --all --stall "$at"
        expect 75 '127.0.0.1' send_by_clock p
        grep -q '^at' line.log || die 'no stall'
        [ "$(grep -c resuming err)" = 2 ] || die "tries: $(cat err)"
        grep -qE 'silent|no answer|takes no more|wait' err || die "$(cat err)"
        [ ! -s out ] || die "a result: $(cat out)"
        # a minute and two tries to connect again, and no hour
        [ "$(now)" -ge 110 ] && [ "$(now)" -lt 1200 ] || die "$(now) seconds"
        line_end
        only_a_part
    done
    expect 0 'resuming|sent' send p
    the_drop_is_whole
}

# Silent for minutes, and then it comes to life for the second try.
test_silence_that_ends_later() {
    prepare
    line_start --clock clock --all --times 1 --stall $((2 * MIB)) --seconds 90
    expect 0 resuming send_by_clock -o orchestrator.connect-timeout=10m p
    the_drop_is_whole
}

run_tests
