#!/bin/bash
# scp-to-orchestrator to an account with a shell, which makes it faster and is
# never needed: what proves large files is then their hash, taken there. The
# account has, in turn, both programs that can, one, none, and such as lie,
# hang, flood, or do harm.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sshd.sh"
. "$(dirname "$0")/line.sh"

export SSHD_SFTP=internal-sftp   # which no start-up file disturbs

send() { "$BUILD/bin/scp-to-orchestrator" -c "$T/conf" -r v0.3.4 "$@"; }

# account [LINE...]: one with a shell, whose programs are those of $TOOLS and
# whose home, where sftp and commands begin, is above the inbox.
account() {
    sshd_example() {
        printf 'Match User %s\n' "$SSHD_USER"
        printf '\t%s\n' "AuthorizedKeysFile $SSHD_DIR/keys/veilid-cicd-$1" \
            "SetEnv PATH=$SSHD_DIR/tools"
    }
    sshd_start orchestrator "$@"
    TOOLS=$SSHD_DIR/tools
    mkdir -p "$TOOLS"
    mkdir -m 777 "$SSHD_DIR/notes"
    has_shell /bin/bash
    packages
}

# has_shell SHELL: from now on.
has_shell() {
    sed "s,^\($SSHD_USER:.*\):[^:]*:[^:]*\$,\1:$SSHD_CHROOT:$1," \
        "$SSHD_PLACE/passwd" >passwd
    cat passwd >"$SSHD_PLACE/passwd"
}

# Of the two packages, the large one is worth a hash.
packages() {
    sshd_conf
    make_big p veilid-server
    make_deb p veilid-cli 0.3.4 amd64
    line_start
}

# tool NAME: the account has it.
tool() { ln -sf "/usr/bin/$1" "$TOOLS/$1"; }

# fake NAME SCRIPT: it has that instead, which hashes nothing rightly, but does
# what the script says where there is more. It notes its pid, which
# fakes_end ends, for on the far side nobody does.
fake() {
    cat >"$TOOLS/$1" <<END
#!/bin/bash
PATH=/usr/bin:/bin
[ -s /dev/stdin ] || exec /usr/bin/$1 "\$@"
echo \$\$ >"$SSHD_DIR/notes/\$\$"
$2
END
    chmod 755 "$TOOLS/$1"
}

fakes_end() {
    local note
    for note in "$SSHD_DIR"/notes/*; do
        [ ! -e "$note" ] || kill "${note##*/}" 2>/dev/null
    done
    return 0
}

# sends REGEX: it succeeds, and says so.
sends() { expect 0 "$1" send -v -o "orchestrator.port=$LINE" p; }

# the_drop: the only thing there; complete, as sha256sum finds, and no more.
the_drop() {
    DROP=$SSHD_INBOX/$(ls -A "$SSHD_INBOX")
    [ "${DROP%.part}" = "$DROP" ] || die "unfinished: $DROP"
    (cd "$DROP" && sha256sum --quiet --strict -c SHA256SUMS) || die 'hashes'
    [ "$(ls "$DROP" | wc -l)" = 3 ] || die "$(ls "$DROP")"
}

# The large file did not come back; or it did.
was_hashed() {
    the_drop
    [ "$(line_back)" -lt $((SIZE / 4)) ] || die "$(line_back) bytes came back"
}
was_read_back() {
    the_drop
    [ "$(line_back)" -ge "$SIZE" ] || die "only $(line_back) bytes came back"
}

# How often it asked for a command rather than for sftp.
commands() { grep -c "Starting session: \\(forced-\\)\\?command.* for $SSHD_USER" "$SSHD_LOG"; }

# ------------------------------------------------------------ accounts that can

test_openssl() {
    account
    tool openssl; tool dd
    sends "large files are proven by 'openssl dgst"
    was_hashed
}

test_sha256sum() {
    account
    tool sha256sum; tool dd
    sends "large files are proven by 'sha256sum' there"
    was_hashed
}

test_openssl_that_knows_no_such_hash() {
    account
    fake openssl 'exit 1'
    sed -i 's/^\[ -s.*/exit 1/' "$TOOLS/openssl"
    tool sha256sum; tool dd
    sends "large files are proven by 'sha256sum' there"
    was_hashed
}

test_dash() {
    account
    has_shell /bin/dash
    tool openssl; tool dd
    sends "large files are proven by 'openssl dgst"
    was_hashed
}

# What a start-up file prints, and does not end with a new line.
test_a_shell_that_greets() {
    account
    tool openssl; tool dd
    # shellcheck disable=SC2016
    printf '%s\n' 'echo "Welcome to $HOSTNAME"' 'echo trouble >&2' \
        'printf "veilid-cicd-hash 0"' >"$SSHD_CHROOT/.bashrc"
    sends "large files are proven by 'openssl dgst"
    was_hashed
}

# One session at a time is enough.
test_one_session_at_a_time() {
    account 'MaxSessions 1'
    tool openssl; tool dd
    sends "large files are proven by 'openssl dgst"
    was_hashed
}

# -------------------------------------------------------- and such that cannot

# The one that the documents describe: one question, and not a word of it.
test_the_documented_account() {
    local asked
    sshd_start orchestrator
    packages
    expect 0 'sent v0.3.4' send -o "orchestrator.port=$LINE" p
    grep -vE ': (sending:|sent) ' err && die 'it has more to say'
    was_read_back
    asked=$(commands)
    [ "$asked" -ge 1 ] || die "it asked $asked times"
    grep -iE 'error|bad message|refused|invalid' "$SSHD_LOG" |
        grep -v 'Connection closed' && die 'sshd complains'
    return 0
}

test_no_program() {
    account
    sends 'large files are read back'
    was_read_back
}

test_no_login() {
    account
    has_shell /usr/sbin/nologin
    sends 'large files are read back'
    was_read_back
}

# Whatever one asks it for, it waits.
test_a_shell_that_hangs() {
    account
    printf '%s\n' '#!/bin/bash' "echo \$\$ >$SSHD_DIR/notes/\$\$" \
        'exec /usr/bin/sleep 600' >"$TOOLS/shell"
    chmod 755 "$TOOLS/shell"
    has_shell "$TOOLS/shell"
    sends 'large files are read back'
    fakes_end
    was_read_back
}

# ------------------------------------------------------- and such that one may
# not believe

test_a_program_that_lies() {
    account
    fake openssl 'printf "%064d *stdin\n" 0'
    sends 'read back:.* has no such hash there'
    was_read_back
}

test_a_program_that_says_nothing() {
    account
    fake openssl 'exit 0'
    sends 'read back:.* has no such hash there'
    was_read_back
}

test_a_program_that_floods() {
    account
    fake openssl 'exec /usr/bin/head -c 100000000 /dev/zero'
    sends 'read back: it says more than'
    was_read_back
}

test_a_program_that_hangs() {
    account
    fake openssl 'exec /usr/bin/sleep 600'
    sends 'read back: no hash in time'
    fakes_end
    was_read_back
}

# Its hash is right, and what it is of is not what was sent.
test_what_is_there_is_not_what_was_sent() {
    account
    fake openssl 'printf x | dd of=$(readlink /proc/self/fd/0) bs=1 seek=5000000 conv=notrunc status=none
        exec /usr/bin/openssl "$@"'
    sed -i 's,printf x |,file=$(readlink /proc/self/fd/0); &, ; s,of=$([^)]*),of=$file,' \
        "$TOOLS/openssl"
    expect 74 'what is there, at [0-9]*, is not what was sent' \
        send -o "orchestrator.port=$LINE" p
    [ -z "$(find "$SSHD_INBOX" -mindepth 1 -maxdepth 1 ! -name '*.part')" ] ||
        die 'it counts'
    rm "$TOOLS/openssl"
    tool openssl; tool dd
    expect 0 sent send p
    the_drop
}

# ---------------------------------------------------------------- once more

# What was complete but for its name costs a hash.
test_a_whole_leftover_is_not_read() {
    account
    tool openssl; tool dd
    sends 'proven by'
    was_hashed
    line_end
    mv "$DROP" "$DROP.part"
    line_start
    sends 'resuming'
    was_hashed
    [ "$(line_bytes)" -lt $MIB ] || die "it sent $(line_bytes) bytes"
}

test_a_leftover_that_differs() {
    account
    tool openssl; tool dd
    sends 'proven by'
    was_hashed
    line_end
    mv "$DROP" "$DROP.part"
    printf x | dd of="$DROP.part/veilid-server-0.3.4_amd64.deb" bs=1 \
        seek=$((SIZE / 2)) conv=notrunc status=none
    line_start
    sends 'resuming'
    the_drop
    [ "$(line_bytes)" -lt $((2 * MIB)) ] || die "it sent $(line_bytes) bytes"
}

# Nobody waits for a hash after a signal.
test_a_signal_while_it_hashes() {
    account
    fake openssl 'exec /usr/bin/sleep 600'
    env --default-signal=TERM "$BUILD/bin/scp-to-orchestrator" -c conf \
        -r v0.3.4 p >out 2>err &
    RUN=$!
    PIDS+=("$RUN")
    until [ -n "$(ls "$SSHD_DIR/notes")" ]; do
        kill -0 "$RUN" 2>/dev/null || die "it ended: $(cat err)"
        sleep 0.02
    done
    kill -TERM "$RUN"
    wait "$RUN"
    [ $? = 143 ] || die "$(cat err)"
    fakes_end
    [ ! -s out ] || die 'a result'
    rm "$TOOLS/openssl"
    expect 0 sent send p
    the_drop
}

run_tests
