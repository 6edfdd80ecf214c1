#!/bin/bash
# What user-data prints makes a runner out of a machine: cloud-init accepts
# it and writes its files, and its script runs to the end, or to a failure
# that it owns up to.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

TOKEN=glrt-0123456789abcdefghij

user_data() { "$BUILD/bin/build-machine-ctl" -c "$T/conf" user-data "$@"; }

# configure KEY=VALUE...: of [enrol].
configure() {
    printf '[enrol]\n' >>"$T/conf"
    printf '%s\n' "$@" | sed 's/=/ = /' >>"$T/conf"
}

sha256_of() { sha256sum "$1" | cut -d ' ' -f 1; }
SHA256=$(printf '%064d' 1)

# script FILE: the script in the user-data, read by another YAML.
script() {
    python3 -c 'import sys, yaml
for f in yaml.safe_load(open(sys.argv[1]))["write_files"]:
    if f["permissions"] == "0700":
        sys.stdout.write(f["content"])' "$1"
}

# ------------------------------------------------------------------- the text

test_what_is_refused() {
    local key value
    expect 78 'earthly-sha256 is not set' user_data amd64-deb
    configure "earthly-sha256=$SHA256"
    expect 64 'usage: build-machine-ctl user-data BUILD' user_data
    expect 64 'usage' user_data amd64-deb arm64-deb
    expect 64 "'amd64' is not a build" user_data amd64
    for key in earthly-url runner-key-url; do
        expect 78 "amd64-deb: \[enrol\] $key = .*: must be https" \
            user_data amd64-deb -o "enrol.$key=http://example.org/x"
    done
    expect 78 '64 hexadecimal digits' user_data amd64-deb \
        -o enrol.earthly-sha256=abc
    # what ends a line in the script, in the .sources file, or in YAML
    for value in $'\n' $'\001' $'\177' $'\302\205' $'\342\200\250' \
        $'\357\273\277' $'\377'; do
        for key in enrol.packages= enrol.runner-repository=https:// \
            enrol.runner-version= gitlab.url=https://; do
            # between two words of a list a newline is a blank
            [ "$key$value" = $'enrol.packages=\n' ] ||
                expect 78 'control character or is not UTF-8' \
                    user_data amd64-deb -o "${key}x${value}x"
        done
    done
    expect 78 'more than the 65536' user_data amd64-deb \
        -o "enrol.packages=$(printf 'package-%05d ' {1..5000})"
}

# A build that is in no configuration is as good as another.
test_the_placeholder() {
    configure "earthly-sha256=$SHA256"
    expect 0 'glrt-REPLACE-ME stands for the token' user_data riscv64-deb
    grep -q '^    content: "glrt-REPLACE-ME"$' out || die "$(head out)"
    grep -q "description='build-server-riscv64-deb-tmp'" out || die "name"
    must user_data -q riscv64-deb
    [ ! -s err ] || die "-q says $(cat err)"
}

judge() {
    must cloud-init schema -c "$1"
    grep -q 'Valid' out || die "$(cat out err)"
    [ "$(head -n 1 "$1")" = '#cloud-config' ] || die "first line"
    script "$1" >script
    must bash -n script
    # what quoted values may look like
    must shellcheck -e SC2016,SC1003 script
}

test_cloud_init_and_shellcheck_accept_it() {
    configure "earthly-sha256=$SHA256"
    must user_data amd64-deb
    mv out plain
    judge plain
    ! grep -qE '\$' <(sed -n '/^ttl=/,/^$/p' script) || die "a value expands"
}

# The values as the script has them, after the shell has read them.
values() {
    # shellcheck disable=SC2016
    bash -c 'eval "$(sed -n "/^ttl=/,/^\$/p" "$1")"
        printf "%s\n" "$ttl" "$gitlab_url" "$runner_repository" \
            "$runner_key_url" "$runner_version" "$earthly_url" "${packages[@]}"
        ' bash "$1"
}

test_hostile_values_arrive_as_they_are() {
    local evil='a'\''b"c$HOME`touch-pwned`$(touch${IFS}pwned);&|<>(){}[]*?!#%\\e\n~é漢🙂'
    local url="https://example.org/$evil"
    local packages=("-oX" "--" ":" "a:" "#b" "'" "''" '"' "$evil" '*' '\' '!x'
        '&a' '%' '{' '[' '>' '|' '-' '?' '@' '`' '~' 'null' '0x1')
    configure "earthly-sha256=$SHA256"
    must user_data amd64-deb -o digitalocean.ttl=90m -o "gitlab.url=$url" \
        -o "enrol.runner-repository=$url" -o "enrol.runner-key-url=$url" \
        -o "enrol.runner-version=$evil" -o "enrol.earthly-url=$url" \
        -o "enrol.packages=${packages[*]}"
    mv out hostile
    judge hostile
    values script >got
    printf '%s\n' 5400 "$url" "$url" "$url" "$evil" "$url" "${packages[@]}" \
        >wanted
    must diff wanted got
    [ ! -e pwned ] && [ ! -e touch-pwned ] || die "it was run"
}

# --------------------------------------------------------------- a machine
#
# $T/box has the directories that the script changes; they are mounted over
# the real ones. Its commands are those in $T/fake: real ones that do no harm,
# and actors, which note how they were called.

REAL='bash sh env curl sha256sum install rm mktemp cat grep cut touch'
ACTORS='apt-get dpkg-query getent git runuser sleep systemctl systemd-run usermod'

write_actor() {
    cat >"$T/fake/actor" <<'END'
#!/bin/bash
# Knows who it is by its name. STATE/fail says how often a command fails.
name=${0##*/}
printf '%s %s\n' "$name" "$*" >>"$STATE/calls"
PATH=/usr/sbin:/usr/bin:/sbin:/bin
[[ "$name $*" == 'gitlab-runner register '* || -z ${CI_SERVER_TOKEN:-} ]] ||
    echo leak >>"$STATE/calls"
if read -r times what <"$STATE/fail" &&
    [[ "$name $*" == *$what* && $times -gt 0 ]]; then
    echo "$((times - 1)) $what" >"$STATE/fail"
    echo "$name: no" >&2
    exit 100
fi
installed() { grep -q "^$1 " "$STATE/installed"; }
case $name in
apt-get)
    [[ " $* " == *" install "* ]] || exit 0
    for package in "${@:$(for ((i = 1; i <= $#; i++)); do
        [ "${!i}" != -- ] || echo $((i + 1))
    done)}"; do
        echo "${package%%=*} ${package#*=}" >>"$STATE/installed"
        case $package in
        docker.io) ln -sf actor "$FAKE/docker" ;;
        gitlab-runner | gitlab-runner=*)
            ln -sf actor "$FAKE/gitlab-runner"
            install -D /dev/null /home/gitlab-runner/.bash_logout
            ;;
        esac
    done
    ;;
dpkg-query)
    package=${!#}
    installed "$package" || exit 1
    case "$*" in
    *Status*) echo installed ;;
    *) grep "^$package " "$STATE/installed" | cut -d ' ' -f 2 ;;
    esac
    ;;
getent) echo 'gitlab-runner:x:999:999::/home/gitlab-runner:/bin/bash' ;;
gitlab-runner)
    case $1 in
    register)
        [[ ! -e /etc/gitlab-runner/config.toml ]] || exit 1
        mkdir -p /etc/gitlab-runner
        echo "$CI_SERVER_TOKEN" >/etc/gitlab-runner/config.toml
        ;;
    esac
    ;;
runuser)
    [[ $1 == -u && $3 == -- ]] || exit 1
    shift 3
    exec "$@"
    ;;
systemctl) [[ $* != *is-active* ]] ;;
esac
END
    chmod 755 "$T/fake/actor"
}

write_earthly() {
    mkdir -p "$T/www"
    cat >"$T/www/earthly" <<'END'
#!/bin/bash
[[ $1 == bootstrap && $HOME == /home/gitlab-runner ]] || exit 1
touch "$HOME/bootstrapped"
echo earthly bootstrap >>"$STATE/calls"
END
    printf -- '-----BEGIN PGP PUBLIC KEY BLOCK-----\n' >"$T/www/key"
}

# An https server on loopback, whose certificate only we know: $HTTPS.
https_start() {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/tls.key" \
        -out "$T/tls.crt" -days 2 -subj /CN=127.0.0.1 \
        -addext subjectAltName=IP:127.0.0.1 2>/dev/null
    python3 - "$T" >"$T/port" 2>/dev/null <<'END' &
import functools, http.server, ssl, sys
top = sys.argv[1]
server = http.server.HTTPServer(("127.0.0.1", 0), functools.partial(
    http.server.SimpleHTTPRequestHandler, directory=top + "/www"))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(top + "/tls.crt", top + "/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
END
    PIDS+=($!)
    wait_for -p "${PIDS[-1]}" test -s "$T/port" || die "no https server"
    HTTPS=https://127.0.0.1:$(cat "$T/port")
}

# machine [KEY=VALUE...]: one that was never switched on; false if there is no
# right to mount.
machine() {
    local command
    unshare -m true 2>/dev/null || {
        echo '# skip no right to mount'
        return 1
    }
    mkdir -p box/{run,home,bin,sbin,etc/apt/sources.list.d} fake state
    cp /etc/{passwd,group,os-release} box/etc/
    # Debian 13's python3-requests, which cloud-init imports, reads it at once
    install -D -m 644 /etc/ssl/certs/ca-certificates.crt \
        box/etc/ssl/certs/ca-certificates.crt
    : >state/installed
    echo 0 >state/fail
    for command in $REAL; do ln -s "$(command -v "$command")" fake/; done
    write_actor
    for command in $ACTORS; do ln -s actor "fake/$command"; done
    write_earthly
    https_start
    configure "earthly-url=$HTTPS/earthly" "runner-key-url=$HTTPS/key" \
        "earthly-sha256=$(sha256_of www/earthly)" \
        runner-repository=https://runner.example.org/debian "$@"
}

# Has cloud-init itself write the files, and make the script of runcmd.
write_prepare() {
    cat >prepare.py <<'END'
import sys, yaml
from cloudinit import util
from cloudinit.config import cc_write_files
config = yaml.safe_load(open(sys.argv[1]))
cc_write_files.write_files("write_files", config["write_files"], "root:root")
open(sys.argv[2], "w").write(util.shellify(config["runcmd"]))
END
}

in_box() {
    # shellcheck disable=SC2016
    unshare -m bash -c 'cd "$1" && for d in run home etc usr/local/bin \
            usr/local/sbin; do
            mount --bind "box/${d##*/}" "/$d" || exit 99
        done && shift && exec "$@"' \
        bash "$T" "$@"
}

# boot: the first boot, up to the end of the script; its status, and what it
# said in log.
boot() {
    must user_data amd64-deb
    sed "s/glrt-REPLACE-ME/$TOKEN/" out >user-data
    write_prepare
    must in_box /usr/bin/python3 prepare.py user-data runcmd
    [ "$(stat -c %a box/run/build-machine.token box/sbin/build-machine-enrol | tr '\n' ' ')" = \
        '600 700 ' ] || die "modes"
    [ "$(cat box/run/build-machine.token)" = "$TOKEN" ] || die "token"
    run_script
}

run_script() {
    in_box env -i PATH="$T/fake" FAKE="$T/fake" STATE="$T/state" \
        CURL_CA_BUNDLE="$T/tls.crt" "${RUN[@]}" sh "$T/runcmd" >log 2>&1 \
        </dev/null
}
RUN=()

# What holds at any end: the token is in no command line and in no log, and
# not in a file but the runner's own.
check_token() {
    ! grep -q "$TOKEN" log state/calls || die "the token: $(grep "$TOKEN" \
        log state/calls)"
    [ "$(grep -rl "$TOKEN" box | grep -v '^box/etc/gitlab-runner/config.toml$')" = \
        '' ] || die "the token is in $(grep -rl "$TOKEN" box)"
    # mount(8) has a directory of its own there
    [ -z "$(find box/run -mindepth 1 ! -name 'build-machine.*' \
        ! -path 'box/run/mount*')" ] || die "left in /run: $(ls -A box/run)"
    [ ! -e box/run/build-machine.token ] || die "the token's file"
    not_called '^leak'
}

failed_with() {
    check_token
    [ ! -e box/run/build-machine.ready ] || die "ready"
    grep -Eq -- "$1" box/run/build-machine.failed ||
        die "failed with $(cat box/run/build-machine.failed; tail log)"
}

is_ready() {
    check_token
    [ -e box/run/build-machine.ready ] || die "not ready: $(tail log)"
    [ ! -e box/run/build-machine.failed ] || die "failed, too"
}

# called REGEX...: the commands were given, in this order.
called() {
    local regex line=0 at
    for regex in "$@"; do
        at=$(tail -n +$((line + 1)) state/calls | grep -nE -m 1 -- "$regex") ||
            die "no '$regex' after line $line of: $(cat state/calls)"
        line=$((line + ${at%%:*}))
    done
}
not_called() {
    ! grep -E -- "$1" state/calls || die "called $1"
}

test_a_stock_image_becomes_a_runner() {
    machine || return 0
    boot || die "status $?: $(tail log)"
    is_ready
    called '^systemd-run .*--on-active=86400s systemctl poweroff' \
        '^apt-get .*update' \
        '^apt-get .* install -- ca-certificates curl git gnupg docker.io$' \
        '^systemctl enable --now docker' '^apt-get .* -- gitlab-runner$' \
        '^systemctl stop gitlab-runner' '^usermod -aG docker gitlab-runner' \
        '^runuser -u gitlab-runner' '^earthly bootstrap' \
        '^gitlab-runner register --non-interactive --url=https://gitlab.com' \
        '^systemctl enable gitlab-runner' '^systemctl start gitlab-runner' \
        '^gitlab-runner verify'
    called 'register .*--executor=shell --description=build-server-amd64-deb-tmp$'
    not_called 'tag-list|--token'
    [ "$(cat box/etc/gitlab-runner/config.toml)" = "$TOKEN" ] || die "token"
    [ -x box/bin/earthly ] && cmp -s box/bin/earthly www/earthly || die "earthly"
    [ -e box/home/gitlab-runner/bootstrapped ] || die "bootstrap"
    [ ! -e box/home/gitlab-runner/.bash_logout ] || die ".bash_logout"
    cmp -s box/etc/apt/keyrings/gitlab-runner.asc www/key || die "key"
    grep -qx 'URIs: https://runner.example.org/debian' \
        box/etc/apt/sources.list.d/gitlab-runner.sources || die ".sources"
    grep -qx "Suites: $(. /etc/os-release && echo "$VERSION_CODENAME")" \
        box/etc/apt/sources.list.d/gitlab-runner.sources || die "suite"
    # a second run finds that there is nothing to do
    cp state/calls before
    cp -a box/etc etc.before
    run_script || die "second run: $(tail log)"
    is_ready
    must diff before state/calls
    must diff -r etc.before box/etc
    # and so does one after a restart, when the mark is gone
    rm box/run/build-machine.ready
    ! run_script || die "enrolled without a token"
    failed_with 'no /run/build-machine.token: a machine is enrolled once'
    must diff before state/calls
    must diff -r etc.before box/etc
}

# apt itself reads the file that names the runner's repository.
test_apt_understands_the_source() {
    machine || return 0
    boot || die "$(tail log)"
    apt_root r http://unused.example.org
    rm r/etc/apt/sources.list
    cp box/etc/apt/sources.list.d/gitlab-runner.sources r/etc/apt/sources.list.d/
    APT_CONFIG=$T/r/apt.conf apt-get --print-uris update >uris 2>err
    [ ! -s err ] || die "$(cat err)"
    grep -q "^'https://runner.example.org/debian/dists/$(. /etc/os-release &&
        echo "$VERSION_CODENAME")/InRelease'" uris || die "$(cat uris)"
}

# Everything is there but a runner of its own.
test_a_snapshot_keeps_what_it_has() {
    machine packages='docker.io git' || return 0
    echo 'git 1' >state/installed
    ln -s actor fake/docker
    ln -s actor fake/gitlab-runner
    cp www/earthly box/bin/earthly
    chmod 755 box/bin/earthly
    mkdir -p box/etc/gitlab-runner
    echo old >box/etc/gitlab-runner/config.toml
    echo old >box/etc/gitlab-runner/.runner_system_id
    boot || die "$(tail log)"
    is_ready
    not_called '^apt-get'
    [ ! -e box/etc/gitlab-runner/.runner_system_id ] || die "old identity"
    [ "$(cat box/etc/gitlab-runner/config.toml)" = "$TOKEN" ] || die "old runner"
    # before all else, so that it takes no job
    called '^systemctl stop gitlab-runner' '^systemctl enable --now docker'
}

test_a_version_that_is_wanted_replaces_another() {
    machine runner-version=17.7.1-1 || return 0
    printf 'gitlab-runner 16.0.0\n' >state/installed
    ln -s actor fake/gitlab-runner
    touch box/etc/apt/sources.list.d/runner_gitlab-runner.list
    boot || die "$(tail log)"
    is_ready
    called 'apt-get .*--allow-downgrades install -- gitlab-runner=17.7.1-1 gitlab-runner-helper-images=17.7.1-1$'
    [ ! -e box/etc/apt/sources.list.d/runner_gitlab-runner.list ] ||
        die "two sources for one repository"
}

test_the_wrong_earthly_is_not_installed() {
    machine || return 0
    echo 'not what it was' >>www/earthly
    boot && die "went on"
    failed_with "earthly has not the SHA-256 $(tail -n 5 conf |
        sed -n 's/^earthly-sha256 = //p')"
    [ ! -e box/bin/earthly ] || die "installed"
    not_called 'register'
    cp box/run/build-machine.failed before
    ! run_script || die "second run"
    must diff before box/run/build-machine.failed
}

test_a_bad_minute_is_waited_for() {
    machine || return 0
    echo '3 apt-get' >state/fail
    boot || die "$(tail log)"
    is_ready
    called '^sleep 10$' '^sleep 20$' '^sleep 30$'
}

test_failures_are_owned_up_to() {
    local what
    machine || return 0
    for what in 'systemctl enable --now docker' usermod 'gitlab-runner verify' \
        'systemctl start'; do
        rm -rf box/run/* box/etc/gitlab-runner
        : >state/calls
        echo "99 $what" >state/fail
        boot && die "went on after $what"
        failed_with "(gave up: |line [0-9]+: )$what"
    done
    rm -rf box/run/*
    for what in 'apt-get:apt_install' 'gitlab-runner register:register'; do
        rm -rf box/run/* box/etc/gitlab-runner state/installed
        echo "99 ${what%:*}" >state/fail
        : >state/installed
        boot && die "went on after $what"
        failed_with "gave up: ${what#*:}"
    done
    echo 0 >state/fail
    rm www/earthly box/bin/earthly
    boot && die "went on without Earthly"
    failed_with "gave up: fetch $HTTPS/earthly"
}

# An image without /etc/os-release: an error that nobody has thought of.
test_an_error_says_its_line() {
    machine || return 0
    rm box/etc/os-release
    boot && die "went on"
    failed_with '^line [0-9]+: .*os-release'
}

test_a_signal_leaves_no_token() {
    machine || return 0
    # in the midst of it, once
    cat >fake/killer <<'END'
#!/bin/bash
printf 'usermod\n' >>"$STATE/calls"
kill "$PPID"
END
    chmod 755 fake/killer
    ln -sf killer fake/usermod
    boot && die "went on"
    failed_with 'ended early'
}

run_tests
