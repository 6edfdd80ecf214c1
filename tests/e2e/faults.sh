#!/bin/bash
# Every kind of end: killed at any moment, disk full, lock held, interrupted.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/killed.sh"
. "$(dirname "$0")/rpms.sh"

# The store holds just the objects that its generations list.
no_rubbish_in_the_state() {
    [ ! -e state/unfinished ] || die "unfinished"
    find state/generations -mindepth 1 -maxdepth 1 -printf '%f\n' |
        grep -qvE '^[0-9]+$' && die "$(ls state/generations)"
    cat state/generations/*/SHA256SUMS | grep -v '^#' | cut -c1-64 | sort -u >listed
    ls -A state/objects | sort >there
    cmp listed there || die "objects: $(diff listed there | head -3)"
}

# But for the hashes: a date is signed.
in_the_state() {
    find state ! -name lock -printf '%p %y %s %l\n' |
        sed -E 's/[0-9a-f]{64}/HASH/g' | sort
}

test_build_killed_at_twenty_moments() {
    use_builds amd64-deb arm64-deb amd64-rpm
    make_release p 0.3.4
    make_release q 0.3.5
    make_rpm p veilid-server 0.3.4
    make_rpm q veilid-server 0.3.5
    make_rpm q veilid-cli 0.3.5
    publish v0.3.4 p
    cp srv/apt/dists/stable/InRelease live
    cp -a state base
    local i n at made=0 build
    build=("$BUILD/bin/distribute-packages" -c conf build -r v0.3.5 --from q)
    calls_of "${build[@]}"
    n=${#MOMENTS[@]}
    for ((i = 0; i < 20; i++)); do
        rm -rf state
        cp -a base state
        at=$((i * n / 20))
        killed_at $at "${build[@]}"
        is_new in_the_state || continue
        must dist verify
        [ ! -e state/generations/2 ] || made=$((made + 1))
        cmp -s live srv/apt/dists/stable/InRelease || die "the live tree changed"
        must dist build -r v0.3.5 --from q
        [ "$(cut -f1 out)" = 2 ] || die "call $at: $(cat out)"
        must dist verify
        no_rubbish_in_the_state
    done
    echo "# made before the kill: $made of 20"
}

no_rubbish_in_the_root() {
    find srv/.releases -name 'next.*' -o -name '.*.tmp' | grep . && die "rubbish"
    find srv -maxdepth 1 -name '*.new' | grep . && die "$(ls -A srv)"
    return 0
}

in_the_root() {
    find srv ! -name lock -printf '%p %y %s %l\n' |
        sed 's/\.releases\/next\.[0-9]*/next/' | sort
}

test_deploy_killed_at_twenty_moments() {
    make_release p 0.3.4
    make_release q 0.3.5
    must dist build -r v0.3.4 --from p
    must dist export; mv out 1.tar
    must dist build -r v0.3.5 --from q
    must dist export; mv out 2.tar
    must deploy - <1.tar
    cp -a srv base
    web_start "$T/srv"
    apt_root r "$WEB"
    local i n at deploy=("$BUILD/bin/deploy-repo" -c conf -)
    calls_of "${deploy[@]}" <2.tar
    n=${#MOMENTS[@]}
    for ((i = 0; i < 20; i++)); do
        # in place, so that the web server's root stays the same directory
        find srv -mindepth 1 -delete
        cp -a base/. srv/
        at=$((i * n / 20))
        killed_at $at "${deploy[@]}" <2.tar
        is_new in_the_root || continue
        must deploy verify
        rm -rf r/var/lib/apt/lists
        mkdir -p r/var/lib/apt/lists/partial
        must apt r update
        must apt r install --reinstall veilid-cli
        must deploy - <2.tar
        [ "$(readlink srv/.releases/current)" = 2 ] || die "call $at"
        must deploy verify
        must apt r update
        no_rubbish_in_the_root
    done
}

old_srv() {
    rm -rf srv
    mkdir -p srv/apt srv/gpg
    echo old | tee srv/apt/x >srv/gpg/x
}

# A plain /srv on its way to links: at no moment is a name missing.
test_conversion_killed_at_ten_moments() {
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    must dist export; mv out 1.tar
    local i n at deploy=("$BUILD/bin/deploy-repo" -c conf -)
    old_srv
    calls_of "${deploy[@]}" <1.tar
    n=${#MOMENTS[@]}
    for ((i = 0; i < 10; i++)); do
        old_srv
        # most of the calls are over before the names in the root change
        at=$((n - 1 - i * n / 20))
        killed_at $at "${deploy[@]}" <1.tar
        for name in apt gpg; do
            [ -e srv/$name/x ] || [ -e srv/$name/dists ] ||
                [ -e srv/$name/veilid-packages-key.public ] || die "$name at call $at"
        done
        must deploy - <1.tar
        [ -L srv/apt ] && [ -L srv/gpg ] || die "links at call $at"
        [ "$(find srv/.releases -path '*replaced*' -name x | wc -l)" = 2 ] ||
            die "the old tree is lost"
        must deploy verify
        no_rubbish_in_the_root
    done
}

# What a run that was killed between two links has left, the next one makes.
test_a_missing_link_is_made_again() {
    make_release p 0.3.4
    publish v0.3.4 p
    rm srv/apt srv/SHA256SUMS
    expect 0 'nothing to do' deploy
    [ -e srv/apt/dists ] && [ -e srv/SHA256SUMS ] || die "not made"
    rm srv/apt
    must export_and_deploy
    [ -e srv/apt/dists ] || die "not made"
}

# A damaged file is not handed on when a good copy is sent.
test_a_damaged_file_is_healed() {
    sed -i 's/^\[deploy\]/&\nkeep = 2/' conf
    make_release p 0.3.4
    publish v0.3.4 p
    must dist refresh; must export_and_deploy
    must dist refresh; must export_and_deploy
    local f=srv/apt/pool/stable/main/veilid-cli_0.3.4_amd64.deb
    printf x | dd of=$f conv=notrunc status=none
    must dist refresh
    expect 0 'is damaged: taking the copy' export_and_deploy
    must deploy verify
    # nor does it come back from the generation that is used again
    must dist refresh
    must export_and_deploy
    must deploy verify
    must dist refresh
    must export_and_deploy
    must deploy verify
}

# with_fault INJECTION CALL SERIAL COMMAND...: CALL fails, or brings a signal,
# at a file of that generation, however it is named.
FILE=apt/pool/stable/main/veilid-cli_0.3.4_amd64.deb
with_fault() {
    local injection=$1 call=$2 serial=$3
    shift 3
    ASAN_OPTIONS=detect_leaks=0 strace -f -qqq -o calls -P "$FILE" \
        -P "$serial/$FILE" -P "$T/srv/.releases/$serial/$FILE" -e trace="$call" \
        -e inject="$call:$injection" "$BUILD/bin/deploy-repo" -c conf "$@"
}

# While the live generation's files are compared with what is sent: only a
# file with another hash is damaged.
test_what_keeps_us_from_hashing_is_no_damage() {
    command -v strace >/dev/null || { echo '# skip strace is not installed'; return; }
    make_release p 0.3.4
    publish v0.3.4 p
    must dist refresh
    must dist export; mv out 2.tar
    cp -a srv base
    expect 143 'interrupted \(Terminated\)' with_fault signal=TERM read 1 - <2.tar
    ! grep -q damaged err || die "$(cat err)"
    [ "$(readlink srv/.releases/current)" = 1 ] || die "went on"
    # the copy that was sent is good, and takes its place
    expect 0 "read '1/$FILE': Input/output error: taking the copy" \
        with_fault error=EIO read 1 - <2.tar
    ! grep -q damaged err || die "$(cat err)"
    must deploy verify
    rm -r srv && cp -a base srv
    expect 0 "open '1/$FILE': Too many open files: taking the copy" \
        with_fault error=EMFILE openat2 1 - <2.tar
    ! grep -q damaged err || die "$(cat err)"
    must deploy verify
    # in verify there is no other copy
    expect 74 "read '$FILE': Input/output error" with_fault error=EIO read 2 verify
    expect 71 "open '$FILE': Too many open files" with_fault error=EMFILE openat2 2 verify
    expect 143 'interrupted' with_fault signal=TERM read 2 verify
}

# A web server that takes a request and does not answer.
test_a_signal_during_the_look_leaves_it_live() {
    make_release p 0.3.4
    make_release q 0.3.5
    publish v0.3.4 p
    must dist build -r v0.3.5 --from q
    must dist export; mv out 2.tar
    python3 -c "
import socket, time
s = socket.create_server(('127.0.0.1', 0))
print(s.getsockname()[1], flush=True)
c = s.accept()[0]
c.recv(1)
open('$T/asked', 'w').close()
time.sleep(600)" >port &
    PIDS+=($!)
    wait_for test -s port
    "$BUILD/bin/deploy-repo" -c conf -o "deploy.url=http://127.0.0.1:$(cat port)" \
        - <2.tar >out 2>err &
    local pid=$! status
    PIDS+=("$pid")
    wait_for -p $pid test -e asked
    kill -TERM $pid
    wait $pid
    status=$?
    [ $status = 143 ] || die "status $status: $(cat err)"
    grep -q 'generation 2 is live, but.* not completed.*interrupted (Terminated)' err ||
        die "$(cat err)"
    [ "$(readlink srv/.releases/current)" = 2 ] || die "swapped back"
    cmp inbox/LIVE/SHA256SUMS srv/SHA256SUMS || die "senders are told otherwise"
    must deploy verify
    # the next run looks
    expect 75 'generation 2 stays live' deploy -o deploy.url=http://127.0.0.1:9 - <2.tar
    must deploy - <2.tar
}

# small_disk SIZE: an own tmpfs at $T/full.
small_disk() {
    mkdir -p "$T/full"
    mount -t tmpfs -o "size=$1" tmpfs "$T/full" 2>/dev/null
}

test_no_space_for_the_state() {
    small_disk 1m || { echo '# skip cannot mount a tmpfs here'; return; }
    make_release p 0.3.4
    head -c 3M /dev/urandom >blob
    make_release q 0.3.5
    sed -i "s|^state = .*|state = $T/full/state|" conf
    must dist build -r v0.3.4 --from p
    DEB_FILE=blob make_deb q veilid-cli 0.3.5 amd64 gzip
    expect 74 'No space left on device' dist build -r v0.3.5 --from q
    must dist verify
    must dist list
    grep -qF veilid-server_0.3.5 out && die "published"
    mount -o remount,size=64m "$T/full"
    must dist build -r v0.3.5 --from q
    must dist verify
    ln -s full/state state
    no_rubbish_in_the_state
}

test_no_space_for_the_root() {
    small_disk 1m || { echo '# skip cannot mount a tmpfs here'; return; }
    make_release p 0.3.4
    head -c 3M /dev/urandom >blob
    sed -i "s|^root = .*|root = $T/full|" conf
    publish v0.3.4 p
    make_release q 0.3.5
    DEB_FILE=blob make_deb q veilid-cli 0.3.5 amd64 gzip
    must dist build -r v0.3.5 --from q
    must dist export; mv out 2.tar
    expect 74 'No space left on device' deploy - <2.tar
    must deploy verify
    [ "$(readlink full/.releases/current)" = 1 ] || die "swapped"
    [ ! -e full/.releases/2 ] || die "kept half of it"
    mount -o remount,size=64m "$T/full"
    must deploy - <2.tar
    must deploy verify
}

# in_memory SIZE COMMAND...: so much is there for key rings.
in_memory() {
    unshare -m bash -c 'mount -t tmpfs -o "size=$1,mode=1777" tmpfs /dev/shm && shift &&
        exec "$@"' - "$@"
}

# However much is missing, what is full is named.
test_no_space_for_the_key() {
    local size tool=("$BUILD/bin/distribute-packages" -c "$T/conf") full=0
    in_memory 1m true 2>/dev/null || { echo '# skip cannot mount a tmpfs here'; return; }
    make_release p 0.3.4
    make_release q 0.3.5
    must dist build -r v0.3.4 --from p
    for size in 4k 12k 20k 28k 36k 44k 52k 60k 72k 96k 160k; do
        in_memory $size "${tool[@]}" build -r v0.3.5 --from q >out 2>err
        case $? in
        0) break ;;
        74) full=$((full + 1)) ;;
        *) die "$size: $(cat err)" ;;
        esac
        grep -qE "/dev/shm.*(is full|No space left)" err || die "$size: $(cat err)"
        ! grep -qiE 'bug|No data' err || die "$size: $(cat err)"
    done
    [ $full -ge 4 ] || die "only $full times"
    must dist build -r v0.3.5 --from q
    must dist verify
}

test_a_full_pipe_end() {
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    expect 74 'No space left' sh -c \
        "'$BUILD/bin/distribute-packages' -c '$T/conf' export >/dev/full"
    # more than a pipe holds
    head -c 1M /dev/urandom >"state/objects/$(sha256sum <p/veilid-cli-0.3.4_amd64.deb | cut -c1-64)"
    dist export 2>err | head -c 10 >/dev/null
    [ "${PIPESTATUS[0]}" = 74 ] && grep -q 'Broken pipe' err ||
        die "a reader that went away: $(cat err)"
}

# hold FILE: its lock is held until the sleep ends that is the child of the last
# of PIDS.
hold() {
    flock -o -x "$1" sleep 100000 &
    PIDS+=($!)
    wait_for is_locked "$1" || die "cannot lock $1"
}
is_locked() { ! flock -n "$1" true; }

test_locks() {
    make_release p 0.3.4
    publish v0.3.4 p
    hold state/lock
    hold srv/.releases/lock
    expect 75 'holds the lock' deploy rollback &
    local other=$!
    T=$T/other
    mkdir -p "$T"
    local conf=${T%/other}/conf
    expect 75 'holds the lock' "$BUILD/bin/distribute-packages" -c "$conf" refresh
    T=${T%/other}
    wait $other || die "deploy-repo did not say 75"
    # and one that is given back in time is waited for
    pkill -P "${PIDS[0]}"
    pkill -P "${PIDS[1]}"
    wait "${PIDS[@]}" 2>/dev/null
    hold state/lock
    dist refresh >out 2>err &
    other=$!
    wait_for -p $other grep -q 'waiting for process' err || die "$(cat err)"
    pkill -P "${PIDS[-1]}"
    wait $other || die "$(cat err)"
}

# interrupted SIGNAL COMMAND...: ends by that signal. It must have enough to do, or
# wait for what never comes.
interrupted() {
    local signal=$1 pid status
    shift
    "$@" <&0 >out 2>err &
    pid=$!
    wait_for -p $pid hears "$signal" $pid || die "was done before: $(cat err)"
    kill -"$signal" $pid 2>/dev/null || die "was done before: $(cat err)"
    wait $pid
    status=$?
    [ "$status" = $((128 + $(kill -l "$signal"))) ] ||
        die "status $status after $signal: $(cat err)"
    grep -q 'interrupted' err || die "$(cat err)"
}

test_signals() {
    make_release p 0.3.4
    publish v0.3.4 p
    must dist refresh
    must dist export; mv out 2.tar
    find srv ! -name lock | sort >before
    for signal in INT TERM HUP; do
        mkfifo pipe.$signal
        (head -c 3000 2.tar; exec sleep 100000) >pipe.$signal &
        PIDS+=($!)
        # a shell ignores INT for what it puts into the background
        interrupted $signal env --default-signal=INT \
            "$BUILD/bin/deploy-repo" -c conf - <pipe.$signal
    done
    find srv ! -name lock | sort | cmp - before || die "left something"
    # a package of 4 GiB of nothing, which takes a while to hash
    make_deb huge veilid-cli 0.3.6 amd64
    local f=huge/veilid-cli-0.3.6_amd64.deb at
    at=$(LC_ALL=C grep -abo 'data.tar.xz' $f | cut -d: -f1)
    printf '%-10s' 4000000000 | dd of=$f bs=1 seek=$((at + 48)) conv=notrunc status=none
    truncate -s $((at + 60 + 4000000000)) $f
    interrupted INT env --default-signal=INT "$BUILD/bin/distribute-packages" \
        -c conf -n build -r v0.3.6 --from huge --partial
    rm -r huge
    must dist refresh
    no_rubbish_in_the_state
}

run_tests
