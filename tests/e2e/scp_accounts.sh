#!/bin/bash
# scp-to-orchestrator and the account on the other side: one that is locked,
# an inbox that cannot be written to, a disk without room; host keys in all the
# ways that known_hosts can tell of them; and that no secret goes anywhere.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sshd.sh"

send() { "$BUILD/bin/scp-to-orchestrator" -c "$T/conf" "$@"; }

prepare() {
    sshd_start orchestrator "$@"
    sshd_conf
    make_deb target/packages veilid-cli 0.3.4 amd64
}

inbox_is_empty() {
    [ -z "$(ls -A "$SSHD_INBOX")" ] || die "in the inbox: $(ls -A "$SSHD_INBOX")"
}

one_drop() {
    [ "$(ls -A "$SSHD_INBOX" | wc -l)" = 1 ] &&
        (cd "$SSHD_INBOX"/v0.3.4.amd64-deb.* && sha256sum --quiet -c SHA256SUMS) ||
        die "$(ls -A "$SSHD_INBOX")"
}

# ------------------------------------------------------------- accounts

# shadow_is FIELDS: what /etc/shadow says of the account, after its name.
shadow_is() {
    { grep -v "^$SSHD_USER:" "$T/shadow.before"; echo "$SSHD_USER:$1"; } \
        >"$SSHD_PLACE/shadow"
    chmod 600 "$SSHD_PLACE/shadow"
}

# As passwd -l leaves it, and chage -E; the key is right all the time.
test_an_account_that_is_locked() {
    prepare
    cp /etc/shadow shadow.before
    shadow_is '*:19000:0:99999:7:::'
    mount --bind "$SSHD_PLACE/shadow" /etc/shadow || {
        echo '# skip cannot mount a private /etc/shadow'
        return
    }
    sed -i "s/^\($SSHD_USER\):[^:]*:/\1:x:/" "$SSHD_PLACE/passwd"
    must send -r v0.3.4
    rm -r "${SSHD_INBOX:?}"/*
    shadow_is '!*:19000:0:99999:7:::'
    expect 77 "$SSHD_USER@.*:$SSHD_PORT: the server refuses the login with .*client-key" \
        send -r v0.3.4
    grep -q 'account is locked' "$SSHD_LOG" || die "$(tail -n 3 "$SSHD_LOG")"
    shadow_is '*:19000:0:99999:7::19001:'
    expect 77 'the server refuses the login' send -r v0.3.4
    grep -q 'expired' "$SSHD_LOG" || die "$(tail -n 3 "$SSHD_LOG")"
    inbox_is_empty
    shadow_is '*:19000:0:99999:7:::'
    must send -r v0.3.4
    one_drop
    umount /etc/shadow
    sed -i "s/^\($SSHD_USER\):[^:]*:/\1:*:/" "$SSHD_PLACE/passwd"
}

# The chroot's owner is wrong: sshd takes the key, and then hangs up, which
# looks like a line that was cut.
test_a_chroot_that_sshd_refuses() {
    prepare
    chown "$SSHD_UID" "$SSHD_CHROOT"
    expect 75 "$SSHD_USER@.*:$SSHD_PORT: the server closed the connection after the login .*a ChrootDirectory that not only root" send -r v0.3.4
    inbox_is_empty
    chown root "$SSHD_CHROOT"
    must send -r v0.3.4
    one_drop
}

test_an_inbox_that_is_read_only() {
    prepare
    mount --bind "$SSHD_INBOX" "$SSHD_INBOX" &&
        mount -o remount,bind,ro "$SSHD_INBOX" ||
        { echo '# skip cannot mount'; return; }
    expect 74 "make directory 'incoming/v0.3.4.*the server says" send -r v0.3.4
    inbox_is_empty
    umount "$SSHD_INBOX"
    # not ours
    chown root:root "$SSHD_INBOX"
    expect 77 "incoming.*permission denied" send -r v0.3.4
    # ours, and shut
    chown "$SSHD_UID" "$SSHD_INBOX"
    chmod 555 "$SSHD_INBOX"
    expect 77 "incoming.*permission denied" send -r v0.3.4
    chmod 755 "$SSHD_INBOX"
    inbox_is_empty
    must send -r v0.3.4
    one_drop
}

# No room for a name, where there is room for bytes.
test_a_disk_without_inodes() {
    prepare
    mount -t tmpfs -o "size=8m,nr_inodes=2,uid=$SSHD_UID" tmpfs "$SSHD_INBOX" ||
        { echo '# skip cannot mount a tmpfs'; return; }
    expect 74 "open 'incoming/v0.3.4.*the server says" send -r v0.3.4
    [ -z "$(find "$SSHD_INBOX" -mindepth 1 ! -path '*.part*')" ] || die 'it counts'
    mount -o remount,nr_inodes=100 "$SSHD_INBOX"
    must send -r v0.3.4
    one_drop
    umount "$SSHD_INBOX"
}

# ------------------------------------------------------------- host keys

# refused REGEX: and nothing has been asked of the account.
refused() {
    expect 77 "$1" send -r v0.3.4
    grep -qF -- "$OWN" err || die "no fingerprint: $(cat err)"
    inbox_is_empty
    grep -q 'Accepted publickey' "$SSHD_LOG" && die 'it has logged in'
    return 0
}

test_host_keys_under_other_names() {
    local other key right
    prepare
    OWN=$(ssh-keygen -l -f "$SSHD_PLACE/host.pub" | cut -d ' ' -f 2)
    other=$(cut -d ' ' -f 1,2 "$SSHD_PLACE/other.pub")
    key=$(cut -d ' ' -f 1,2 "$SSHD_PLACE/host.pub")
    right="[127.0.0.1]:$SSHD_PORT"
    # of another port, and of another host
    echo "[127.0.0.1]:$((SSHD_PORT + 1)) $key" >"$SSHD_HOSTS"
    refused 'is not known'
    echo "[127.0.0.2]:$SSHD_PORT,127.0.0.1 $key" >"$SSHD_HOSTS"
    refused 'is not known'
    # a pattern that denies it
    echo "!$right,[127.0.0.*]:$SSHD_PORT $key" >"$SSHD_HOSTS"
    refused 'is not known'
    # hashed: changed, and revoked
    echo "$right $other" >"$SSHD_HOSTS"
    ssh-keygen -q -H -f "$SSHD_HOSTS" 2>/dev/null
    refused 'it has changed to'
    { echo "@revoked $right $key"; echo "$right $key"; } >"$SSHD_HOSTS"
    ssh-keygen -q -H -f "$SSHD_HOSTS" 2>/dev/null
    refused 'is revoked'
    # revoked for everybody, under the name without the port
    { echo "$right $key"; echo "@revoked * $key"; } >"$SSHD_HOSTS"
    refused 'is revoked'
    # behind a comment
    echo "# $right $key" >"$SSHD_HOSTS"
    refused 'is not known'
    # a pattern is fine
    echo "[127.0.0.*]:* $key" >"$SSHD_HOSTS"
    must send -r v0.3.4
    one_drop
}

# The system's file knows it, the user's knows better, or the other way round.
test_two_files_of_host_keys() {
    local other key right ssh=$SSHD_PLACE/home/.ssh
    prepare
    OWN=$(ssh-keygen -l -f "$SSHD_PLACE/host.pub" | cut -d ' ' -f 2)
    other=$(cut -d ' ' -f 1,2 "$SSHD_PLACE/other.pub")
    key=$(cut -d ' ' -f 1,2 "$SSHD_PLACE/host.pub")
    right="[127.0.0.1]:$SSHD_PORT"
    sed -i '/^known-hosts/d' conf
    mkdir -p "$ssh"
    echo "GlobalKnownHostsFile $T/global" >"$ssh/config"
    echo "$right $key" >global
    echo "$right $other" >"$ssh/known_hosts"
    refused 'it has changed to'
    echo "@revoked $right $key" >"$ssh/known_hosts"
    refused 'is revoked'
    echo "$right $key" >"$ssh/known_hosts"
    echo "@revoked $right $key" >global
    refused 'is revoked'
    echo "$right $other" >global
    refused 'it has changed to'
    : >global
    must send -r v0.3.4
    one_drop
    rm -r "$ssh"
}

# A name with two addresses, of which the first does not answer: that failure
# was taken for one of the key, which only the agent can use.
test_a_name_with_two_addresses() {
    prepare
    printf '127.0.0.2 orchestration\n127.0.0.1 orchestration\n' >hosts
    # the order is not that of the file: getaddrinfo(3), gai.conf(5)
    printf 'precedence ::ffff:127.0.0.2/128 100\nprecedence ::/0 40\n' >gai.conf
    { mount --bind hosts /etc/hosts && [ -e /etc/gai.conf ] &&
        mount --bind gai.conf /etc/gai.conf; } ||
        { echo '# skip cannot mount a private /etc/hosts'; return; }
    [ "$(getent ahosts orchestration | awk '/STREAM/ {print $1; exit}')" = 127.0.0.2 ] ||
        die "$(getent ahosts orchestration)"
    sed -i 's/^host = .*/host = orchestration/' conf
    sed -i "s/^\[127.0.0.1\]/[orchestration]/" "$SSHD_HOSTS"
    must send -r v0.3.4
    ssh-keygen -q -p -N opensesame -f "$SSHD_KEY" >/dev/null
    expect 77 'has a passphrase' send -r v0.3.4
    env -u SSH_AUTH_SOCK ssh-agent -D -a "$T/agent" >/dev/null 2>&1 &
    PIDS+=($!)
    wait_for -p "${PIDS[-1]}" test -S agent || die 'no agent'
    printf '#!/bin/sh\necho opensesame\n' >ask
    chmod 755 ask
    export SSH_AUTH_SOCK=$T/agent
    DISPLAY=x SSH_ASKPASS_REQUIRE=force SSH_ASKPASS=$T/ask \
        ssh-add -q "$SSHD_KEY" 2>/dev/null || die 'no key in the agent'
    must send -r v0.3.4
    one_drop
    umount /etc/hosts /etc/gai.conf
}

# ------------------------------------------------------------ the sandbox

# A proxy of ~/.ssh/config works in it, and can write no file.
test_a_proxy_is_in_the_sandbox() {
    prepare
    mkdir -p "$SSHD_PLACE/home/.ssh"
    cat >relay.py <<'PY'
import os, socket, sys, threading
try:
    open(sys.argv[2], "w").close()
except OSError:
    pass
line = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def up():
    while data := os.read(0, 65536):
        line.sendall(data)
    line.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := line.recv(65536):
    while data:
        data = data[os.write(1, data):]
PY
    printf 'Host *\nProxyCommand /usr/bin/python3 -B %s %%p %s\n' \
        "$T/relay.py" "$T/written" >"$SSHD_PLACE/home/.ssh/config"
    expect 0 "connecting by '/usr/bin/python3" send -v -v -r v0.3.4
    rm -r "$SSHD_PLACE/home/.ssh"
    one_drop
    grep -q 'no Landlock' err || [ ! -e written ] || die 'it has written'
}

# --------------------------------------------------------------- secrets

# What it writes, runs, and hands to what it runs, by the kernel's own account;
# the key has a passphrase in one of the runs, and the agent has it.
test_no_secret_in_any_call() {
    command -v strace >/dev/null || { echo '# skip strace is not installed'; return; }
    prepare
    local words run
    # all lines of the key but those that every key begins with
    sed '1d;$d' "$SSHD_KEY" | tail -n +2 | grep -oE '.{24}' >words
    [ -s words ] || die 'no words'
    for run in "-r v0.3.4" "-v -v -r v0.3.4" "-v -v -n -r v0.3.4" \
        "-v -v --json -r v0.3.4 -o orchestrator.port=1" \
        "-v -v -r v0.3.4 -o orchestrator.user=root"; do
        # shellcheck disable=SC2086
        ASAN_OPTIONS=detect_leaks=0 strace -f -qq -s 1000000 -o calls \
            -e trace=execve,write,writev,sendto,sendmsg,openat,pwrite64,rename \
            "$BUILD/bin/scp-to-orchestrator" -c conf $run >out 2>err
        [ -s calls ] || die 'no calls'
        words=$(grep -Fl -f words out err)
        [ -z "$words" ] || die "it tells the key: $words"
        grep -vE '^[0-9]+ +openat' calls | grep -Fq -f words &&
            die "the key is written: $run"
        # it makes no file at all
        grep -E 'O_CREAT' calls | grep -v '/dev/shm\|"/dev/null"' | grep . &&
            die "a file is made: $run"
        [ "$(grep -c execve calls)" = 1 ] || die "it runs something: $(grep execve calls)"
    done
    # the test would see it
    ASAN_OPTIONS=detect_leaks=0 strace -f -qq -s 1000000 -o calls \
        -e trace=write head -c 9999 "$SSHD_KEY" >out
    grep -Fq -f words calls || die 'it would not be seen'
}

run_tests
