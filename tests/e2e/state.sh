#!/bin/bash
# The state of distribute-packages: generations that are damaged, and export to
# readers that do not read.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sshd.sh"

# ---------------------------------------------------- damaged generations

# The ways in which a disk, a kill or a person damages a generation.
WAYS='no_manifest empty_manifest half_manifest no_signature no_ledger torn_ledger
    no_files a_file a_directory garbled_manifest'

# damage WAY SERIAL
damage() {
    local dir=state/generations/$2
    case $1 in
    no_manifest) rm "$dir/SHA256SUMS" ;;
    empty_manifest) : >"$dir/SHA256SUMS" ;;
    half_manifest) truncate -s -20 "$dir/SHA256SUMS" ;;
    no_signature) rm "$dir/SHA256SUMS.asc" ;;
    no_ledger) rm "$dir/ledger" ;;
    torn_ledger) truncate -s -5 "$dir/ledger" ;;
    no_files) rm "$dir"/* ;;
    garbled_manifest) sed -i '8s/^.\{64\}/\x00/' "$dir/SHA256SUMS" ;;
    a_file) rm -r "$dir"; : >"$dir" ;;
    a_directory) rm "$dir/SHA256SUMS"; mkdir "$dir/SHA256SUMS" ;;
    esac
}

# drop_all RELEASE DIR: both builds.
drop_all() {
    local arch
    for arch in amd64 arm64; do
        make_drop "$HOME/incoming" "$1" $arch-deb x1 "$2"/*_$arch.deb
    done
}

# warned: of generation 1, where the verb has to look at what is damaged.
warned() {
    case $1 in
    no_signature|no_ledger|torn_ledger) ! grep -q 'generation 1' err ;;
    *) grep -Eq 'warning: .*generation 1( |$)' err ;;
    esac || die "$1: $(cat err)"
}

# A generation that nobody needs any more, without its SHA256SUMS, made the
# store end every later build with 66 after its generation was made, and the
# file of its drops did the same to send.
test_an_old_generation_is_damaged() {
    local way
    sshd_start repo-server
    sshd_conf repo-server
    sed -i "s|^inbox = $T/inbox|inbox = $SSHD_INBOX|" conf
    make_release p 0.3.4
    make_release q 0.3.5
    drop_all v0.3.4 p
    must dist build -r v0.3.4
    must dist refresh
    cp -a state base
    for way in $WAYS; do
        rm -rf state srv "$HOME"/incoming/* "$SSHD_INBOX"/{generation.*,LIVE}
        mkdir srv
        drop_all v0.3.5 q
        cp -a base state
        damage "$way" 1
        : >state/unfinished     # a run was killed: objects are looked at
        find state/objects -type f -printf '%f\n' | sort >before
        must dist list
        must dist verify
        must dist build -r v0.3.5
        warned "$way"
        [ "$(cut -f1 out)" = 3 ] || die "$way: $(cat out)"
        # what only that generation lists may be wanted once it is restored
        [ -z "$(find state/objects -type f -printf '%f\n' | sort | comm -23 before -)" ] ||
            die "$way: objects were removed"
        [ "$way" = a_file ] || [ -e state/generations/1 ] || die "$way: it is gone"
        must dist send
        must deploy
        must dist send
        expect 65 'generation 1 cannot be read' dist revert 1
        must dist revert 2
        warned "$way"
        must dist remove veilid-cli
        warned "$way"
        must dist refresh
        warned "$way"
        # beyond keep it goes like any other, and then its objects do
        must dist -o repository.keep=2 refresh
        [ "$(ls state/generations | sort -n | tr '\n' ' ')" = '6 7 ' ] ||
            die "$way: $(ls state/generations)"
        ! grep -q 'generation 1' err || die "$way: $(cat err)"
        must dist verify
        [ ! -e state/unfinished ] || die "$way: unfinished"
        cat state/generations/*/SHA256SUMS | grep -v '^#' | cut -c1-64 | sort -u >listed
        ls -A state/objects | sort | cmp -s listed - || die "$way: objects are left"
    done
}

# Which drops it was made of is not known then: theirs stay, the others go.
test_the_list_of_drops_is_damaged() {
    sshd_start repo-server
    sshd_conf repo-server
    sed -i "s|^inbox = $T/inbox|inbox = $SSHD_INBOX|" conf
    make_release p 0.3.4
    make_release q 0.3.5
    drop_all v0.3.4 p
    must dist build -r v0.3.4
    rm state/generations/1/drops
    mkdir state/generations/1/drops
    drop_all v0.3.5 q
    expect 0 'warning: the drops of generation 1 ' dist build -r v0.3.5
    must dist send
    must deploy
    expect 0 'removed drop v0.3.5.amd64-deb.x1' dist send
    [ "$(ls "$HOME/incoming" | tr '\n' ' ')" = 'v0.3.4.amd64-deb.x1 v0.3.4.arm64-deb.x1 ' ] ||
        die "$(ls "$HOME/incoming")"
}

# The newest one cannot be passed over: the next would have its serial, and
# would not know what it gave away.
test_the_newest_generation_is_damaged() {
    local way verb
    web_start "$T/srv"
    sed -i "s|^url = .*|url = $WEB|" conf
    make_release p 0.3.4
    make_release q 0.3.5
    publish v0.3.4 p
    publish v0.3.5 q
    cp -a state base
    for way in $WAYS; do
        rm -rf state
        cp -a base state
        damage "$way" 2
        for verb in list verify export refresh 'build -r v0.3.5 --from q' \
            'revert 1' 'remove veilid-cli'; do
            # shellcheck disable=SC2086
            expect 65 "generation 2.*distribute-packages pull.*remove '$T/state/generations/2'" \
                dist $verb
        done
        # it is public: it comes back as it was
        expect 0 'warning: .*generation 2' dist pull
        cmp base/generations/2/SHA256SUMS state/generations/2/SHA256SUMS || die "$way"
        [ "$(grep -c . state/generations/2/ledger)" = "$(grep -c . base/generations/2/ledger)" ] ||
            die "$way: the ledger has lost names"
        must dist verify
        expect 0 'nothing to do' dist build -r v0.3.5 --from q
        [ "$(ls state/generations | tr '\n' ' ')" = '1 2 ' ] || die "$(ls state/generations)"
    done
    # it is not public: pull says so, and the other way out works
    must dist refresh
    damage no_manifest 3
    expect 77 "generation 3.*remove '$T/state/generations/3'" dist pull
    rm -r state/generations/3
    must dist refresh
    [ "$(cut -f1 out)" = 3 ] || die "$(cat out)"
    must export_and_deploy
}

# ------------------------------------------------------------------ export

# held FD: how many bytes wait in the pipe.
held() {
    python3 -c 'import fcntl, struct, sys, termios
print(struct.unpack("i", fcntl.ioctl(int(sys.argv[1]), termios.FIONREAD, b"\0" * 4))[0])' "$1"
}

# A write that blocks hears of a signal, and went on writing.
test_export_to_a_reader_that_does_not_read() {
    local signal pid status
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    # more than a pipe holds
    head -c 1M /dev/urandom >"state/objects/$(sha256sum <p/veilid-cli-0.3.4_amd64.deb | cut -c1-64)"
    find state | sort >before
    mkfifo pipe
    exec 9<>pipe
    for signal in TERM INT HUP; do
        env --default-signal=INT "$BUILD/bin/distribute-packages" -c conf \
            export >&9 2>err 9<&- &
        pid=$!
        PIDS+=("$pid")
        until [ "$(held 9)" -ge 32768 ]; do
            kill -0 $pid || die "ended: $(cat err)"
            sleep 0.1
        done
        kill -"$signal" $pid
        # a minute is a machine that is busy, not one that waits for a reader
        timeout 60 tail --pid=$pid -f /dev/null || die "does not hear $signal"
        wait $pid
        status=$?
        [ "$status" = $((128 + $(kill -l "$signal"))) ] ||
            die "status $status after $signal: $(cat err)"
        grep -q 'interrupted' err || die "$(cat err)"
        flock -n state/lock true || die "the lock is held"
        find state | sort | cmp before - || die "left something"
        # the descriptor is shared: it must be as it was
        flags=$(sed -n 's/^flags:[[:space:]]*//p' /proc/self/fdinfo/9)
        [ $((flags & 04000)) = 0 ] || die "the pipe is left O_NONBLOCK"
        head -c "$(held 9)" <&9 >/dev/null
    done
    exec 9<&-
}

# Nothing is written there, so there is nothing to refuse.
test_a_dry_run_of_export_on_a_terminal() {
    script -qec true /dev/null >/dev/null 2>&1 ||
        { echo '# skip no pseudo-terminal is to be had here'; return; }
    make_release p 0.3.4
    must dist build -r v0.3.4 --from p
    script -qec "$BUILD/bin/distribute-packages -c conf -n export" typescript \
        </dev/null >/dev/null || die "$(cat typescript)"
    grep -q 'would export generation 1' typescript || die "$(cat typescript)"
    script -qec "$BUILD/bin/distribute-packages -c conf export" typescript \
        </dev/null >/dev/null
    [ $? = 64 ] && grep -q 'will not write' typescript || die "$(cat typescript)"
}

run_tests
