# A real sshd for tests of what goes from machine to machine: on loopback, with
# the configuration that examples/sshd_config.d ships. Sourced, after lib.sh.
#
#   sshd_start NAME [LINE...]   starts the one of veilid-cicd-NAME.conf, with
#                               more lines for all accounts. It ends with the
#                               test. Sets SSHD_PORT, SSHD_PID, and
#                               SSHD_INBOX   as it lies on the disk here
#                               SSHD_CHROOT  above it
#                               SSHD_CONF    what sshd reads
#                               SSHD_HOSTS   known_hosts, with its key
#                               SSHD_KEY     the secret key that may log in
#                               SSHD_LOG     what sshd says
#                               SSHD_FILES   what its sftp says of files
#   sshd_conf [SECTION]         adds [orchestrator], or what is said, to $T/conf
#   sshd_forget                 SSHD_FILES is empty from now on
#   sshd_kill, sshd_again       it is gone, with its sessions; it is back
#
# A chroot must lie beneath directories of root's alone, which /tmp is not; the
# account needs a name and a home; and libssh reads ~/.ssh/config, where ~ is
# what /etc/passwd says. So /run and /etc/passwd are private to the test file:
# the mount namespace that lib.sh has made is gone with it. Where there is none,
# for lack of rights, these tests are skipped.
# shellcheck shell=bash

SSHD_EXAMPLES=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../examples/sshd_config.d" &&
    pwd)
SSHD_USER=gitlab-runner
SSHD_UID=64123
SSHD_PLACE=/run/veilid-cicd-test

# Once for each test file.
sshd_prepare() {
    local kind
    mount -t tmpfs -o mode=755 tmpfs /run || return
    mkdir -p "$SSHD_PLACE/home" /run/sshd
    {
        echo "$SSHD_USER:*:$SSHD_UID:$SSHD_UID::/home/$SSHD_USER:/bin/bash"
        grep -v "^$SSHD_USER:" /etc/passwd |
            sed "s,^\(root:[^:]*:0:0:[^:]*\):[^:]*:,\1:$SSHD_PLACE/home:,"
    } >"$SSHD_PLACE/passwd"
    mount --bind "$SSHD_PLACE/passwd" /etc/passwd || return
    for kind in host other client stranger; do
        ssh-keygen -q -t ed25519 -N '' -C "$kind" -f "$SSHD_PLACE/$kind"
    done
    ssh-keygen -q -t ecdsa -N '' -C host -f "$SSHD_PLACE/host-ecdsa"
}

SSHD_WHY_NOT=
if [ "$VC_PRIVATE" != yes ] || [ "$(id -u)" != 0 ]; then
    SSHD_WHY_NOT='needs root, for an sshd with a chroot'
elif [ ! -x /usr/sbin/sshd ]; then
    SSHD_WHY_NOT='openssh-server is not installed'
elif ! sshd_prepare; then
    SSHD_WHY_NOT='cannot mount a private /run and /etc/passwd'
fi

# The example, for what is here: nothing but ports, paths and users differs.
sshd_example() {
    sed -e "s,/var/lib/veilid-cicd/$1,$SSHD_CHROOT," \
        -e "s,/etc/ssh/authorized_keys.d,$SSHD_DIR/keys," \
        -e "s,^Match User .*,Match User $SSHD_USER," \
        "$SSHD_EXAMPLES/veilid-cicd-$1.conf"
}

# What other tests have sent takes memory.
sshd_tidy() {
    local dir name
    for dir in "$SSHD_PLACE"/vc.*; do
        name=${dir##*/}
        [ -e "/tmp/${name%.*}" ] || rm -rf "$dir"
    done
}

sshd_start() {
    local name=$1
    shift
    [ -z "$SSHD_WHY_NOT" ] || { echo "# skip $SSHD_WHY_NOT"; exit 0; }
    sshd_tidy
    SSHD_DIR=$SSHD_PLACE/${T##*/}.$name
    SSHD_CHROOT=$SSHD_DIR/chroot
    SSHD_INBOX=$SSHD_CHROOT/incoming
    SSHD_CONF=$SSHD_DIR/sshd_config
    SSHD_HOSTS=$T/known_hosts.$name
    SSHD_KEY=$T/client-key
    SSHD_LOG=$T/sshd.$name.log
    SSHD_FILES=$T/sftp.$name.log
    mkdir -p "$SSHD_INBOX" "$SSHD_CHROOT/dev" "$SSHD_DIR/keys"
    chown "$SSHD_UID:$SSHD_UID" "$SSHD_INBOX"
    cp "$SSHD_PLACE/client.pub" "$SSHD_DIR/keys/veilid-cicd-$name"
    (umask 077; cp "$SSHD_PLACE/client" "$SSHD_KEY")
    sshd_example "$name" >"$SSHD_DIR/example"
    sshd_listen_to_files
    on_a_port sshd_try "$@" || die "sshd does not start: $(tail -n 3 "$SSHD_LOG")"
    echo "[127.0.0.1]:$SSHD_PORT $(cut -d ' ' -f 1,2 "$SSHD_PLACE/host.pub")" \
        >"$SSHD_HOSTS"
}

sshd_try() {
    SSHD_PORT=$PORT
    cat >"$SSHD_CONF" <<END
Port $SSHD_PORT
ListenAddress 127.0.0.1
HostKey $SSHD_PLACE/host
PidFile none
LogLevel VERBOSE
UsePAM no
Subsystem sftp ${SSHD_SFTP:-/usr/lib/openssh/sftp-server}
$(printf '%s\n' "$@")
Include $SSHD_DIR/example
END
    /usr/sbin/sshd -t -f "$SSHD_CONF" 2>"$SSHD_LOG" ||
        die "sshd does not take it: $(cat "$SSHD_LOG")"
    sshd_run
}

sshd_run() {
    sshd_begin "$SSHD_CONF" "$SSHD_LOG" in_background || return
    SSHD_PID=${PIDS[-1]}
}

# The syslog of the chroot.
sshd_listen_to_files() {
    : >"$SSHD_FILES"
    /usr/bin/python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    line = s.recv(8192).decode(errors="replace")
    with open(sys.argv[2], "a") as f:
        print(line.rstrip("\n\0"), file=f)' \
        "$SSHD_CHROOT/dev/log" "$SSHD_FILES" &
    PIDS+=($!)
    wait_for -p "${PIDS[-1]}" test -S "$SSHD_CHROOT/dev/log" || die 'no syslog'
    chmod 666 "$SSHD_CHROOT/dev/log"
}

sshd_forget() { : >"$SSHD_FILES"; }

sshd_conf() {
    cat >>"$T/conf" <<END
[${1:-orchestrator}]
host = 127.0.0.1
port = $SSHD_PORT
user = $SSHD_USER
identity-file = $SSHD_KEY
known-hosts = $SSHD_HOSTS
END
}

# Ends it with all its sessions, as a machine that goes down; and again.
sshd_kill() {
    local pid pids=("$SSHD_PID") i
    for ((i = 0; i < ${#pids[@]}; i++)); do
        for pid in $(pgrep -P "${pids[i]}"); do pids+=("$pid"); done
    done
    # one may end by itself meanwhile
    kill -9 "${pids[@]}" 2>/dev/null
    wait "$SSHD_PID" 2>/dev/null
}

sshd_again() { sshd_run || die "sshd does not start again"; }
