#!/bin/bash
# scp-to-orchestrator on lines that are cut, stall, and end; killed at any
# moment; and at the same time as another. Nothing is ever half there.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sshd.sh"
. "$(dirname "$0")/line.sh"

export PARALLEL=3

send() { "$BUILD/bin/scp-to-orchestrator" -c "$T/conf" -r v0.3.4 "$@"; }

# Until the line has come to its fault.
line_at_fault() {
    wait_for -p "$1" grep -q '^at' "$T/line.log" || die "it ended before: $(cat err)"
}

prepare() {
    sshd_start orchestrator
    sshd_conf
    make_big p veilid-server
    make_deb p veilid-cli 0.3.4 amd64
    watch_inbox
}

# ------------------------------------------------------------ what must hold

# Looks at the inbox all the time: whatever has a final name is complete.
watch_inbox() {
    /usr/bin/python3 -c 'import hashlib, os, sys, time
inbox, seen = sys.argv[1], set()
while os.path.exists(inbox):
    for name in os.listdir(inbox):
        if name.endswith(".part") or name in seen:
            continue
        drop = os.path.join(inbox, name)
        try:
            lines = open(drop + "/SHA256SUMS").read().splitlines()
            good = sorted(os.listdir(drop)) == sorted(
                ["SHA256SUMS"] + [l[66:] for l in lines]) and lines
            for l in lines:
                data = open(drop + "/" + l[66:], "rb").read()
                good = good and hashlib.sha256(data).hexdigest() == l[:64]
        except OSError as e:
            good = False
        if good:
            seen.add(name)
        elif os.path.exists(drop):
            print("half there:", name, os.listdir(drop), flush=True)
    time.sleep(0.002)' "$SSHD_INBOX" >"$T/half" 2>&1 &
    PIDS+=($!)
}

# drops N: so many, complete; nothing else is in the inbox, and nothing was
# ever half there.
drops() {
    local drop
    [ ! -s "$T/half" ] || die "$(head -n 3 "$T/half")"
    [ "$(ls -A "$SSHD_INBOX" | wc -l)" = "$1" ] ||
        die "in the inbox: $(ls -A "$SSHD_INBOX")"
    for drop in "$SSHD_INBOX"/*; do
        [ "${drop%.part}" = "$drop" ] || die "unfinished: $drop"
        (cd "$drop" && sha256sum --quiet --strict -c SHA256SUMS) || die "hashes"
    done
}

no_drop_yet() {
    [ ! -s "$T/half" ] || die "$(head -n 3 "$T/half")"
    [ -z "$(find "$SSHD_INBOX" -mindepth 1 -maxdepth 1 ! -name '*.part')" ] ||
        die "a drop: $(ls "$SSHD_INBOX")"
    [ -n "$(find "$SSHD_INBOX" -name '*.part')" ] || die 'nothing to resume'
}

# The next run, undisturbed, completes and sends at most so many bytes.
next_run_sends_at_most() {
    local n
    line_start
    must send -o "orchestrator.port=$LINE" p
    n=$(line_bytes)
    [ "$n" -le "$1" ] || die "it sent $n bytes, of which $1 would do"
    line_end
    drops 1
}

# ------------------------------------------------ the account, as documented

# Nothing but sftp, so that all is read back; and nobody has more to say.
test_the_documented_account() {
    prepare
    line_start
    expect 0 'sent v0.3.4' send -o "orchestrator.port=$LINE" p
    grep -vE ': (sending:|sent) ' err && die 'it has more to say'
    [ "$(line_back)" -ge "$SIZE" ] || die "only $(line_back) bytes came back"
    grep -iE 'error|bad message|refused|invalid' "$SSHD_LOG" |
        grep -v 'Connection closed' && die 'sshd complains'
    drops 1
}

# An sftp-server that damages one in 20 of the large writes, while there is
# $SSHD_DIR/lie.
damaging_server() {
    cat >flip.c <<'END'
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

ssize_t
write(int fd, const void *p, size_t n)
{
	static ssize_t (*next)(int, const void *, size_t);
	static char copy[1 << 20];
	static int count;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "write");
	if (fd < 3 || n < 10000 || n > sizeof(copy) || ++count % 20 != 0 ||
	    access(LIE, F_OK) != 0)
		return next(fd, p, n);
	memcpy(copy, p, n);
	copy[n / 2] ^= 1;
	return next(fd, copy, n);
}
END
    sshd_example() {
        cc -D_GNU_SOURCE "-DLIE=\"$SSHD_DIR/lie\"" -shared -fPIC \
            -o "$SSHD_DIR/flip.so" "$T/flip.c" -ldl >&2
        printf 'Match User %s\n' "$SSHD_USER"
        printf '\t%s\n' "AuthorizedKeysFile $SSHD_DIR/keys/veilid-cicd-$1" \
            "ForceCommand LD_PRELOAD=$SSHD_DIR/flip.so /usr/lib/openssh/sftp-server -d $SSHD_CHROOT"
    }
}

test_what_is_there_is_not_what_was_sent() {
    damaging_server
    prepare
    touch "$SSHD_DIR/lie"
    expect 74 'from byte [0-9]* on it differs from what was sent' send p
    no_drop_yet
    rm "$SSHD_DIR/lie"
    must send p
    drops 1
}

# What was complete but for its name is read, and not sent.
test_a_whole_leftover_is_not_sent() {
    local drop
    prepare
    must send p
    drop=$(echo "$SSHD_INBOX"/*)
    mv "$drop" "$drop.part"
    next_run_sends_at_most "$MIB"
}

test_a_large_leftover_that_differs() {
    local drop
    prepare
    must send p
    drop=$(echo "$SSHD_INBOX"/*)
    mv "$drop" "$drop.part"
    printf x | dd of="$drop.part/veilid-server-0.3.4_amd64.deb" bs=1 \
        seek=$((SIZE / 2)) conv=notrunc status=none
    next_run_sends_at_most $((2 * MIB))
}

# ----------------------------------------------------------------- cut lines

# When its line is cut, sshd forgets what it has taken from it and not yet
# given to sftp, which is up to a window, 2 MiB, and sftp what is not a whole
# request, of 255 KiB. There are two connections, and on a machine so busy that
# it seems to be far away four: 9 MiB. Requests to read, to look at what is
# there, cost little.
ON_THE_WAY=$((10 * MIB))

cut_once() {
    prepare
    line_start --all --times 1 --cut $((SIZE / 100 * $1))
    expect 0 'resuming' send -o "orchestrator.port=$LINE" p
    [ "$(grep -c '^at' line.log)" = 1 ] || die "cuts: $(cat line.log)"
    [ "$(line_bytes)" -le $((SIZE + ON_THE_WAY)) ] ||
        die "it sent $(line_bytes) bytes"
    drops 1
}

test_cut_once_at_1_percent() { cut_once 1; }
test_cut_once_at_50_percent() { cut_once 50; }
test_cut_once_at_99_percent() { cut_once 99; }

cut_for_good() {
    prepare
    line_start --all --down --cut $((SIZE / 100 * $1))
    expect 75 '127.0.0.1' send -o "orchestrator.port=$LINE" p
    [ ! -s out ] || die "a result: $(cat out)"
    line_end
    no_drop_yet
    next_run_sends_at_most $((SIZE / 100 * (100 - $1) + ON_THE_WAY))
}

test_cut_for_good_at_1_percent() { cut_for_good 1; }
test_cut_for_good_at_50_percent() { cut_for_good 50; }
test_cut_for_good_at_99_percent() { cut_for_good 99; }

# Each time a bit more gets through.
test_cut_again_and_again() {
    local run
    prepare
    line_start --all --cut $((SIZE / 2))
    for run in 1 2 3 4 5 6 7 8 9 10; do
        send -o "orchestrator.port=$LINE" p >out 2>err && break
        [ $? = 75 ] || die "run $run: $(cat err)"
    done
    [ "$run" -lt 10 ] || die 'it does not get on'
    drops 1
}

# One of several connections is cut, the others live.
test_one_connection_is_cut() {
    prepare
    line_start --times 1 --cut $((3 * MIB))
    must send -o "orchestrator.port=$LINE" p
    drops 1
}

# Around the rename, which is among the last bytes: was it done or not?
test_cut_around_the_rename() {
    local total off
    sshd_start orchestrator
    sshd_conf
    make_deb p veilid-cli 0.3.4 amd64
    watch_inbox
    line_start
    must send -o "orchestrator.port=$LINE" p
    total=$(line_bytes)
    line_end
    drops 1
    rm -r "${SSHD_INBOX:?}"/*
    for off in 20 90 160 230 300 370 440 510 580 650 720 790; do
        line_start --times 1 --cut $((total - off))
        expect 0 '' send -o "orchestrator.port=$LINE" p
        line_end
        drops 1
        [ "$(ls "$SSHD_INBOX"/*/ | wc -l)" = 2 ] || die "off $off"
        rm -r "${SSHD_INBOX:?}"/*
    done
}

test_a_line_that_is_slow() {
    prepare
    line_start --delay 30
    must send -o "orchestrator.port=$LINE" p
    drops 1
}

# ----------------------------------------------------------------- silence

test_a_stall_that_ends() {
    prepare
    line_start --all --stall $((SIZE / 2)) --seconds 3
    must send -o "orchestrator.port=$LINE" p
    [ "$(grep -c '^at' line.log)" = 1 ] || die "no stall: $(cat line.log)"
    grep -q resuming err && die 'it has connected again'
    drops 1
}

# Somebody takes the connection and says nothing.
test_no_greeting() {
    prepare
    line_start --stall 0
    expect 75 '127.0.0.1' send -o "orchestrator.port=$LINE" \
        -o orchestrator.connect-timeout=1s p
    [ -z "$(ls -A "$SSHD_INBOX")" ] || die "$(ls "$SSHD_INBOX")"
}

# --------------------------------------------------------------- other ends

# begin_and_stop_at BYTES: a run in the background, at a line that stands still
# since then; sets RUN.
begin_and_stop_at() {
    line_start --all --stall "$1"
    # bash has what it runs in the background ignore SIGINT
    env --default-signal=INT,TERM,HUP "$BUILD/bin/scp-to-orchestrator" -c conf \
        -r v0.3.4 -o "orchestrator.port=$LINE" p >out 2>err &
    RUN=$!
    PIDS+=("$RUN")
    line_at_fault "$RUN"
}

test_sshd_dies_and_comes_back() {
    prepare
    begin_and_stop_at $((SIZE / 2))
    sshd_kill
    sshd_again
    kill -USR1 "$LINE_PID"
    wait "$RUN" || die "status $?: $(cat err)"
    grep -q resuming err || die "$(cat err)"
    drops 1
}

test_killed() {
    local at
    prepare
    # each one goes on where the one before was
    for at in 20000 $MIB $((2 * MIB)) $((3 * MIB)) $((4 * MIB)); do
        begin_and_stop_at "$at"
        kill -9 "$RUN"
        wait "$RUN" 2>/dev/null
        line_end
        no_drop_yet
    done
    must send p
    drops 1
}

test_killed_late() {
    prepare
    begin_and_stop_at $((SIZE / 4 * 3))
    kill -9 "$RUN"
    wait "$RUN" 2>/dev/null
    line_end
    no_drop_yet
    next_run_sends_at_most $((SIZE / 4 + ON_THE_WAY))
}

test_signals() {
    local signal
    prepare
    for signal in INT TERM HUP; do
        begin_and_stop_at $((3 * MIB))
        kill -s "$signal" "$RUN"
        wait "$RUN"
        [ $? = $((128 + $(kill -l "$signal"))) ] || die "$signal: $(cat err)"
        [ ! -s out ] || die 'a result'
        line_end
        no_drop_yet
    done
    must send p
    drops 1
}

# Not by its own fault: while it waits to connect again, too.
test_interrupted_while_it_pauses() {
    prepare
    line_start --all --down --cut $((SIZE / 2))
    env --default-signal=INT "$BUILD/bin/scp-to-orchestrator" -c conf \
        -r v0.3.4 -o "orchestrator.port=$LINE" p >out 2>err &
    RUN=$!
    PIDS+=("$RUN")
    wait_for -p "$RUN" grep -q resuming err || die "$(cat err)"
    kill -INT "$RUN"
    wait "$RUN"
    [ $? = 130 ] || die "$(cat err)"
    must send p
    drops 1
}

test_the_account_is_shut_out_in_the_middle() {
    prepare
    begin_and_stop_at $((SIZE / 2))
    : >"$SSHD_DIR/keys/veilid-cicd-orchestrator"
    sshd_kill
    sshd_again
    kill -USR1 "$LINE_PID"
    wait "$RUN"
    [ $? = 77 ] || die "status $?: $(cat err)"
    no_drop_yet
}

# ------------------------------------------------------------- at one time

# arrived EXPRESSION: such a thing is in the inbox.
arrived() { find "$SSHD_INBOX" "$@" 2>/dev/null | grep -q .; }

test_two_jobs_with_the_same_content() {
    local round a b
    prepare
    for round in 1 2 3 4; do
        send p >out.a 2>err.a &
        a=$!
        # or when the first has begun, or is among its files
        case $round in
        3) wait_for arrived -name '*.part' -o -name SHA256SUMS ;;
        4) wait_for arrived -type f -size +1M ;;
        esac || die "the first does not begin: $(cat err.a)"
        send p >out.b 2>err.b &
        b=$!
        wait $a || die "one, round $round: status $? $(cat err.a)"
        wait $b || die "the other, round $round: status $? $(cat err.b)"
        cmp out.a out.b || die 'two results'
        drops 1
        rm -r "${SSHD_INBOX:?}"/*
    done
}

# The late one comes to its rename when the other has long been through.
test_the_slower_of_two_jobs() {
    prepare
    begin_and_stop_at $((SIZE / 2))
    must send p
    mv out first
    kill -USR1 "$LINE_PID"
    wait "$RUN" || die "status $?: $(cat err)"
    drops 1
}

test_two_jobs_with_different_content() {
    local a b
    prepare
    make_big q veilid-server
    send p >out.a 2>err.a &
    a=$!
    send q >out.b 2>err.b &
    b=$!
    wait $a || die "$(cat err.a)"
    wait $b || die "$(cat err.b)"
    drops 2
}

# A package that is built again while it is sent.
test_a_package_changes_while_it_is_sent() {
    prepare
    begin_and_stop_at $((SIZE / 4))
    printf x | dd of=p/veilid-server-0.3.4_amd64.deb bs=1 conv=notrunc \
        seek=$((SIZE - 1000)) status=none
    kill -USR1 "$LINE_PID"
    wait "$RUN"
    [ $? = 65 ] || die "status $?: $(cat err)"
    grep -q 'has changed' err || die "$(cat err)"
    no_drop_yet
}

run_tests
