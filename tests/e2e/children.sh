#!/bin/bash
# Programs that hang, and what a careless parent hands down: a signal is heard
# while we wait for a child or a pipe, and what we waited for goes with us; what
# we inherit does not change what we do, nor does it reach our children.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/rpms.sh
. "$(dirname "$0")/rpms.sh"

# eventually TENTHS COMMAND...: it succeeds, within so many tenths of a second.
eventually() {
    local _ tenths=$1
    shift
    for _ in $(seq "$tenths"); do
        "$@" && return
        sleep 0.1
    done
    return 1
}

has_ended() { ! kill -0 "$1" 2>/dev/null || [ "$(ps -o stat= -p "$1" | cut -c1)" = Z ]; }
can_be_locked() { [ ! -e "$1" ] || flock -n "$1" true; }

# Where the sandbox lets children write, too.
BEGUN=/dev/shm/vc-begun.$$
trap 'rm -f "$BEGUN"' EXIT

# has_begun PID: with AWAITED set, PID has that file open, which nobody writes.
has_begun() {
    [ -z "${AWAITED:-}" ] || [ -z "$(find "/proc/$1/fd" -lname "$AWAITED")" ] ||
        echo "$1" >"$BEGUN"
    [ -s "$BEGUN" ]
}

# hangs SIGNAL ARGS...: distribute-packages with these hangs from when the file
# $BEGUN has something in it: numbers of processes that hang, too. It ends by
# the signal, and so do they. Whatever hangs here does so for ever: that it ends
# counts, not when.
hangs() {
    local signal=$1 pid status other
    shift
    # a shell has INT ignored by what it puts into the background
    env --default-signal=INT "$BUILD/bin/distribute-packages" -c conf "$@" \
        >out 2>err &
    pid=$!
    PIDS+=("$pid")
    eventually 600 has_begun $pid || die "never began: $(cat err)"
    sleep 0.3
    has_ended $pid && die "did not hang: $(cat err)"
    kill -"$signal" $pid
    eventually 600 has_ended $pid || {
        kill -KILL $pid
        die "still there after $signal"
    }
    wait $pid
    status=$?
    [ $status = $((128 + $(kill -l "$signal"))) ] ||
        die "status $status after $signal: $(cat err)"
    grep -q interrupted err || die "said: $(cat err)"
    while IFS= read -r other; do
        eventually 600 has_ended "$other" ||
            die "outlived $signal: $(ps -o pid,stat,args -p "$other")"
    done <"$BEGUN"
    can_be_locked state/lock || die "the lock is still held"
    check_nothing_left
    rm "$BEGUN"
}

# stand_in NAME CONDITION COMMAND: stands before the real program in PATH, and
# runs the command first where the condition, over $*, is true.
stand_in() {
    rm -f "$BEGUN"
    mkdir -p bin
    cat >"bin/$1" <<END
#!/bin/bash
if $2; then
    $3
fi
exec /usr/bin/$1 "\$@"
END
    chmod 755 "bin/$1"
    PATH=$T/bin:$PATH
}

# Heeds no signal but KILL, and has a child that does not end either.
HANG="trap '' TERM INT HUP; sleep 100000 & printf '%s\n' \$! \$\$ >>'$BEGUN'
    while :; do sleep 100000; done"
# The same without a child: stopped, as a process is that has a debugger.
STOP="printf '%s\n' \$\$ >>'$BEGUN'; kill -STOP \$\$"

use_docker() {
    printf '[rpm]\nbuilder = container\ncontainer-command = docker\n' >>conf
    use_builds amd64-rpm
    make_rpm in veilid-server 0.3.4
    make_rpm in veilid-cli 0.3.4
}

# --------------------------------------------------------- what hangs

# shellcheck disable=SC2016
test_an_engine_that_never_says_what_images_it_has() {
    use_docker
    stand_in docker '[ "$1" = image ]' "$HANG"
    local signal
    for signal in TERM INT HUP; do
        hangs $signal build -r v0.3.4 --from in
    done
    nothing_is_stored || die "something was stored"
}

# It has the time that engines have to stop a container, and not more.
# shellcheck disable=SC2016
test_an_engine_that_never_comes_back_from_a_container() {
    use_docker
    stand_in docker '[ "$1" = run ]' "$HANG"
    sed -i '1a [ "$1" != image ] || exit 0' bin/docker
    hangs TERM build -r v0.3.4 --from in
    [ ! -e state/container ] || die "the work directory stayed"
    nothing_is_stored || die "something was stored"
}

# A fifo that nobody writes; then one that is held open, and not written.
test_a_passphrase_that_never_comes() {
    make_release p 0.3.4
    use_key passphrase
    mkfifo -m 600 fifo
    local signal
    for signal in TERM INT; do
        AWAITED=$T/fifo hangs $signal -o "signing.passphrase-file=$T/fifo" build -r v0.3.4 --from p
    done
    sleep 100000 <>fifo &
    PIDS+=($!)
    AWAITED=$T/fifo hangs TERM -o "signing.passphrase-file=$T/fifo" build -r v0.3.4 --from p
    nothing_is_stored || die "something was stored"
}

test_a_key_that_never_comes() {
    make_release p 0.3.4
    mkfifo -m 600 fifo
    AWAITED=$T/fifo hangs TERM -o "signing.key-file=$T/fifo" build -r v0.3.4 --from p
    # and one that comes in the end is taken
    (sleep 0.5; cat key >fifo) &
    must dist -o "signing.key-file=$T/fifo" build -r v0.3.4 --from p
}

# At each of the things it is asked for, its version first.
# shellcheck disable=SC2016
test_a_gpg_that_hangs() {
    make_release p 0.3.4
    local what
    for what in --version --import --list-keys --export --detach; do
        stand_in gpg "[[ \" \$* \" == *' $what '* || ' $what ' == ' --list-keys ' &&
            \" \$* \" == *' --list-secret-keys '* ]]" "$STOP"
        hangs TERM build -r v0.3.4 --from p
    done
    nothing_is_stored || die "something was stored"
    rm bin/gpg
    must dist build -r v0.3.4 --from p
    must export_and_deploy
    must dist verify
}

# gpg waits for its agent, which waits for somebody: it is stopped here, which it
# cannot heed anything in.
# shellcheck disable=SC2016
test_an_agent_that_hangs() {
    make_release p 0.3.4
    stand_in gpg '[[ " $* " == *" --detach "* ]]' 'home=$(sed "s/.*--homedir //; s/ .*//" <<<"$*")
    agent=$(pgrep -f "gpg-agent --homedir $home ")
    kill -STOP $agent
    printf "%s\n" $agent $$ >>'"'$BEGUN'"
    hangs TERM build -r v0.3.4 --from p
    nothing_is_stored || die "something was stored"
}

# Of what the receiving side believes, gpg says so.
# shellcheck disable=SC2016
test_a_gpg_that_hangs_at_the_receiver() {
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    must dist export
    mv out 1.tar
    stand_in gpg '[[ " $* " == *" --verify "* ]]' "$STOP"
    "$BUILD/bin/deploy-repo" -c conf - <1.tar >out 2>err &
    local pid=$! other
    PIDS+=("$pid")
    eventually 600 test -s "$BEGUN" || die "never began: $(cat err)"
    kill -TERM $pid
    eventually 600 has_ended $pid || { kill -KILL $pid; die "still there"; }
    wait $pid
    [ $? = 143 ] || die "said: $(cat err)"
    while IFS= read -r other; do
        eventually 600 has_ended "$other" || die "outlived it: $other"
    done <"$BEGUN"
    can_be_locked srv/.releases/lock || die "the lock is still held"
    [ ! -e srv/apt ] || die "deployed"
    rm bin/gpg
    must deploy - <1.tar
}

# ------------------------------------------------------- what is inherited

# Ignored SIGCHLD takes from a parent how its children ended; blocked signals
# would make us deaf.
test_signals_that_the_parent_ignores() {
    make_release p 0.3.4
    (trap '' CHLD PIPE; exec "$BUILD/bin/distribute-packages" -c conf build \
        -r v0.3.4 --from p) >out 2>err || die "CHLD ignored: $(cat err)"
    dist export >1.tar
    (trap '' CHLD PIPE; exec "$BUILD/bin/deploy-repo" -c conf -) <1.tar >out 2>err ||
        die "CHLD ignored: $(cat err)"
    must deploy verify
}

# gpg, which gpgme starts, and whatever run_wait starts.
# shellcheck disable=SC2016
test_children_have_the_default_of_every_signal() {
    make_release p 0.3.4
    stand_in gpg true 'grep -E "^Sig(Blk|Ign)" /proc/self/status >>'"'$BEGUN'"
    (trap '' PIPE CHLD
     exec env --block-signal=USR1,TERM "$BUILD/bin/distribute-packages" -c conf build -r v0.3.4 \
        --from p) >out 2>err || die "failed: $(cat err)"
    [ "$(wc -l <"$BEGUN")" -gt 4 ] || die "gpg was not asked"
    # 1 to 3 (HUP, INT, QUIT) may be ignored (nohup); 32 and 33 are the C library's
    ! grep -vE '^Sig(Blk:.0{16}|Ign:.0{7}[01][08]0{6}[0-7])$' "$BEGUN" >odd ||
        die "$(sort odd | uniq -c)"
}

# What is opened first would otherwise be descriptor 0, 1 or 2: the lock, into
# which the results are then written.
test_closed_descriptors_become_no_file() {
    make_release p 0.3.4
    local how
    for how in '>&-' '<&- >&-' '<&- >&- 2>&-' '2>&-'; do
        rm -rf state
        mkdir state
        eval "'$BUILD/bin/distribute-packages' -c conf build -r v0.3.4 --from p $how" \
            >/dev/null 2>err
        grep -qxE '[0-9]+' state/lock || die "$how: the lock holds $(cat state/lock)"
        [ "$(wc -l <state/lock)" = 1 ] || die "$how: in the lock: $(cat state/lock)"
        must dist verify
    done
    # results that nobody gets are an error, and of input there is none
    "$BUILD/bin/distribute-packages" -c conf list >&- 2>err
    [ $? = 74 ] && grep -q 'standard output: Bad file descriptor' err ||
        die "list: $(cat err)"
    "$BUILD/bin/distribute-packages" -c conf export >&- 2>err
    [ $? = 74 ] || die "export: $(cat err)"
    expect 74 'Bad file descriptor' deploy - <&-
    [ ! -e srv/apt ] || die "deployed"
}

# ------------------------------------------------------------ who is killed

# What a number stands for may change between the look at a process and the end
# of it. The keeper holds the process before it looks.
test_no_process_is_judged_that_is_not_held() {
    make_release p 0.3.4
    ASAN_OPTIONS=detect_leaks=0 must strace -f -e trace=pidfd_open,openat,pidfd_send_signal -o trace \
        "$BUILD/bin/distribute-packages" -c conf build -r v0.3.4 --from p
    awk '/pidfd_open\(/ { match($0, /open\(/); held[$1] = substr($0, RSTART + 5) + 0 }
        /"[0-9]+\/cmdline"/ { match($0, /"[0-9]+\/cmd/); seen++
            if (substr($0, RSTART + 1) + 0 != held[$1]) { print; bad = 1 } }
        END { exit bad || !seen }' <(grep -E 'pidfd_open|cmdline' trace) >odd ||
        die "looked at first: $(head -n 3 odd)"
    grep -q 'pidfd_send_signal.*SIGKILL' trace || die "there was no agent to end"
}

run_tests
