#!/bin/bash
# A client never sees anything but a whole repository.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

client_loop() {
    local n=0
    while [ ! -e stop ]; do
        if ! apt "$1" update || ! apt "$1" install veilid-cli; then
            cat apt.out apt.err >failed
            exit 1
        fi
        n=$((n + 1))
        echo "$n" >"rounds.$1"
    done 2>/dev/null
}

test_thirty_generations_under_a_client() {
    local i
    make_deb p veilid-cli 0.1.0 amd64
    must dist build -r v0.1.0 --from p --partial
    must export_and_deploy
    web_start "$T/srv"
    apt_root r "$WEB"
    client_loop r &
    local client=$!
    PIDS+=("$client")
    for i in $(seq 2 31); do
        rm -rf p
        make_deb p veilid-cli "0.$i.0" amd64
        must dist build -r "v0.$i.0" --from p --partial
        must export_and_deploy
        [ ! -e failed ] || break
    done
    touch stop
    wait "$client"
    [ ! -e failed ] || die "a client failed: $(cat failed)"
    must apt r update
    must apt r install veilid-cli
    [ "$(installed r)" = 'veilid-cli:amd64=0.31.0 ' ] || die "$(installed r)"
    [ "$(cat rounds.r)" -ge 3 ] || die "only $(cat rounds.r) rounds"
}

run_tests
