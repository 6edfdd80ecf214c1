# The machines of a release, as namespaces of this one: each has a network
# address, an /etc, a /home, a /srv, a /run, a /var/lib of its own, the tools in
# /usr/local/bin, and a user gitlab-runner. Sourced, after tests/e2e/lib.sh.
#
#   world_begin              $W, where all of it lies
#   machine_add NAME ADDRESS one more: 10.116.0.ADDRESS
#   on NAME COMMAND...       a program there, as gitlab-runner; functions cannot
#   as_root_on NAME COMMAND...
#   start_on NAME COMMAND... the same, in the background; ends with the world
#   address_of NAME
#   place NAME PATH          where the machine's PATH lies, seen from here
#   seen NAME PATH           what the machine itself calls its PATH
#   ports SERVICE            ssh 22, web 80
#   world_end                all of it is gone
#
# Where namespaces cannot be made, as in a container without rights, a machine
# is a directory and an address of loopback, and its user is ours; what it
# calls its files has the directory in front. WORLD says which: "namespaces" or
# "loopback".
# shellcheck shell=bash

WORLD_USER=gitlab-runner
WORLD_UID=64123
WORLD_PLACES='etc home root srv run tmp var/lib usr/local'

declare -A MACHINE_PID MACHINE_ADDRESS
WORLD_SWITCH=

# Everything that a machine consists of, once, in a namespace that goes again.
world_has_namespaces() {
    [ "$VC_PRIVATE" = yes ] && [ "$(id -u)" = 0 ] && unshare -n -m bash -c '
        ip link add name br0 type bridge && ip link set br0 up &&
        ip link add name m1 type veth peer name m2 && ip link set m1 master br0 &&
        mount -t tmpfs -o size=1m tmpfs /mnt &&
        mount --bind /mnt /srv' >/dev/null 2>&1
}

world_begin() {
    [ "$(id -u)" = 0 ] || die 'this needs root, for an sshd with a chroot'
    if [ "${WORLD:-}" != loopback ] && world_has_namespaces; then
        WORLD=namespaces
        world_begin_namespaces
    else
        WORLD=loopback
        world_begin_loopback
    fi
}

# A chroot of sshd must lie beneath directories that root alone can change.
world_begin_namespaces() {
    mountpoint -q /mnt || mount -t tmpfs -o mode=755 tmpfs /mnt ||
        die 'cannot mount a private /mnt'
    W=$(mktemp -d /mnt/world.XXXXXX)
    chmod 755 "$W"
    WORLD_NET=10.116.0
    unshare -n sleep infinity &
    WORLD_SWITCH=$!
    PIDS+=("$WORLD_SWITCH")
    world_await_namespace "$WORLD_SWITCH" net
    nsenter -t "$WORLD_SWITCH" -n sh -c \
        'ip link add name br0 type bridge && ip link set br0 up' ||
        die 'cannot make a bridge'
}

world_begin_loopback() {
    W=$(mktemp -d /run/veilid-cicd-world.XXXXXX) || die 'no place in /run'
    chmod 755 "$W"
    WORLD_NET=127.$((RANDOM % 200 + 32)).$((RANDOM % 250 + 1))
}

# unshare(1) has not done it yet when it is only just running.
world_await_namespace() {
    until [ "$(readlink "/proc/$1/ns/$2")" != "$(readlink "/proc/self/ns/$2")" ]; do
        kill -0 "$1" 2>/dev/null || die 'no namespace'
        pause 0.01
    done
}

ports() {
    case $WORLD:$1 in
    namespaces:ssh) echo 22 ;;
    namespaces:web) echo 80 ;;
    # the addresses are ours alone, and of the ports some may be taken for all
    loopback:ssh) echo 20022 ;;
    loopback:web) echo 20080 ;;
    esac
}

address_of() { echo "$WORLD_NET.${MACHINE_ADDRESS[$1]}"; }

place() { echo "$W/$1$2"; }

seen() {
    case $WORLD in
    namespaces) echo "$2" ;;
    loopback) place "$1" "$2" ;;
    esac
}

# ------------------------------------------------------------ one machine

machine_add() {
    local name=$1 dir=$W/$1 place
    MACHINE_ADDRESS[$name]=$2
    for place in $WORLD_PLACES; do mkdir -p "$dir/$place"; done
    mkdir -p "$dir/home/$WORLD_USER"
    chmod 1777 "$dir/tmp"
    install -D -t "$dir/usr/local/bin" "$BUILD"/bin/*
    if [ "$WORLD" = namespaces ]; then
        machine_etc "$dir"
        machine_start "$name" "$dir"
    fi
    machine_owns "$name" /home/$WORLD_USER
}

# machine_owns NAME PATH...: they are the runner's.
machine_owns() {
    local name=$1 path
    shift
    [ "$WORLD" = namespaces ] || return 0
    for path in "$@"; do
        chown -R "$WORLD_UID:$WORLD_UID" "$(place "$name" "$path")"
    done
}

machine_etc() {
    cp -a /etc/. "$1/etc"
    rm -rf "$1/etc/veilid-cicd.conf" "$1/etc/ssh"
    mkdir -p "$1/etc/ssh"
    {
        echo "$WORLD_USER:*:$WORLD_UID:$WORLD_UID::/home/$WORLD_USER:/bin/bash"
        grep -v "^$WORLD_USER:" /etc/passwd
    } >"$1/etc/passwd"
    {
        echo "$WORLD_USER:x:$WORLD_UID:"
        grep -v "^$WORLD_USER:" /etc/group
    } >"$1/etc/group"
}

machine_start() {
    local name=$1 dir=$2 pid
    # shellcheck disable=SC2016,SC2086
    unshare -n -m bash -c 'dir=$1; shift
        for place; do mount --bind "$dir/$place" "/$place" || exit; done
        exec sleep infinity' - "$dir" $WORLD_PLACES &
    pid=$!
    PIDS+=("$pid")
    MACHINE_PID[$name]=$pid
    world_await_namespace "$pid" net
    until [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = sleep ]; do
        kill -0 "$pid" 2>/dev/null || die "the machine $name does not start"
        pause 0.01
    done
    machine_wire "$name" "$pid"
}

machine_wire() {
    local port=m${MACHINE_ADDRESS[$1]}
    nsenter -t "$WORLD_SWITCH" -n ip link add name "$port" type veth \
        peer name eth0 netns "$2" &&
        nsenter -t "$WORLD_SWITCH" -n ip link set "$port" master br0 up &&
        nsenter -t "$2" -n sh -c "ip link set lo up &&
            ip addr add $(address_of "$1")/24 dev eth0 && ip link set eth0 up" ||
        die "no network for $1"
}

# ---------------------------------------------------------------- in there

on() {
    machine_command "$WORLD_UID" "/home/$WORLD_USER" "$@"
    "${MACHINE_COMMAND[@]}"
}

as_root_on() {
    machine_command 0 /root "$@"
    "${MACHINE_COMMAND[@]}"
}

start_on() {
    machine_command 0 /root "$@"
    "${MACHINE_COMMAND[@]}" &
    PIDS+=($!)
}

# Sets MACHINE_COMMAND. Of our environment only WITH goes with it, an array of
# NAME=VALUE; it begins in IN, else at home.
machine_command() {
    local uid=$1 home=$2 name=$3 enter=() conf=()
    local path=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    shift 3
    if [ "$WORLD" = namespaces ]; then
        # of a chroot, -m alone would leave the root directory behind
        enter=(nsenter -t "${MACHINE_PID[$name]}" -n -m -r)
        [ "$uid" = 0 ] || enter+=(setpriv --reuid "$uid" --regid "$uid" --clear-groups)
    else
        home=$(place "$name" "$home")
        path=$(place "$name" "$path")
        conf=("VEILID_CICD_CONF=$(place "$name" /etc/veilid-cicd.conf)")
    fi
    MACHINE_COMMAND=("${enter[@]}" env -i -C "${IN:-$home}" "HOME=$home"
        "USER=$WORLD_USER" "LOGNAME=$WORLD_USER" "PATH=$path" LC_ALL=C.UTF-8
        "${conf[@]}" "${WITH[@]}" "$@")
}
WITH=()

# world_makes DIR: outside of $W, and gone with it.
world_makes() { mkdir "$1" 2>/dev/null && WORLD_MADE+=("$1"); }
WORLD_MADE=()

# Who works in a machine, and was not begun by us: dnf leaves a gpg-agent for
# each of its key rings. A machine's mount namespace has nobody else in it.
workers_of_machines() {
    local pid namespace
    for pid in "${MACHINE_PID[@]}"; do
        namespace=$(readlink "/proc/$pid/ns/mnt") || continue
        find /proc/[0-9]*/ns/mnt -maxdepth 0 -lname "${namespace//[][]/?}" 2>/dev/null |
            cut -d / -f 3
    done
}

# The processes end with PIDS, the namespaces with them.
world_end() {
    local pid
    for pid in $(workers_of_machines); do kill "$pid" 2>/dev/null; done
    for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${PIDS[@]}"; do wait "$pid" 2>/dev/null; done
    PIDS=()
    rm -rf "$W" "${WORLD_MADE[@]}"
}
