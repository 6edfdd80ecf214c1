# The machines of a release, set up as veilid-cicd(7) says: build orchestration
# with a simulated DigitalOcean and GitLab, the repository server, the build
# machines, registries, and a user. Sourced, after tests/e2e/lib.sh, with all that
# it needs.
#
#   release_world [BUILD...]   all of them; by default for the three builds
#   has_runner TAG             a machine whose runner has that tag is online
#   machine_of TAG             the machine behind a tag of .gitlab-ci.yml
#   URL                        where the repository server serves
#   SECURE_FILES               set before: a directory, GitLab's secure files
# shellcheck shell=bash

WORLD_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/e2e/cloud.sh
. "$WORLD_LIB/../e2e/cloud.sh"
# shellcheck source=tests/world/world.sh
. "$WORLD_LIB/world.sh"
# shellcheck source=tests/world/registries.sh
. "$WORLD_LIB/registries.sh"

ORCHESTRATOR=orchestrator REPO=repo-server USER_MACHINE=user HOSTED=hosted
JOB_TOKEN=glcbt-0123456789abcdef
INBOX=/var/lib/veilid-cicd

release_world() {
    local build
    [ $# -gt 0 ] || set -- amd64-deb arm64-deb amd64-rpm
    WORLD_BUILDS=$*
    world_begin
    machine_add $ORCHESTRATOR 5
    machine_add $REPO 3
    machine_add $USER_MACHINE 9
    machine_add $HOSTED 8
    cp "$ROOT/tests/world/earthly" "$(place $HOSTED /usr/local/bin)"
    URL=http://$(address_of $REPO)$(colon "$(ports web)" 80)
    make_account $ORCHESTRATOR orchestrator
    make_account $REPO repo-server
    for build in "$@"; do make_build_machine "$build"; done
    make_orchestrator
    make_repo_server
    start_cloud
    start_registries
}

colon() { [ "$1" = "$2" ] || echo ":$1"; }

machine_of() {
    case $1 in
    build-orchestration) echo $ORCHESTRATOR ;;
    repo-server) echo $REPO ;;
    build-*) echo "$1" ;;
    *) return 1 ;;
    esac
}

# ------------------------------------------------- the accounts that receive

# make_account MACHINE NAME: sshd with the configuration that is shipped.
make_account() {
    local name=$1 account=$2 inbox
    inbox=$(place "$name" "$INBOX/$account/incoming")
    mkdir -p "$inbox" "$(place "$name" /etc/ssh/authorized_keys.d)" \
        "$(place "$name" /etc/ssh/sshd_config.d)" "$(place "$name" /run/sshd)"
    machine_owns "$name" "$INBOX/$account/incoming"
    sed -e "s,/var/lib/veilid-cicd,$(seen "$name" /var/lib/veilid-cicd)," \
        -e "s,/etc/ssh/,$(seen "$name" /etc/ssh/)," \
        -e "s,^Match User .*,Match User $(account_of_drops)," \
        "$ROOT/examples/sshd_config.d/veilid-cicd-$account.conf" \
        >"$(place "$name" "/etc/ssh/sshd_config.d/veilid-cicd.conf")"
    start_sshd "$name"
}

start_sshd() {
    local name=$1 etc log
    etc=$(place "$name" /etc/ssh)
    log=$(place "$name" /run/sshd.log)
    [ -e "$etc/host" ] || ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$etc/host"
    cat >"$etc/sshd_config" <<END
ListenAddress $(address_of "$name"):$(ports ssh)
HostKey $(seen "$name" /etc/ssh/host)
PidFile none
LogLevel VERBOSE
UsePAM no
Subsystem sftp internal-sftp
Include $(seen "$name" /etc/ssh/sshd_config.d)/*.conf
END
    [ "$WORLD" = namespaces ] || world_makes /run/sshd
    sshd_begin "$(seen "$name" /etc/ssh/sshd_config)" "$log" start_on "$name" ||
        die "sshd of $name: $(cat "$log")"
    MACHINE_SSHD[$name]=${PIDS[-1]}
}

# machine_sshd NAME STOP|START: nobody gets in any more, and again.
declare -A MACHINE_SSHD
machine_sshd() {
    case $2 in
    STOP) kill "${MACHINE_SSHD[$1]}"; wait "${MACHINE_SSHD[$1]}" 2>/dev/null ;;
    START) start_sshd "$1" ;;
    esac
}

# give_key FROM TO ACCOUNT: FROM may send to TO, whose host key it knows.
give_key() {
    local from=$1 to=$2 account=$3 ssh key host
    ssh=$(place "$from" "/home/$WORLD_USER/.ssh")
    key=$ssh/$account
    mkdir -p "$ssh"
    ssh-keygen -q -t ed25519 -N '' -C "$from" -f "$key"
    host=$(address_of "$to")
    [ "$(ports ssh)" = 22 ] || host="[$host]:$(ports ssh)"
    echo "$host $(cut -d ' ' -f 1,2 "$(place "$to" /etc/ssh/host.pub)")" \
        >>"$ssh/known_hosts"
    echo "restrict,from=\"$(source_of "$from")\" $(cat "$key.pub")" \
        >>"$(place "$to" "/etc/ssh/authorized_keys.d/veilid-cicd-$account")"
    chmod 700 "$ssh"
    machine_owns "$from" "/home/$WORLD_USER/.ssh"
}

source_of() {
    case $WORLD in
    namespaces) address_of "$1" ;;
    loopback) echo 127.0.0.0/8 ;;
    esac
}

account_of_drops() {
    case $WORLD in
    namespaces) echo "$WORLD_USER" ;;
    loopback) id -un ;;
    esac
}

# conf_remote MACHINE SECTION OF: where MACHINE sends what, for its configuration.
conf_remote() {
    local home
    home=$(seen "$1" "/home/$WORLD_USER")
    cat <<END
[$2]
host = $(address_of "$3")
$([ "$(ports ssh)" = 22 ] || echo "port = $(ports ssh)")
user = $(account_of_drops)
identity-file = $home/.ssh/$2
known-hosts = $home/.ssh/known_hosts
END
}

# ------------------------------------------------------------ the machines

CONF_RELEASE='[release]
builds = %s
packages = veilid-server veilid-cli
'

make_build_machine() {
    local name=build-$1
    machine_add "$name" $((${#MACHINE_ADDRESS[@]} + 10))
    give_key "$name" $ORCHESTRATOR orchestrator
    {
        # shellcheck disable=SC2059
        printf "$CONF_RELEASE" "$WORLD_BUILDS"
        conf_remote "$name" orchestrator $ORCHESTRATOR
    } >"$(place "$name" /etc/veilid-cicd.conf)"
    make_builders "$name"
}

# Earthly always has its stand-in. cargo and twine have theirs where they are
# not installed, or where PUBLISHERS is "stand-ins", which are faster.
make_builders() {
    local bin here=$ROOT/tests/world
    bin=$(place "$1" /usr/local/bin)
    cp "$here/earthly" "$bin"
    if [ "${PUBLISHERS:-}" != stand-ins ] && [ -x /usr/bin/cargo ] &&
        [ -x /usr/bin/twine ] && [ -x /usr/bin/pyproject-build ]; then
        return
    fi
    cp "$here/cargo" "$here/twine" "$bin"
    cp "$here/twine" "$bin/pyproject-build"
}

make_orchestrator() {
    local o=$ORCHESTRATOR home conf build
    home=$(seen $o "/home/$WORLD_USER")
    conf=$(place $o /etc/veilid-cicd.conf)
    give_key $o $REPO repo-server
    make_key main
    (umask 077
        cp "$KEYS/main" "$(place $o "/home/$WORLD_USER/veilid-packages-key.private")"
        echo "$CLOUD_TOKEN" >"$(place $o "/home/$WORLD_USER/digitalocean-token")"
        echo "$CLOUD_GITLAB_TOKEN" >"$(place $o "/home/$WORLD_USER/gitlab-token")")
    machine_owns $o "/home/$WORLD_USER"
    {
        # shellcheck disable=SC2059
        printf "$CONF_RELEASE" "$WORLD_BUILDS"
        cat <<END
[suite stable]
origin = packages.rehearsal.example
description = Rehearsed packages
[suite nightly]
origin = packages.rehearsal.example
description = Rehearsed packages of every night
[repository]
state = $home/veilid-cicd
inbox = $(seen $o $INBOX/orchestrator/incoming)
url = $URL
END
        conf_remote $o repo-server $REPO
        cat <<END
[digitalocean]
api-url = CLOUD
token-file = $home/digitalocean-token
ssh-keys = 38852180 38632397 41187560
tags = build-machines build-orchestration
[gitlab]
url = CLOUD
token-file = $home/gitlab-token
project = $CLOUD_PROJECT
[enrol]
earthly-sha256 = $(printf '%064d' 7)
END
        for build in $WORLD_BUILDS; do
            printf '[machine %s]\nimage = build-%s\nrunner-tags = build-%s\nuser-data = enrol\n' \
                "$build" "$build" "$build"
        done
    } >"$conf"
}

make_repo_server() {
    local r=$REPO
    cp "$KEYS/main.asc" "$(place $r /etc/veilid-packages-key.public)"
    machine_owns $r /srv
    cat >"$(place $r /etc/veilid-cicd.conf)" <<END
[deploy]
root = $(seen $r /srv)
inbox = $(seen $r $INBOX/repo-server/incoming)
trusted-key = $(seen $r /etc/veilid-packages-key.public)
url = $URL
END
    start_web
}

# nginx with the server that is shipped.
start_web() {
    local r=$REPO dir
    dir=$(seen $r /run)
    cat >"$(place $r /run/nginx.conf)" <<END
daemon off; master_process off; pid $dir/nginx.pid; error_log $dir/web.err info;
user root; worker_processes 1;
events { worker_connections 64; }
http { access_log $dir/web.log; client_body_temp_path $dir/a;
proxy_temp_path $dir/b; fastcgi_temp_path $dir/c; uwsgi_temp_path $dir/d;
scgi_temp_path $dir/e;
$(web_site "$(address_of $r):$(ports web)" "$(seen $r /srv)")
}
END
    start_on $r nginx -c "$dir/nginx.conf" -e "$dir/web.err" 2>/dev/null
    wait_for -p "${PIDS[-1]}" test -s "$(place $r /run/nginx.pid)" ||
        die "nginx: $(tail -n 3 "$(place $r /run/web.err)")"
}

# The API is served on build orchestration itself: without TLS, the tool talks
# to loopback alone.
start_cloud() {
    CLOUD_CLOCK=real CLOUD_IN=${MACHINE_PID[$ORCHESTRATOR]:-here} cloud_start --boot-seconds 1 \
        --job-token "$JOB_TOKEN" ${SECURE_FILES:+--secure-files "$SECURE_FILES"}
    sed -i "s,CLOUD\$,$CLOUD," "$(place $ORCHESTRATOR /etc/veilid-cicd.conf)"
}

# Of crates and of Python packages, on the build machine that publishes: without
# TLS, cargo too talks to loopback alone. Sets JOB_VARIABLES, what GitLab would
# hand to the jobs; the tokens are protected variables there.
start_registries() {
    local home variable
    # shellcheck disable=SC2034  # for registries.sh
    [ "$WORLD" = loopback ] ||
        REGISTRY_WAY=(nsenter -t "${MACHINE_PID[build-amd64-deb]}" -n)
    registries_start
    home=/home/$WORLD_USER
    mkdir -p "$(place build-amd64-deb "$home/.cargo")"
    cp "$T/cargo/config.toml" "$(place build-amd64-deb "$home/.cargo")"
    machine_owns build-amd64-deb "$home"
    JOB_VARIABLES=("CARGO_REGISTRY_TOKEN=$CRATES_TOKEN" "TWINE_PASSWORD=$PYTHON_TOKEN")
    for variable in "${REGISTRY_ENV[@]}"; do
        case $variable in CARGO_HOME=*) ;; *) JOB_VARIABLES+=("$variable") ;; esac
    done
}

# has_runner TAG: GitLab has one that is online and takes jobs with that tag.
has_runner() {
    cloud_runners | awk -v tag="$1" '$2 == "online" && $3 == "active" &&
        index(" " $0 " ", tag) { found = 1 } END { exit !found }'
}

# checkout DIR VERSION: the sources of that version, as far as jobs read them.
checkout() { bash "$ROOT/tests/world/sample.sh" "$1" "$2"; }
