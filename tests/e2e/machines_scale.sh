#!/bin/bash
# Many machines at once: as long as one, with as many questions as for one, and
# within the limits that the API sets.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cloud.sh"

OURS=(build-machines build-orchestration)

# a01-deb a02-deb ...: any architecture is one.
builds() { seq -f 'a%02g-deb' "$1"; }

# start N [OPTION...]: with machines for N builds, of one image.
start() {
    local n=$1
    shift
    cloud_start --ssh-seconds 0.05 --delete-seconds 0.05 --limit 1000 "$@"
    # shellcheck disable=SC2046
    cloud_conf $(builds "$n")
    sed -i 's/^image = .*/image = debian-12-x64/' "$T/conf"
}

# log EXPRESSION: of the requests so far (log); those that make a droplet are
# `posts`, and `times` makes times of requests.
log() {
    python3 -c 'import json, sys
log = [json.loads(line) for line in open(sys.argv[1])]
posts = [r for r in log if (r["method"], r["path"]) == ("POST", "/v2/droplets")]
def times(requests):
    return [r["time"] for r in requests]
print(eval(sys.argv[2]))' "$T/cloud.log" "$1"
}

is() { [ "$1" = "$2" ] || die "'$1' is not '$2'"; }

# Exactly one droplet for each of the first N builds.
one_each() {
    is "$(cloud_droplets | cut -d ' ' -f 2 | sort | tr '\n' ' ')" \
        "$(builds "$1" | sed 's/.*/build-server-&-tmp/' | tr '\n' ' ')"
}

# As they were sent, no request came sooner than 429 had said, by its own path.
# waited METHOD SECONDS
waited() {
    log "$(printf 'all(b["time"] - a["time"] >= %s - 0.05
        for i, a in enumerate(log) if a["status"] == 429 and a["method"] == "%s"
        for b in log[i + 1:] if a["body"] == b["body"] and
        (a["method"], a["path"]) == (b["method"], b["path"]))' "$2" "$1")"
}

# ----------------------------------------------------------------- at once

test_three_machines_take_as_long_as_one() {
    start 3 --boot-seconds 30
    must machines create a01-deb a02-deb a03-deb
    one_each 3
    # all were ordered before the first can have been active
    is "$(log 'len(posts), max(times(posts)) < min(times(posts)) + 30')" '(3, True)'
    # and those who wait are waited for together
    is "$(log 'len([r for r in log if r["path"].startswith("/v2/droplets/")])')" 0
}

# requests N: how many GETs a create of N builds needs.
requests() {
    cloud_forget
    # shellcheck disable=SC2046
    must machines create $(builds "$1")
    is "$(log 'len(posts)')" "$1"
    log 'len([r for r in log if r["method"] == "GET"])' >"gets.$1"
    cloud_do reset '{}' >/dev/null
}

test_questions_do_not_grow_with_the_machines() {
    local few many
    start 10 --boot-seconds 30
    requests 1
    requests 10
    few=$(cat gets.1) many=$(cat gets.10)
    [ "$many" -le $((few + 3)) ] || die "$many requests for 10, $few for one"
}

test_fifty_machines() {
    start 50 --boot-seconds 20
    # shellcheck disable=SC2046
    must machines create $(builds 50)
    one_each 50
    is "$(wc -l <out)" 50
    must machines delete --all
    [ -z "$(cloud_droplets)" ] || die "left: $(cloud_droplets | wc -l)"
    is "$(wc -l <out)" 50
    is "$(log '[r for r in log if r["status"] == 429]')" '[]'
    is "$(log 'len(log) < 250')" True
}

# --------------------------------------------------------------- the limits

test_bursts_are_waited_for() {
    start 4 --boot-seconds 0.1
    cloud_fault post-429 2 20
    # shellcheck disable=SC2046
    must machines create $(builds 4)
    one_each 4
    is "$(log 'len(posts), len([r for r in posts if r["status"] == 429])')" '(6, 2)'
    is "$(waited POST 20)" True
    cloud_fault 429 2 20
    must machines list
    is "$(wc -l <out)" 4
    is "$(waited GET 20)" True
    cloud_fault 429 2 1
    must machines delete --all
    [ -z "$(cloud_droplets)" ] || die "left: $(cloud_droplets)"
    is "$(log 'len([r for r in log if r["status"] == 429])')" 6
}

# The limit of an hour says nothing but when it ends.
test_the_hourly_limit_is_waited_for() {
    start 2 --boot-seconds 0.1
    cloud_fault 429-hourly 1 25
    must machines list
    is "$(waited GET 24)" True
    cloud_fault 429-hourly 1 25
    # shellcheck disable=SC2046
    must machines create $(builds 2)
    one_each 2
    is "$(log 'len(posts)')" 2
}

test_a_limit_that_is_too_far_away() {
    start 2 --boot-seconds 0.1
    cloud_fault 429 null 600
    expect 75 '429' machines create --timeout 2m a01-deb
    expect 75 '429' machines delete --timeout 2m a01-deb
    is "$(log 'len(posts)')" 0
    cloud_fault 429 0
    cloud_fault post-429 null 600
    expect 75 '429' machines create --timeout 2m a01-deb a02-deb
    [ -z "$(cloud_droplets)" ] || die "made: $(cloud_droplets)"
}

test_fewer_requests_a_minute_than_are_needed() {
    start 30 --boot-seconds 20 --per-minute 20
    # shellcheck disable=SC2046
    must machines create $(builds 30)
    one_each 30
    is "$(log 'len([r for r in posts if r["status"] == 202])')" 30
    must machines delete --all
    [ -z "$(cloud_droplets)" ] || die "left: $(cloud_droplets)"
}

# ------------------------------------------------------------- many pages

test_pages() {
    start 2 --per-minute 100000
    cloud_droplet build-server-a01-deb-tmp "${OURS[@]}" number=130 >/dev/null
    cloud_droplet build-server-a01-deb-tmp build-machines number=40 >/dev/null
    cloud_droplet other-%d "${OURS[@]}" number=60 >/dev/null
    cloud_droplet build-server-a02-deb-tmp "${OURS[@]}" number=120 >/dev/null
    cloud_droplet build-server-a02-deb-tmp number=20 >/dev/null
    must machines list
    is "$(cut -f 1 out | sort | uniq -c | tr -s ' ')" " 130 a01-deb"$'\n'" 120 a02-deb"
    is "$(cut -f 2 out | sort -u | wc -l)" 250
    # by number: the links in the answers name another host
    is "$(log 'sorted(r["path"].split("?")[1] for r in log)')" \
        "['tag_name=build-machines&page=1&per_page=200', 'tag_name=build-machines&page=2&per_page=200']"
    grep '^a02' out | cut -f 2 | sort >stays
    must machines delete a01-deb
    is "$(wc -l <out)" 130
    cloud_droplets >all
    is "$(grep -c ' build-server-a01-deb-tmp ' all)" 40
    is "$(grep -c ' other-' all)" 60
    grep ' build-server-a02-deb-tmp .*build-orchestration' all | cut -d ' ' -f 1 |
        sort | cmp - stays || die "others are gone"
    is "$(wc -l <all)" 240
}

# Whoever goes while pages are read moves all others forward.
test_pages_that_shift() {
    local n
    start 1 --per-minute 100000 --delete-seconds 0
    cloud_do droplet '{"name": "other-%d", "number": 250,
        "tags": ["build-machines"]}' >others
    cloud_droplet build-server-a01-deb-tmp "${OURS[@]}" number=390 >/dev/null
    python3 -c 'import json
print(*json.load(open("others"))["ids"])' >ids
    in_cloud python3 -c 'import sys, time, urllib.request
for i in open("ids").read().split():
    urllib.request.urlopen(urllib.request.Request(
        sys.argv[1] + "/v2/droplets/" + i, method="DELETE",
        headers={"Authorization": "Bearer " + sys.argv[2]}))
    time.sleep(0.01)' "$CLOUD" "$CLOUD_TOKEN" 2>/dev/null &
    PIDS+=($!)
    # all of ours, or none: never some of them as if these were all
    for n in {1..12}; do
        machines list >out 2>err
        case $? in
        0) is "$n: $(cut -f 2 out | sort -u | wc -l)" "$n: 390" ;;
        75) [ ! -s out ] || die "$n: $(wc -l <out)" ;;
        *) die "$(cat err)" ;;
        esac
    done
}

# So many runners that GitLab needs pages as well.
test_pages_of_runners() {
    start 1
    in_cloud python3 -c 'import json, sys, urllib.request
for i in range(230):
    name = "shared" if i % 2 else "build-server-a01-deb-tmp"
    urllib.request.urlopen(urllib.request.Request(
        sys.argv[1] + "/sim/runner", json.dumps({"tags": [], "description":
        "%s 1700000000-%08x" % (name, i)}).encode()))' "$CLOUD"
    is "$(cloud_runners | wc -l)" 230
    must machines delete a01-deb
    is "$(cloud_runners | wc -l)" 115
    ! cloud_runners | grep -q build-server || die "left: $(cloud_runners)"
}

PARALLEL=8
run_tests
