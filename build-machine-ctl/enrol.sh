# Makes this machine a GitLab runner that builds with Earthly, at its first
# boot. Written by build-machine-ctl, which puts the first line and what is
# configured before this, and run by cloud-init; what it says is in
# /var/log/cloud-init-output.log.
# shellcheck shell=bash
# shellcheck disable=SC2154  # ttl, packages and so on stand before this
set -Eeuo pipefail

token_file=/run/build-machine.token
ready=/run/build-machine.ready
failed=/run/build-machine.failed
earthly=/usr/local/bin/earthly
work=
export HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

say() { printf 'enrol: %s\n' "$*"; }

# The first reason stays: those who called what failed know less.
fail() {
    say "failed: $*"
    [[ -e $failed ]] || printf '%s\n' "$*" >"$failed"
    exit 1
}

tidy() {
    rm -f "$token_file"
    [[ -z $work ]] || rm -rf "$work"
    [[ -e $ready || -e $failed ]] || echo 'ended early' >"$failed"
}
trap tidy EXIT
trap 'fail "line $LINENO: $BASH_COMMAND (status $?)"' ERR

# Networks and mirrors have bad minutes.
retry() {
    local n
    for n in 1 2 3 4 5; do
        "$@" && return
        say "attempt $n of 5 failed: $*"
        [[ $n == 5 ]] || sleep $((n * 10))
    done
    fail "gave up: $*"
}

fetch() {
    curl --fail --silent --show-error --location --proto '=https' \
        --globoff --connect-timeout 30 --max-time 900 --retry 2 \
        --output "$2" --url "$1"
}

# Recommended packages too: Debian 13 has the docker command in one.
apt_install() {
    apt-get -q -o DPkg::Lock::Timeout=300 update </dev/null &&
        apt-get -q -y -o DPkg::Lock::Timeout=300 \
            -o APT::Install-Recommends=true \
            -o Dpkg::Options::=--force-confold --allow-downgrades \
            install -- "$@" </dev/null
}

# Ends what the machine can do, not what it costs: one that is switched
# off is billed until it is deleted.
set_deadline() {
    local unit=build-machine-deadline
    if ((ttl > 0)) && ! systemctl -q is-active "$unit.timer"; then
        systemd-run --unit="$unit" --on-active="${ttl}s" \
            systemctl poweroff
    fi
}

# Machines made from one snapshot would share its runner's identity.
stop_runner() {
    systemctl stop gitlab-runner
    rm -f /etc/gitlab-runner/config.toml \
        /etc/gitlab-runner/.runner_system_id
}

is_installed() {
    # Docker's own package would have to go for Debian's.
    [[ $1 == docker.io ]] && command -v docker >/dev/null && return
    dpkg-query -W -f '${db:Status-Status}\n' -- "$1" 2>/dev/null |
        grep -qx installed
}

install_packages() {
    local name missing=()
    for name in "${packages[@]}"; do
        is_installed "$name" || missing+=("$name")
    done
    [[ ${#missing[@]} == 0 ]] || retry apt_install "${missing[@]}"
    for name in curl docker git; do
        command -v "$name" >/dev/null ||
            fail "no $name: its package must be in [enrol] packages"
    done
}

has_runner() {
    command -v gitlab-runner >/dev/null || return
    [[ -z $runner_version || $(dpkg-query -W -f '${Version}' \
        gitlab-runner 2>/dev/null) == "$runner_version" ]]
}

add_runner_repository() {
    local key=/etc/apt/keyrings/gitlab-runner codename
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    retry fetch "$runner_key_url" "$work/key"
    # apt goes by the name
    if grep -q '^-----BEGIN PGP' "$work/key"; then
        key+=.asc
    else
        key+=.gpg
    fi
    install -D -m 644 "$work/key" "$key"
    # Of GitLab's own script: apt refuses two keys for one repository.
    rm -f /etc/apt/sources.list.d/runner_gitlab-runner.*
    cat >/etc/apt/sources.list.d/gitlab-runner.sources <<END
Types: deb
URIs: $runner_repository
Suites: $codename
Components: main
Signed-By: $key
END
}

install_runner() {
    local v=${runner_version:+=$runner_version}
    add_runner_repository
    retry apt_install "gitlab-runner$v" \
        ${v:+"gitlab-runner-helper-images$v"}
}

has_hash() {
    sha256sum --check --status <<<"$earthly_sha256  $1"
}

install_earthly() {
    retry fetch "$earthly_url" "$work/earthly"
    has_hash "$work/earthly" ||
        fail "$earthly_url has not the SHA-256 $earthly_sha256"
    install -m 755 "$work/earthly" "$earthly"
}

# The token by the environment of this one command: command lines can
# be read by everyone.
register() {
    CI_SERVER_TOKEN=$(<"$token_file") gitlab-runner register \
        --non-interactive --url="$gitlab_url" --executor=shell \
        --description="$description" </dev/null
}

if [[ -e $ready ]]; then
    say 'this machine is a runner already'
    exit 0
fi
[[ -s $token_file ]] ||
    fail "no $token_file: a machine is enrolled once"
rm -f "$failed"
work=$(mktemp -d)
set_deadline
if command -v gitlab-runner >/dev/null; then stop_runner; fi

say 'packages'
install_packages
systemctl enable --now docker

say 'GitLab Runner'
has_runner || install_runner
stop_runner
usermod -aG docker gitlab-runner
home=$(getent passwd gitlab-runner | cut -d : -f 6)
# Debian's fails where there is no console, and with it every job.
rm -f "$home/.bash_logout"

say 'Earthly'
{ [[ -x $earthly ]] && has_hash "$earthly"; } || install_earthly
# As the user whose jobs need what it leaves in the home directory.
retry runuser -u gitlab-runner -- env HOME="$home" \
    "$earthly" bootstrap </dev/null

say 'registration'
retry register
systemctl enable gitlab-runner
systemctl start gitlab-runner
retry gitlab-runner verify
touch "$ready"
say 'ready'
