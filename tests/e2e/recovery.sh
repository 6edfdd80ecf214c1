#!/bin/bash
# The set-up of the machines and every recipe, as veilid-cicd(7) and
# veilid-cicd-recovery(7) have them: read from the manuals, run on machines with
# sshd, nginx, apt-get, dnf and zypper of their own.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rpms.sh"
. "$(dirname "$0")/../world/world.sh"
. "$(dirname "$0")/manual.sh"
. "$(dirname "$0")/operation.sh"

test_set_up_and_timers() {
    set_up
    # secrets are the runner's alone
    as_root_on orchestrator find /etc/veilid-cicd -type f -perm /077 \
        ! -name '*.pub*' ! -name '*.known-hosts' >loose
    [ ! -s loose ] || die "others can read: $(cat loose)"
    release 0.3.4
    follow login orchestrator
    grep -q incoming out || die "$(cat out)"
    user_of_apt
    user_of_dnf
    release 0.3.5
    users_upgrade_to 0.3.5
    follow watch-valid client
    grep -qx '1[34] days' out || die "$(cat out)"
    follow watch-repo-server repo-server
    grep -q "$(printf 'live\t2')" out || die "$(cat out)"
    follow watch-orchestrator orchestrator
    # the timers' units, by themselves
    run_unit orchestrator veilid-cicd-refresh.service
    [ "$(live)" = 2 ] || die "$(live)"
    run_unit repo-server veilid-cicd-deploy.service
    [ "$(live)" = 3 ] || die "$(live)"
    run_unit repo-server veilid-cicd-deploy.service
    must as_root_on client apt-get --error-on=any update
    # which the manual says of the web server
    must as_root_on client curl -sI $SITE/apt/dists/stable/InRelease
    grep -qi '^cache-control: no-cache' out || die "$(cat out)"
}

test_half_a_pipeline() {
    set_up
    release 0.3.4
    user_of_apt
    user_of_dnf
    # built, and then nothing more
    send_builds 0.3.5
    must as_root_on orchestrator su - gitlab-runner -c 'distribute-packages build -r v0.3.5'
    follow resume orchestrator
    follow deploy repo-server
    users_upgrade_to 0.3.5
    # all of it twice
    follow resume build
    follow resume orchestrator
    follow deploy repo-server
    [ "$(live)" = 2 ] || die "$(live)"
    # a drop never came, but its packages are artifacts
    make_release p0.3.6 0.3.6
    make_rpm p0.3.6 veilid-cli 0.3.6
    mkdir -p "$(place orchestrator /home/gitlab-runner/debs)" \
        "$(place orchestrator /home/gitlab-runner/rpms)"
    cp p0.3.6/*.deb "$(place orchestrator /home/gitlab-runner/debs)"
    cp p0.3.6/*.rpm "$(place orchestrator /home/gitlab-runner/rpms)"
    MAP=s/v0.3.5/v0.3.6/g
    refused 66 'no complete drop' resume orchestrator
    follow resume-from orchestrator
    MAP=
    follow deploy repo-server
    users_upgrade_to 0.3.6
}

test_a_bad_version() {
    set_up
    release 0.3.4
    user_of_apt
    user_of_dnf
    must as_root_on client dnf -y install veilid-server
    release 0.3.5
    users_upgrade_to 0.3.5
    follow rollback repo-server
    [ "$(live)" = 1 ] || die "$(live)"
    follow withdraw orchestrator
    follow deploy repo-server
    [ "$(live)" = 3 ] || die "$(live)"
    follow downgrade-apt client
    has_deb 0.3.4
    follow downgrade-dnf client
    has_rpm 0.3.4 veilid-server
    # the other way
    release 0.3.6
    users_upgrade_to 0.3.6
    MAP=s/41/3/
    follow revert orchestrator
    MAP=
    follow deploy repo-server
    follow downgrade-apt client
    has_deb 0.3.4
    # the number is taken
    send_builds 0.3.5
    DEB_EXTRA=mended make_deb other veilid-server 0.3.5 amd64
    cp other/*.deb "$(place orchestrator /home/gitlab-runner)"
    refuse_again
    release 0.3.7
    users_upgrade_to 0.3.7
}

refuse_again() {
    as_root_on orchestrator su - gitlab-runner -c \
        'distribute-packages build -r v0.3.5 --partial --from .' >out 2>err
    [ $? = 65 ] && grep -q 'was published with different contents' err || die "$(cat err)"
}

test_signatures_that_have_run_out() {
    local conf began=$SECONDS
    set_up
    conf=$(place orchestrator /etc/veilid-cicd.conf)
    # a generation is dated a minute back; and as above
    sed -i "s/^valid-for = .*/valid-for = $((80 + 10 * (SECONDS - began)))s/" "$conf"
    release 0.3.4
    user_of_apt
    sed -i 's/^valid-for = .*/valid-for = 14d/' "$conf"
    until ! as_root_on client apt-get --error-on=any update >out 2>&1; do sleep 1; done
    grep -q 'is expired' out || die "$(cat out)"
    follow refresh orchestrator
    follow deploy repo-server
    must as_root_on client apt-get --error-on=any update
}

test_a_lost_orchestrator() {
    local backup
    set_up
    release 0.3.4
    user_of_apt
    user_of_dnf
    follow backup orchestrator
    as_root_on orchestrator cat /var/backups/veilid-cicd.tar >backup.tar
    cp "$(place orchestrator /etc/veilid-cicd/packages-key.private)" key.copy
    cp "$(place orchestrator /etc/veilid-cicd/packages-key.public)" public.copy
    release 0.3.5
    for backup in no yes; do
        lose orchestrator
        fresh orchestrator 5
        set_up_orchestrator
        follow restore-key orchestrator <key.copy
        cp public.copy "$(place orchestrator /etc/veilid-cicd/packages-key.public)"
        # a new machine has new keys, and before they are known nothing goes
        cp "$(place repo-server /etc/veilid-cicd/tls/fullchain.pem)" \
            "$(place orchestrator /etc/ssl/certs/ca-certificates.crt)"
        know_orchestrator
        cp "$(place build /etc/veilid-cicd/packages.key.pub)" out
        paste authorize-packages orchestrator
        know_repo_server
        let_orchestrator_send
        if [ $backup = yes ]; then
            as_root_on orchestrator sh -c 'cat >/var/backups/veilid-cicd.tar' <backup.tar
            follow restore-state orchestrator
        fi
        follow pull orchestrator
    done
    release 0.3.6
    users_upgrade_to 0.3.6
}

test_a_lost_repository_server() {
    set_up
    release 0.3.4
    user_of_apt
    user_of_dnf
    lose repo-server
    fresh_repo_server
    set_up_repo_server
    # the old host key is known, and the account has no key yet
    refused 77 'host key' send orchestrator
    know_repo_server
    refused 77 'login|permission|refused' send orchestrator
    cp "$(place orchestrator /etc/veilid-cicd/repo-server.key.pub)" out
    paste authorize-generations repo-server
    follow send orchestrator
    follow deploy repo-server
    must as_root_on client apt-get --error-on=any update
    release 0.3.5
    users_upgrade_to 0.3.5
}

test_damage_and_full_disks() {
    local file n
    set_up
    release 0.3.4
    release 0.3.5
    release 0.3.6
    file=$(place repo-server /srv/apt/pool/stable/main/veilid-server_0.3.6_amd64.deb)
    echo damage >>"$(place repo-server "/srv/.releases/3/${file##*/srv/}")"
    as_root_on repo-server su - gitlab-runner -c 'deploy-repo verify' 2>err &&
        die 'not damaged'
    follow forget repo-server
    follow refresh orchestrator
    follow deploy-verify repo-server
    follow prune repo-server
    n=$(find "$(place repo-server /srv/.releases)" -maxdepth 1 -name '[0-9]*' | wc -l)
    [ "$n" = 2 ] || die "$n generations"
    follow prune orchestrator
    n=$(find "$(place orchestrator /var/lib/veilid-cicd/state/generations)" \
        -mindepth 1 -maxdepth 1 | wc -l)
    [ "$n" = 2 ] || die "$n generations"
    follow deploy repo-server
    user_of_apt
    has_deb 0.3.6
    # an object of the state
    file=$(place orchestrator /var/lib/veilid-cicd/state/objects)
    file=$(find "$file" -type f -size +1k | sort | head -n 1)
    echo damage >>"$file"
    follow pull orchestrator
}

renew_and_deploy() {
    follow refresh orchestrator
    follow deploy repo-server
}

# dnf_asks_for FINGERPRINT: once, and then works.
dnf_asks_for() {
    must as_root_on client dnf -y --refresh upgrade
    grep -qi "0x${1: -8}" out err || die "dnf did not show the new key: $(cat out err)"
    must as_root_on client dnf -y --refresh upgrade
    ! grep -qi 'importing' out err || die "again: $(cat out err)"
}

test_another_key_by_plan() {
    local old
    set_up
    old=$FINGERPRINT
    release 0.3.4
    user_of_apt
    user_of_dnf
    # day 0
    follow aside orchestrator
    new_key
    [ "$FINGERPRINT" != "$old" ] || die 'the same key'
    follow next-key orchestrator
    paste trust-too repo-server
    renew_and_deploy
    release 0.3.5
    users_upgrade_to 0.3.5          # with the old key
    # day 60, and one that has not taken the new key
    follow swap-keys orchestrator
    renew_and_deploy
    must as_root_on client apt-get --error-on=any update
    dnf_asks_for "$FINGERPRINT"
    follow take-next client
    release 0.3.6
    users_upgrade_to 0.3.6
    # day 150: next.public is the old one now, so what take-next says is over
    as_root_on client cp /etc/apt/keyrings/veilid-packages-key.asc /tmp/too-old.asc
    follow rekey-apt client
    grep -q "$FINGERPRINT" out || die "$(cat out)"
    follow drop-old orchestrator
    cp out new.public
    renew_and_deploy
    follow trust repo-server <new.public
    release 0.3.7
    users_upgrade_to 0.3.7
    must as_root_on repo-server su - gitlab-runner -c 'deploy-repo verify'
    # and one who has not read any of it
    as_root_on client cp /tmp/too-old.asc /etc/apt/keyrings/veilid-packages-key.asc
    ! as_root_on client apt-get --error-on=any update >out 2>&1 || die 'trusts the old key'
    grep -qE 'NO_PUBKEY|Missing key' out || die "$(cat out)"
    follow rekey-apt client
}

# The same for both: users have a key that is no good any more.
new_key_at_once() {
    follow aside orchestrator
    new_key
    follow public-key orchestrator
    paste trust repo-server
    renew_and_deploy
}

test_a_key_that_has_expired() {
    local began=$SECONDS life
    set_up
    # a release and two users, as far as one can know how long that takes here
    life=$((20 + 10 * (SECONDS - began)))
    echo 'min-days = 0' | sed -i '/^\[signing\]/r /dev/stdin' \
        "$(place orchestrator /etc/veilid-cicd.conf)"
    began=$(date +%s)
    MAP="s/sign never/sign seconds=$life/"
    new_key
    follow public-key orchestrator
    paste trust repo-server
    release 0.3.4
    user_of_apt
    user_of_dnf
    while [ $(($(date +%s) - began)) -lt $((life + 2)) ]; do sleep 1; done
    # sqv asks whether the key was good when it signed, gpgv whether it is now
    if as_root_on client apt-get --error-on=any update >out 2>&1; then
        command -v sqv >/dev/null || die 'not expired'
    else
        grep -qE 'EXPKEYSIG|[Ee]xpired' out || die "$(cat out)"
    fi
    refused 77 'expired' refresh orchestrator
    new_key_at_once
    ! as_root_on client apt-get --error-on=any update >out 2>&1 || die 'knows the new key'
    grep -qE 'NO_PUBKEY|Missing key' out || die "$(cat out)"
    follow rekey-apt client
    follow rekey-dnf client < <(yes)
    grep -qi "0x${FINGERPRINT: -8}" out err || die "dnf showed nothing: $(cat out err)"
    release 0.3.5
    users_upgrade_to 0.3.5
}

test_a_stolen_key() {
    set_up
    release 0.3.4
    user_of_apt
    user_of_dnf
    cp "$(place orchestrator /etc/veilid-cicd/packages-key.revocation)" copy
    follow stop orchestrator
    follow stop repo-server
    new_key_at_once
    # what the thief signs, the server does not take
    refused_from_the_thief
    follow revocation orchestrator <copy
    follow revoked orchestrator
    grep -q revoked out || die "$(cat out)"
    follow rekey-apt client
    grep -q "$FINGERPRINT" out || die "$(cat out)"
    follow rekey-dnf client < <(yes)
    [ "$(as_root_on client rpm -qa 'gpg-pubkey*' | wc -l)" -le 1 ] || die 'the old key stays'
    zypper_too
    release 0.3.5
    users_upgrade_to 0.3.5
}

refused_from_the_thief() {
    local etc
    etc=$(place orchestrator /etc)
    sed 's|packages-key.private|packages-key-old.private|' "$etc/veilid-cicd.conf" \
        >"$etc/thief.conf"
    must as_root_on orchestrator su - gitlab-runner -c \
        'cp -a /var/lib/veilid-cicd/state thief &&
        distribute-packages -c /etc/thief.conf -o repository.state=thief refresh &&
        distribute-packages -c /etc/thief.conf -o repository.state=thief send'
    refused 77 'not trusted' deploy repo-server
    as_root_on repo-server sh -c 'rm -r /var/lib/veilid-cicd/repo-server/incoming/gen*'
}

zypper_too() {
    must as_root_on client zypper --non-interactive addrepo \
        $SITE/rpm/stable/x86_64/veilid-stable-x86_64-rpm.repo
    MAP='s/^zypper/& --non-interactive --gpg-auto-import-keys/'
    follow rekey-zypper client
    MAP=
    must as_root_on client zypper --non-interactive install --download-in-advance veilid-server
    has_rpm 0.3.4 veilid-server
}

# Each block says who runs it, or why nobody does; the same name has the same
# commands everywhere; and all of them were run above.
test_zz_every_block_of_the_manuals() {
    local at tag text test machine
    for test in $(declare -F | awk '$3 ~ /^test_[^z]/ {print $3}'); do
        until [ -e "$LOGS/$test.status" ]; do pause 0.5; done
    done
    blocks "${PAGES[@]}" >all
    [ "$(wc -l <all)" -gt 50 ] || die "only $(wc -l <all) blocks are found"
    while IFS=$'\001' read -r at tag text; do
        case $tag in
        'run '*' on '*|'job '*' on '*) ;;
        'shown: '?*) continue ;;
        *) die "$at: a block of commands without a tag" ;;
        esac
        for machine in ${tag##* on }; do
            echo "$machine $tag $text" | sed 's/ on [a-z -]*\o1/ /' >>texts
            echo "$(cut -d ' ' -f 2 <<<"$tag") $machine" >>named
        done
    done <all
    sort -u named >wanted
    [ "$(sort -u <named | wc -l)" = "$(while IFS=$'\001' read -r at tag text; do
        case $tag in shown*) continue ;; esac
        for machine in ${tag##* on }; do echo "${tag%% on *} $machine $text"; done
    done <all | sort -u | wc -l)" ] || die 'one name stands for different commands'
    sort -u "$LOGS/ran" >ran
    comm -3 wanted ran >differ
    [ ! -s differ ] || die "not run, or not there: $(cat differ)"
}

# shellcheck disable=SC2034
PARALLEL=4
run_tests
