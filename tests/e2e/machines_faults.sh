#!/bin/bash
# What goes wrong at DigitalOcean and at GitLab, one fault after another: never
# two droplets for one build, never one that is left and not named, never one
# that is not ours, and the right status. What there is in the end is read by a
# client that is not ours.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/cloud.sh
. "$(dirname "$0")/cloud.sh"

begin() {
    cloud_start "$@"
    cloud_conf amd64-deb
}

enrol() {
    printf 'user-data = enrol\n[enrol]\nearthly-sha256 = %064d\n' 7 >>"$T/conf"
}

# One droplet, and it is the one that the tool has printed.
has_one() {
    cloud_droplets >"$T/there"
    [ "$(wc -l <"$T/there")" = 1 ] || die "there are: $(cat "$T/there")"
    [ "$(cut -f 2 "$T/out")" = "$(cut -d ' ' -f 1 "$T/there")" ] ||
        die "printed: $(cat "$T/out") there: $(cat "$T/there")"
}

has_none() {
    [ -z "$(cloud_droplets)" ] || die "there are: $(cloud_droplets)"
}

has_no_runner() {
    [ -z "$(cloud_runners)" ] || die "there are: $(cloud_runners)"
}

posts() { cloud_log | grep -c '^POST /v2/droplets '; }

# comes FAULT [COUNT [SECONDS]]: create succeeds all the same, with one droplet.
comes() {
    cloud_fault "$@"
    must machines create amd64-deb
    has_one
}

# fails STATUS REGEX FAULT [COUNT [SECONDS]]: create fails so, leaving nothing.
fails() {
    local status=$1 regex=$2 fault=$3
    shift 2
    cloud_fault "$@"
    expect "$status" "$regex" machines create --timeout 3m amd64-deb
    [ ! -s "$T/out" ] || die "printed: $(cat "$T/out")"
    cloud_fault "$fault" 0
    has_none
}

# ------------------------------------------------------------ POST, unclear

test_a_500_after_the_droplet_was_made_makes_no_second() {
    begin
    comes post-500-after-accept 1
    [ "$(posts)" = 1 ] || die "$(posts) POSTs"
    grep -q 'looking for it by its tag' "$T/err" || die 'said nothing'
}

test_a_reset_after_the_droplet_was_made_makes_no_second() {
    begin
    comes post-reset-after-accept 1
    [ "$(posts)" = 1 ] || die "$(posts) POSTs"
}

test_half_an_answer_makes_no_second() {
    begin
    comes post-cut-after-accept 1
    [ "$(posts)" = 1 ] || die "$(posts) POSTs"
}

test_an_answer_in_html_makes_no_second() {
    begin
    comes post-502-html-after-accept 1
    [ "$(posts)" = 1 ] || die "$(posts) POSTs"
}

test_an_answer_of_another_shape_makes_no_second() {
    begin
    comes post-nonsense 1
    comes_again post-not-json
}

# The machine is replaced while the fault is on.
comes_again() {
    cloud_fault "$1" 1
    must machines create --replace amd64-deb
    has_one
}

test_all_three_after_a_500_each_are_one_each() {
    cloud_start
    cloud_conf
    cloud_fault post-500-after-accept
    must machines create amd64-deb arm64-deb amd64-rpm
    [ "$(cloud_droplets | wc -l)" = 3 ] || die "$(cloud_droplets)"
    [ "$(posts)" = 3 ] || die "$(posts) POSTs"
}

# The listing lags: the droplet appears there after the first looks for it.
test_an_unclear_post_and_a_late_listing_make_no_second() {
    begin
    cloud_fault list-lag 1 4
    comes post-500-after-accept 1
    [ "$(posts)" = 1 ] || die "$(posts) POSTs"
}

test_what_was_not_made_is_made_by_another_post() {
    begin
    comes post-reset-not-made 1
    [ "$(posts)" = 2 ] || die "$(posts) POSTs"
    # each attempt has a tag of its own
    [ "$(cloud_bodies | grep -o 'attempt:[0-9a-f-]*' | sort -u | wc -l)" = 2 ] ||
        die 'the same attempt twice'
}

test_an_unclear_post_that_never_gets_clear_is_given_up() {
    begin
    fails 75 'amd64-deb: .*500' post-500-not-made
}

test_a_post_that_takes_long_is_waited_for() {
    begin
    comes post-slow 1 3
    [ "$(posts)" = 1 ] || die "$(posts) POSTs"
}

test_a_post_that_is_never_answered_leaves_nothing() {
    begin
    cloud_fault never-active
    fails 75 'amd64-deb' post-stall-after-accept
    [ "$(posts)" = 1 ] || die "$(posts) POSTs"
}

# The droplet of an earlier attempt appears when there is a second one: the
# one that was made too many goes.
test_of_two_that_this_run_has_made_one_stays() {
    begin --boot-seconds 120
    cloud_fault list-lag 1 60
    comes post-500-after-accept 1
    [ "$(posts)" = 2 ] || die "$(posts) POSTs"
    grep -q 'is a duplicate' "$T/err" || die 'said nothing'
}

# The first, unclear one and the second one both come late, the first earlier:
# the second is known by the answer alone.
test_what_only_the_answer_told_is_not_forgotten() {
    begin --boot-seconds 120
    cloud_fault list-lag 2 60
    comes post-500-after-accept 1
    [ "$(posts)" = 2 ] || die "$(posts) POSTs"
    cloud_pass 300      # the second would be listed by now
    has_one
}

# ---------------------------------------------------------- POST, refused

test_429_and_try_again_are_tried_again() {
    begin
    comes post-429 1 1
    cloud_fault post-try-again 1
    must machines create --replace amd64-deb
    has_one
}

test_try_again_for_ever_ends_with_75() {
    begin
    fails 75 'gave up after .*422.*[Pp]lease try again' post-try-again
}

test_the_droplet_limit_says_what_to_do() {
    begin
    fails 69 'amd64-deb: the account has reached its droplet limit: .*422 .*request' \
        limit-422
    [ "$(posts)" = 1 ] || die "a refusal was asked about $(posts) times"
}

test_the_third_of_three_beyond_the_limit_takes_the_others_with_it() {
    cloud_start --limit 2
    cloud_conf
    expect 69 'droplet limit' machines create amd64-deb arm64-deb amd64-rpm
    has_none
}

test_a_refused_token_is_77() {
    begin
    fails 77 '401' unauthorized
    fails 77 '403' forbidden
    fails 77 '403' account-locked
}

# ------------------------------------------------------ the droplet's life

test_an_errored_creation_is_made_again() {
    begin
    comes action-errored 1
    [ "$(posts)" = 2 ] || die "$(posts) POSTs"
    grep -q 'failed to create it' "$T/err" || die 'said nothing'
}

test_a_creation_that_always_errs_is_given_up() {
    begin
    fails 75 'gave up after 4 attempts: .*action [0-9]' action-errored
}

test_a_droplet_that_vanishes_is_made_again() {
    begin
    comes droplet-vanishes 1
}

test_a_droplet_that_is_not_known_yet_is_waited_for() {
    begin
    comes get-404-first 6
    [ "$(posts)" = 1 ] || die "$(posts) POSTs"
}

test_never_active_is_75_and_deleted() {
    begin
    fails 75 'amd64-deb: timed out: droplet [0-9]+: it is not active' \
        never-active
}

test_addresses_that_come_late_are_waited_for() {
    begin
    comes no-address 3
    grep -q $'\t127.30.' "$T/out" || die 'no private address'
}

test_no_private_address_is_75() {
    begin
    fails 75 'it has no private address' public-only
}

test_port_22_that_does_not_answer_is_75() {
    begin
    fails 75 'no SSH server answers on port 22 of its private address' ssh-never
    fails 75 'port 22' ssh-no-banner
    fails 75 'port 22' ssh-nonsense
}

test_a_droplet_that_ends_up_off_is_69() {
    begin
    fails 69 'droplet [0-9]+ .*switched off: run .*create --replace' active-off
}

# sshd of the droplet that was there before says nothing of the next one: one
# machine is ready and deleted by somebody while the other is waited for.
test_another_droplet_is_looked_at_anew() {
    cloud_start
    cloud_conf amd64-deb arm64-deb
    cloud_fault never-active 1
    cloud_later 20 'GET /v2/droplets' ssh-never null delete=true
    expect 75 'port 22 of its private address' machines create --timeout 3m \
        amd64-deb arm64-deb
    grep -q 'sshd answers' "$T/err" || die 'it was not ready'
    grep -q 'making another one' "$T/err" || die 'it was not missed'
    grep -q 'is not active' "$T/err" || die 'the other one is not named'
    cloud_fault ssh-never 0
    has_none
}

test_what_has_expired_is_not_adopted() {
    begin
    cloud_droplet build-server-amd64-deb-tmp build-machines build-orchestration \
        expires:1700000000 >id
    expect 69 'has expired: run .*create --replace' machines create amd64-deb
    [ "$(posts)" = 0 ] || die "$(posts) POSTs"
    must machines create --replace amd64-deb
    has_one
}

# ------------------------------------------------------------------ DELETE

# goes FAULT [COUNT [SECONDS]]: delete succeeds all the same, and it is gone.
goes() {
    must machines create --wait active amd64-deb
    cloud_fault "$@"
    must machines delete amd64-deb
    [ "$(wc -l <"$T/out")" = 1 ] || die "printed: $(cat "$T/out")"
    cloud_fault "$1" 0
    has_none
}

test_delete_outlasts_a_pending_event() {
    begin
    goes delete-422 3
}

test_delete_returns_when_it_is_gone() {
    begin
    goes delete-slow 1 2
    # the last that was asked about it was answered with 404
    cloud_log | grep -E '^GET /v2/droplets/[0-9]+ ' | tail -n 1 | grep -q ' 404 ' ||
        die 'not proven'
}

test_delete_repeats_what_was_ignored() {
    begin
    goes delete-ignored 1
    [ "$(cloud_log | grep -c '^DELETE')" = 2 ] || die 'no second DELETE'
}

test_delete_outlasts_errors_and_resets() {
    begin
    goes delete-500 2
    goes delete-500-after-accept 1
    goes delete-reset-after-accept 1
    goes delete-404 1
}

test_delete_of_one_that_is_being_made() {
    begin --boot-seconds 20
    must machines create --wait none amd64-deb
    cloud_fault delete-new-422
    must machines delete amd64-deb
    has_none
    must machines create --wait none amd64-deb
    cloud_fault delete-new-422 0
    cloud_fault delete-new-ignored
    must machines delete amd64-deb
    has_none
}

test_delete_that_is_refused_names_what_is_left() {
    begin
    must machines create --wait active amd64-deb
    local id
    id=$(cut -f 2 "$T/out")
    cloud_fault delete-422
    expect 75 "amd64-deb: droplet $id 'build-server-amd64-deb-tmp' was not deleted and costs money: .*422" \
        machines delete --timeout 3m amd64-deb
    [ ! -s "$T/out" ] || die 'printed as deleted'
}

# What create has made and cannot delete, it names.
test_create_that_cannot_clean_up_says_what_is_left() {
    begin
    cloud_fault never-active
    # lasts for some of the deleting, not for all the patience it has
    cloud_fault delete-500 12
    expect 75 'deleting droplet [0-9]+ build-server-amd64-deb-tmp, which this run made' \
        machines create --timeout 3m amd64-deb
    [ "$(cloud_log | grep -c '^DELETE .* 500 ')" = 12 ] || die "$(cloud_log)"
    has_none
}

test_only_what_was_made_by_this_run_is_deleted() {
    cloud_start
    cloud_conf amd64-deb arm64-deb
    must machines create amd64-deb
    cp "$T/out" first
    cloud_fault never-active
    expect 75 'arm64-deb: timed out' machines create --timeout 3m \
        amd64-deb arm64-deb
    cp first "$T/out"
    has_one
}

# ------------------------------------------------------------------ listing

test_listings_that_break_are_read_again() {
    begin
    must machines create amd64-deb
    local fault
    for fault in list-502-html list-500 list-cut list-reset 429 429-hourly; do
        cloud_fault "$fault" 1
        must machines list
        has_one
    done
}

test_a_listing_that_stays_broken_creates_nothing() {
    begin
    local fault
    for fault in list-502-html list-500 list-reset; do
        cloud_fault "$fault"
        expect 75 'GET /v2/droplets' machines create --timeout 3m amd64-deb
        cloud_fault "$fault" 0
    done
    cloud_fault list-nonsense
    expect 76 'the answer to /v2/droplets' machines create amd64-deb
    cloud_fault list-nonsense 0
    [ "$(posts)" = 0 ] || die "$(posts) POSTs"
}

test_listings_that_break_while_waiting_are_not_the_end() {
    begin --boot-seconds 60
    cloud_later 6 'GET /v2/droplets?' list-500 2
    must machines create amd64-deb
    [ "$(cloud_log | grep -c '^GET /v2/droplets?.* 500 ')" = 2 ] || die "$(cloud_log)"
    has_one
}

# Half a listing is no listing: what is on page 2 would be made again.
test_a_second_page_that_fails_is_no_empty_one() {
    cloud_start --limit 500
    cloud_conf amd64-deb
    cloud_droplet 'other-%d' build-machines number=250 >ids
    cloud_droplet build-server-amd64-deb-tmp build-machines build-orchestration >id
    cloud_fault page-2-fails
    expect 75 'page=2' machines create --timeout 3m amd64-deb
    expect 75 'page=2' machines delete --timeout 3m amd64-deb
    cloud_fault page-2-fails 0
    [ "$(posts)" = 0 ] || die "$(posts) POSTs"
    must machines create --wait none amd64-deb
    [ "$(cut -f 2 "$T/out")" = "$(cat id)" ] || die 'not adopted'
}

test_a_redirect_is_not_followed() {
    begin
    cloud_fault redirect
    expect 76 'redirect|302' machines list
    expect 76 'redirect|302' machines create amd64-deb
    ! grep -q '127\.0\.0\.2' "$T/cloud.log" || die 'it was followed'
}

test_a_service_that_does_not_answer_is_75() {
    begin
    cloud_fault stall
    expect 75 'GET /v2/droplets' machines create --timeout 3m amd64-deb
    expect 75 'GET /v2/droplets' machines delete --timeout 3m amd64-deb
    cloud_fault stall 0
    sed -i 's|^api-url = .*|api-url = http://127.0.0.1:9|' "$T/conf"
    expect 75 '127.0.0.1.*9' machines create --timeout 3m amd64-deb
}

# ------------------------------------------------------------------- GitLab

test_a_runner_that_never_comes_online_is_75_and_deleted() {
    begin
    enrol
    cloud_fault runner-never-online
    expect 75 'its runner is not online' machines create \
        --wait runner --timeout 3m amd64-deb
    has_none
    has_no_runner
}

test_unclear_runners_are_not_left() {
    begin
    enrol
    local fault
    for fault in runner-post-500-after-accept:75 \
        runner-post-reset-after-accept:75 runner-post-nonsense:76; do
        cloud_fault "${fault%:*}" 1
        expect "${fault#*:}" 'amd64-deb: create its runner' \
            machines create amd64-deb
        has_none
        has_no_runner
    done
    cloud_fault runner-post-403 1
    expect 77 'amd64-deb: create its runner: .*403' machines create amd64-deb
    [ "$(posts)" = 0 ] || die "$(posts) POSTs"
}

test_a_gitlab_that_fails_while_waiting_is_not_the_end() {
    begin
    enrol
    cloud_fault runner-list-500 2
    must machines create --wait runner amd64-deb
    has_one
    cloud_runners | grep -q ' online ' || die "$(cloud_runners)"
}

# The droplet costs money: it goes, whatever GitLab says.
test_delete_without_gitlab_deletes_the_droplet_and_says_the_rest() {
    deletes_all_but_the_runner gitlab-down:75 gitlab-401:77
}

test_a_gitlab_that_is_silent_keeps_no_droplet() {
    begin
    enrol
    must machines create --wait active amd64-deb
    cloud_fault gitlab-stall
    expect 75 'amd64-deb: runner [0-9]+ still exists' machines delete amd64-deb
    cloud_fault gitlab-stall 0
    has_none
    must machines delete amd64-deb
    has_no_runner
}

test_a_gitlab_token_that_is_gone_keeps_no_droplet() {
    begin
    enrol
    must machines create --wait active amd64-deb
    mv gitlab.token away
    expect 78 'gitlab.token' machines delete amd64-deb
    has_none
    mv away gitlab.token
    must machines delete amd64-deb
    has_no_runner
}

test_keep_without_a_droplet_keeps_no_runner() {
    begin
    enrol
    cloud_fault limit-422
    expect 69 'droplet limit' machines create --keep amd64-deb
    has_no_runner
}

test_replace_takes_runners_of_machines_that_are_gone() {
    begin
    enrol
    cloud_runner 'build-server-amd64-deb-tmp 1795330830-9f86d081' >id
    must machines create --replace --wait runner amd64-deb
    has_one
    [ "$(cloud_runners | wc -l)" = 1 ] || die "$(cloud_runners)"
}

test_a_machine_that_cannot_be_printed_is_deleted() {
    begin
    machines create amd64-deb >/dev/full 2>err
    [ $? = 74 ] || die "status: $(cat err)"
    has_none
}

test_user_data_is_text() {
    begin
    echo 'user-data = data' >>conf
    printf '#!/bin/sh\necho a\0echo b\n' >data
    sed -i "s|user-data = data|user-data = $T/data|" conf
    expect 78 'not UTF-8 text' machines create amd64-deb
    printf '#!/bin/sh\necho \xff\n' >data
    expect 78 'not UTF-8 text' machines create amd64-deb
    [ "$(posts)" = 0 ] || die "$(posts) POSTs"
}

test_a_runner_that_cannot_be_deleted_is_named() {
    deletes_all_but_the_runner runner-delete-403:77 runner-delete-412:69 \
        runner-delete-500:75
}

# deletes_all_but_the_runner FAULT:STATUS...
deletes_all_but_the_runner() {
    begin
    enrol
    local fault
    for fault in "$@"; do
        must machines create --wait active amd64-deb
        cloud_fault "${fault%:*}"
        expect "${fault#*:}" 'runner' machines delete --timeout 3m amd64-deb
        cloud_fault "${fault%:*}" 0
        has_none
        must machines delete amd64-deb
        has_no_runner
    done
}

test_a_runner_that_is_not_ours_is_never_deleted() {
    begin
    enrol
    cloud_runner 'build-server-amd64-deb-tmp' status=online >r1
    cloud_runner 'other build-server-amd64-deb-tmp 1795330830-9f86d081' >r2
    cloud_runner 'build-server-amd64-deb-tmp 1795330830-9F86D081' >r3
    must machines create --wait active amd64-deb
    # a tag names somebody else's
    cloud_droplet build-server-amd64-deb-tmp build-machines build-orchestration \
        "runner:$(cat r1)" >id
    must machines delete amd64-deb
    has_none
    [ "$(cloud_runners | wc -l)" = 3 ] || die "$(cloud_runners)"
}

PARALLEL=3
run_tests
