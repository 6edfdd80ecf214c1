# The machines of veilid-cicd(7), as Debian has just been installed on them; their
# set-up, step by step as the manual has it; releases, and users who follow them.
# Sourced, after lib.sh, rpms.sh, world.sh and manual.sh.
#
#   set_up              orchestrator, repo-server, build and client are ready
#   fresh NAME ADDRESS  one of them anew; lose NAME: it is gone
#   release VERSION     from the build machine to the web
#   user_of_apt, user_of_dnf, users_upgrade_to VERSION
#
# The test is skipped where there are no namespaces.
# shellcheck shell=bash

SITE=https://packages.example.org

# ------------------------------------------------------------ the machines

# What stands for programs that are not here: what they were told is in
# /run/told, and of systemctl a little is done.
stand_ins() {
    local bin
    bin=$(place "$1" /usr/local/bin)
    cat >"$bin/systemctl" <<'END'
#!/bin/bash
echo "systemctl $*" >>/run/told
case $* in
'reload ssh') kill -HUP "$(cat /run/sshd.pid)" ;;
'reload nginx') kill -HUP "$(cat /run/nginx.pid)" ;;
'enable --now '*)
    for timer in "${@:3}"; do
        [ -e "/etc/systemd/system/$timer" ] &&
            [ -e "/etc/systemd/system/${timer%.timer}.service" ] || exit 5
    done ;;
esac
END
    cat >"$bin/gitlab-runner" <<'END'
#!/bin/bash
echo "gitlab-runner $*" >>/run/told
[ -n "$CI_SERVER_TOKEN" ] && case $* in *"$CI_SERVER_TOKEN"*) exit 1 ;; esac
END
    printf '#!/bin/bash\necho "apt-get $*" >>/run/told\n' >"$bin/apt-get"
    chmod 755 "$bin"/{systemctl,gitlab-runner,apt-get}
}

# fresh NAME ADDRESS: a machine that Debian has just been installed on.
fresh() {
    local etc kind
    machine_add "$1" "$2"
    cp -a "$T/installed/usr/local/." "$(place "$1" /usr/local)"
    etc=$(place "$1" /etc)
    sed -i "/^$WORLD_USER:/d" "$etc/passwd" "$etc/group"
    rm -r "$(place "$1" "/home/$WORLD_USER")"
    echo '10.116.0.3 packages.example.org' >>"$etc/hosts"
    as_root_on "$1" sh -c 'for place in log cache backups; do
        mount -t tmpfs -o mode=755 tmpfs /var/$place; done' || die mount
    cp /usr/share/openssh/sshd_config "$etc/ssh"
    mkdir -p "$etc/ssh/sshd_config.d" "$(place "$1" /run/sshd)"
    for kind in ed25519 ecdsa; do
        ssh-keygen -q -t $kind -N '' -f "$etc/ssh/ssh_host_${kind}_key"
    done
    stand_ins "$1"
    [ "$1" = client ] || start_and_wait "$1" /run/sshd.pid /usr/sbin/sshd -D -e
}

# lose MACHINE: all of it, but for what never changes.
lose() {
    local pid=${MACHINE_PID[$1]} dir
    as_root_on "$1" sh -c 'for f in /run/sshd.pid /run/nginx.pid; do
        [ ! -e $f ] || kill "$(cat $f)"; done'
    kill "$pid"
    wait "$pid" 2>/dev/null
    dir=$(place "$1" '')
    rm -rf "$dir"
    # its wire goes with the last process that is in there
    until ! nsenter -t "$WORLD_SWITCH" -n ip link show "m${MACHINE_ADDRESS[$1]}" \
        >/dev/null 2>&1; do sleep 0.1; done
    for pid in "${MACHINE_PID[@]}"; do
        nsenter -t "$pid" -n ip neigh flush dev eth0 2>/dev/null
    done
}

start_and_wait() {
    local machine=$1 file=$2
    shift 2
    start_on "$machine" "$@" 2>>"$T/daemons"
    wait_for -p "${PIDS[-1]}" test -s "$(place "$machine" "$file")" ||
        die "$1: $(tail -n 3 "$T/daemons")"
}

fresh_repo_server() {
    fresh repo-server 3
    mkdir -p "$(place repo-server /var/lib/nginx)"
    as_root_on repo-server mkdir /var/log/nginx
    start_and_wait repo-server /run/nginx.pid nginx -g 'daemon off;'
}

# A user's machine, whose /usr is not ours. apt and dnf as they come.
fresh_client() {
    local etc lib
    fresh client 9
    etc=$(place client /etc) lib=$(place client /var/lib)
    rm -rf "$etc"/apt/{sources.list,sources.list.d,apt.conf.d,preferences.d}/* \
        "$etc"/apt/sources.list "$etc"/yum.repos.d "$etc"/zypp/repos.d
    mkdir -p "$lib"/dpkg/{info,updates,triggers} "$lib/apt/lists/partial" \
        "$etc/dnf/vars" "$etc/yum.repos.d" "$etc/zypp/repos.d"
    : >"$lib/dpkg/status"
    dpkg --print-foreign-architectures | sed '1i amd64' >"$lib/dpkg/arch"
    echo 9 >"$etc/dnf/vars/releasever"
    rm "$(place client /usr/local/bin)"/{apt-get,systemctl}
    over_usr as_root_on client || die overlay
    as_root_on client mkdir -p /var/cache/apt/archives/partial /var/log/apt
}

# over_usr WAY...: what is written to /usr from now on goes with the machine.
over_usr() {
    "$@" sh -c 'mount -t tmpfs tmpfs /media && mkdir /media/u /media/w && exec mount \
        -t overlay -o lowerdir=/usr,upperdir=/media/u,workdir=/media/w overlay /usr'
}

begin() {
    world_has_namespaces && over_usr unshare -m || {
        echo '# skip needs root, namespaces and overlays'
        exit 0
    }
    trap 'world_end; cleanup' EXIT
    must make -s -o all -C "$ROOT" install BUILD="$BUILD" DEPS=no DESTDIR="$T/installed"
    world_begin
    fresh orchestrator 5
    fresh_repo_server
    fresh build 7
    fresh_client
}

# paste NAME MACHINE: what the last step has printed.
paste() {
    cp "$T/out" "$T/pasted"
    follow "$@" <"$T/pasted"
}

# --------------------------------------------------- SETTING UP, as it stands

set_up_orchestrator() {
    follow account orchestrator
    follow places orchestrator
    follow digitalocean-token orchestrator <<<dop_v1_0123
    follow gitlab-token orchestrator <<<glpat-0123
    follow orchestrator-conf orchestrator
    echo glrt-0123 >token
    follow register orchestrator <token
    follow timers orchestrator
}

# A smaller one: each test makes some.
new_key() {
    MAP="s/rsa4096/rsa3072/;$MAP"
    follow signing-key orchestrator
    MAP=
    FINGERPRINT=$(grep -xE '[0-9A-F]{40}' out) || die "no fingerprint: $(cat out err)"
}

set_up_repo_server() {
    follow account repo-server
    follow places repo-server
    follow repo-server-conf repo-server
    follow public-key orchestrator
    paste trust repo-server
    follow certificate repo-server
    world_trusts
    follow web-server repo-server
    follow register repo-server <token
    follow timers repo-server
}

# How a certificate of the world's is known.
world_trusts() {
    local machine
    for machine in orchestrator repo-server client; do
        cat "$(place repo-server /etc/veilid-cicd/tls/fullchain.pem)" \
            >>"$(place $machine /etc/ssl/certs/ca-certificates.crt)"
    done
}

# Who may send to whom, and knows whom.
let_orchestrator_send() {
    follow generations-key orchestrator
    paste authorize-generations repo-server
}
know_repo_server() {
    follow repo-server-host-keys repo-server
    paste know-repo-server orchestrator
}
set_up_build_machine() {
    follow account build
    follow packages-key build
    paste authorize-packages orchestrator
    know_orchestrator
    follow build-conf build
}
know_orchestrator() {
    follow orchestrator-host-keys orchestrator
    paste know-orchestrator build
}

set_up() {
    begin
    set_up_orchestrator
    new_key
    set_up_repo_server
    let_orchestrator_send
    know_repo_server
    set_up_build_machine
}

# ------------------------------------------------------------ releases, users

# send_builds VERSION: from the one build machine, build by build.
send_builds() {
    local home build
    home=$(place build /home/gitlab-runner)
    make_release "p$1" "$1"
    make_rpm "p$1" veilid-server "$1"
    make_rpm "p$1" veilid-cli "$1"
    for build in _amd64.deb _arm64.deb .rpm; do
        rm -rf "$home/target"
        mkdir -p "$home/target/packages"
        cp "p$1"/*"$build" "$home/target/packages"
        MAP=s/v0.3.5/v$1/g
        follow resume build
        MAP=
    done
}

release() {
    send_builds "$1"
    MAP=s/v0.3.5/v$1/g
    follow resume orchestrator
    MAP=
    follow deploy repo-server
}

user_of_apt() {
    as_root_on client mkdir -p /etc/apt/sources.list.d
    must as_root_on client curl -fsSo /etc/apt/sources.list.d/veilid-stable.sources \
        $SITE/apt/veilid-stable.sources
    follow rekey-apt client
    grep -q "$FINGERPRINT" out || die "another key: $(cat out)"
    must as_root_on client apt-get install -y veilid-server
}

user_of_dnf() {
    follow rekey-dnf client < <(yes)
    must as_root_on client dnf -y install veilid-cli
}

has_deb() {
    local got
    got=$(as_root_on client dpkg-query -W -f '${Version}' veilid-server)
    [ "$got" = "$1" ] || die "veilid-server is $got, not $1"
}

has_rpm() {
    local got
    got=$(as_root_on client rpm -q --qf '%{version}' "${2:-veilid-cli}")
    [ "$got" = "$1" ] || die "${2:-veilid-cli} is $got, not $1"
}

# Both upgrade, without a warning.
users_upgrade_to() {
    must as_root_on client apt-get --error-on=any update
    must as_root_on client apt-get install -y --only-upgrade veilid-server
    ! grep -E '^[WE]:' err || die "apt warns"
    has_deb "$1"
    must as_root_on client dnf -y --refresh upgrade
    has_rpm "$1"
}

live() { readlink "$(place repo-server /srv/.releases/current)"; }
