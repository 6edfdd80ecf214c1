#!/bin/bash
# The units of examples/, judged by systemd; and what they must not say.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

UNITS=$ROOT/examples

needs_systemd() {
    command -v systemd-analyze >/dev/null || { echo '# skip systemd is not installed'; exit 0; }
}

test_systemd_takes_them() {
    local unit n=0
    needs_systemd
    mkdir units
    for unit in "$UNITS"/*.service "$UNITS"/*.timer; do
        sed "s|/usr/local/bin|$BUILD/bin|" "$unit" >"units/${unit##*/}"
        n=$((n + 1))
    done
    [ "$n" = 6 ] || die "$n units"
    for unit in units/*; do
        systemd-analyze verify --man=no "$PWD/$unit" >said 2>&1 || die "$unit: $(cat said)"
        [ ! -s said ] || die "$unit: $(cat said)"
    done
    # that it would have said something
    echo 'Nonsense=1' >>units/veilid-cicd-deploy.service
    systemd-analyze verify --man=no "$PWD/units/veilid-cicd-deploy.service" >said 2>&1
    grep -q Nonsense said || die 'verify sees nothing'
}

test_when_timers_run() {
    local when
    needs_systemd
    for when in $(sed -n 's/^OnCalendar=//p' "$UNITS"/*.timer | tr ' ' _); do
        must systemd-analyze calendar "${when//_/ }"
    done
}

# Of what is a day old, and of nothing else there.
test_key_rings_that_nobody_removes() {
    needs_systemd
    unshare -m true 2>/dev/null || { echo '# skip no mount namespaces'; return; }
    must unshare -m bash -c '
        mount -t tmpfs tmpfs /dev/shm
        mkdir -p /dev/shm/veilid-cicd-keys.{1.old,2.new}/private-keys-v1.d /dev/shm/other
        touch /dev/shm/veilid-cicd-keys.{1.old,2.new}/private-keys-v1.d/key /dev/shm/other/key
        sed "s/1d/1s/" "$1" >aged.conf
        systemd-tmpfiles --clean "$1" && [ -e /dev/shm/veilid-cicd-keys.1.old/private-keys-v1.d/key ] &&
            sleep 2 && touch /dev/shm/veilid-cicd-keys.2.new/private-keys-v1.d/key &&
            systemd-tmpfiles --clean "$PWD/aged.conf" && find /dev/shm >left' - \
        "$UNITS/tmpfiles.d/veilid-cicd.conf"
    ! grep -q 1.old/private left || die "$(cat left)"
    grep -q 2.new/private-keys-v1.d/key left && grep -q other/key left || die "$(cat left)"
}

# Each timer has its service, and is started by timers.target.
test_pairs() {
    local timer
    for timer in "$UNITS"/*.timer; do
        [ -e "${timer%.timer}.service" ] || die "$timer without service"
        grep -qx 'WantedBy=timers.target' "$timer" || die "$timer"
    done
}

# The key rings of a job lie in /dev/shm, and belong to the same user. Nothing
# may be asked of a home directory that the unit cannot see.
test_what_would_harm() {
    local unit
    for unit in "$UNITS"/*.service; do
        ! grep -E '^RemoveIPC=(yes|true|1|on)' "$unit" || die "$unit empties /dev/shm"
        grep -qx 'User=gitlab-runner' "$unit" || die "$unit runs as root"
        grep -qx 'ProtectHome=yes' "$unit" && ! grep -E '^[^#].*(/home|~)' "$unit" ||
            die "$unit and homes"
        ! grep -E '^(Environment|ExecStart).*(TOKEN|PASSWORD)' "$unit" || die "$unit: a secret"
    done
}

run_tests
