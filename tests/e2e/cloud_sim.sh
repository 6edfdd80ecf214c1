#!/bin/bash
# The simulated DigitalOcean and GitLab, judged by clients that are not ours,
# before they judge ours; and each fault: does it do what it says?
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/cloud.sh
. "$(dirname "$0")/cloud.sh"

# ----------------------------------------------------------------- helpers

# api METHOD PATH [BODY [OPTION...]]: by curl, with the right token or the header
# AUTH, and the type TYPE. Sets STATUS (000: no answer) and CURL, its own status;
# the body is in $T/body, the headers in $T/headers.
api() {
    local method=$1 path=$2 body=${3:-} auth
    shift $(($# < 3 ? $# : 3))
    auth="Authorization: Bearer $CLOUD_TOKEN"
    case $path in
    /api/*) auth="PRIVATE-TOKEN: $CLOUD_GITLAB_TOKEN" ;;
    esac
    auth=${AUTH:-$auth}
    : >"$T/body"
    : >"$T/headers"
    STATUS=$(in_cloud env "${CLOUD_TIME[@]}" curl -sS --max-time 120 --noproxy '*' -X "$method" \
        -H "$auth" -H "Content-Type: ${TYPE:-application/json}" -D "$T/headers" \
        -o "$T/body" -w '%{http_code}' ${body:+-d "$body"} "$@" "$CLOUD$path" \
        2>"$T/curl")
    CURL=$?
}

# answers STATUS REGEX METHOD PATH [BODY...]: the regex is for the body, and '' for
# none at all.
answers() {
    local status=$1 regex=$2
    shift 2
    api "$@"
    [ "$STATUS" = "$status" ] || die "$STATUS, not $status: $* $(cat "$T/body")"
    grep -Eqz -- "${regex:-^\$}" <(cat "$T/body"; printf '\0') ||
        die "no '$regex': $* $(cat "$T/body")"
}

# no_answer CURL_STATUS METHOD PATH...: 52 empty, 56 reset, 28 time, 18 cut
no_answer() {
    local status=$1
    shift
    api "$@"
    [ "$CURL" = "$status" ] || die "curl says $CURL, not $status: $*"
}

# field NAME: of the JSON in $T/body, an expression for what is in it.
field() {
    /usr/bin/python3 -c 'import json, sys
body = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$T/body" "$1"
}

# is EXPRESSION VALUE
is() {
    local got
    got=$(field "$1")
    [ "$got" = "$2" ] || die "$1 is '$got', not '$2': $(cat "$T/body")"
}

# soon COMMAND...: true within some seconds of the simulator's
soon() {
    for _ in $(seq 30); do
        "$@" && return
        cloud_pass 0.2
    done
    die "waited in vain: $*"
}

# droplet NAME [MEMBERS]: a body for POST; later members win.
droplet() {
    printf '{"name": "%s", "region": "nyc1", "size": "s-1vcpu-1gb",
        "image": "debian-12-x64"%s}' "$1" "${2:+, $2}"
}

# make NAME [MEMBERS]: sets ID.
make() {
    answers 202 . POST /v2/droplets "$(droplet "$@")"
    ID=$(field 'body["droplet"]["id"]')
}

# shellcheck disable=SC2317
has_status() { api GET "/v2/droplets/$ID" && [ "$STATUS" = 200 ] &&
    [ "$(field 'body["droplet"]["status"]')" = "$1" ]; }
# shellcheck disable=SC2317
is_gone() { api GET "/v2/droplets/$ID" && [ "$STATUS" = 404 ]; }

# living N: so many droplets, whoever sees them.
living() {
    local got
    got=$(cloud_droplets | wc -l)
    [ "$got" = "$1" ] || die "$got droplets, not $1: $(cloud_droplets)"
}

# says ADDRESS: what port 22 says first; fails if it refuses. PATIENCE: how many
# seconds one that is silent has.
says() {
    in_cloud bash -c '{ exec 3<>"/dev/tcp/$1/22"; } || exit
        read -r -t "$2" line <&3
        printf "%s\n" "$line"' bash "$1" "${PATIENCE:-120}" 2>/dev/null
}

# ------------------------------------------------------- clients not ours

test_libcloud_is_content() {
    cloud_start --limit 60 --delete-seconds 1
    cloud_droplet 'foreign-%d' number=45 >/dev/null
    in_cloud env "${CLOUD_TIME[@]}" /usr/bin/python3 -B "$SIM/client_libcloud.py" "$CLOUD" \
        "$CLOUD_TOKEN" || die "libcloud is not"
}

test_python_digitalocean_is_content() {
    /usr/bin/python3 -c 'import digitalocean' 2>/dev/null || {
        echo '# skip python3-digitalocean is not installed'
        return
    }
    cloud_start --limit 60 --boot-seconds 2
    cloud_droplet 'foreign-%d' number=40 >/dev/null
    cloud_droplet 'foreign-web-%d' web number=5 >/dev/null
    in_cloud env "${CLOUD_TIME[@]}" "DIGITALOCEAN_END_POINT=$CLOUD/v2/" \
        /usr/bin/python3 -B "$SIM/client_digitalocean.py" "$CLOUD_TOKEN" ||
        die "python-digitalocean is not"
}

# ---------------------------------------------------- what is refused, and how

test_post_is_judged() {
    cloud_start
    refused() {
        answers 422 "$1" POST /v2/droplets "$(droplet "${3:-a}" "$2")"
    }
    refused 'usr_data' '"usr_data": ""'
    refused 'ssh_keys.*type' '"ssh_keys": null'
    refused 'volumes.*type' '"volumes": null'
    refused 'type' '"backups": "yes"'
    refused 'type' '"image": true'
    refused 'invalid size' '"size": "no-such"'
    refused 'invalid size' '"size": "m-1vcpu-8gb"'
    refused 'Size is not available' '"size": "c2-16vcpu-32gb-intel"'
    refused 'invalid region' '"region": "moon1"'
    refused 'invalid region' '"region": "sfo1"'
    refused 'invalid image' '"image": "debian-10-x64"'
    refused 'invalid image' '"image": 4711'
    refused 'Image is not available' '"image": 154584870'
    refused 'disk of 200 GB' '"image": 154584863'
    refused '99 are invalid key' '"ssh_keys": [38852180, 99]'
    refused 'VPC' '"vpc_uuid": "5a4981aa-9653-4bd1-bef5-000000000003"'
    refused 'Tag name' '"tags": ["a.b"]'
    refused 'Tag name' '"tags": [""]'
    refused 'hostname' '' 'under_score'
    refused 'hostname' '' 'ends-'
    refused 'ipv6' '"public_networking": false, "ipv6": true'
    refused 'either' '"names": ["b"]'
    answers 422 "'size' is missing" POST /v2/droplets '{"name": "a"}'
    answers 422 '10 names' POST /v2/droplets '{"size": "s-1vcpu-1gb",
        "image": 123456789, "names": ["a","b","c","d","e","f","g","h","i","j","k"]}'
    answers 400 'bad_request' POST /v2/droplets '{"name": '
    answers 400 'bad_request' POST /v2/droplets '[]'
    TYPE=application/x-www-form-urlencoded answers 415 'json' \
        POST /v2/droplets name=a
    # 64 KiB of user_data are accepted, one byte more is not
    printf '{"name": "big", "size": "s-1vcpu-1gb", "image": 123456789,
        "user_data": "%065536d"}' 0 >"$T/big"
    answers 202 . POST /v2/droplets "@$T/big"
    sed -i 's/"0/"00/' "$T/big"
    answers 422 '64 KiB' POST /v2/droplets "@$T/big"
    living 1
}

test_places_and_networks() {
    cloud_start
    make any '"region": "nyc", "image": 154584870, "size": "s-1vcpu-1gb",
        "region": "fra1"'
    is 'body["droplet"]["region"]["slug"]' fra1
    make prefix '"region": "nyc", "public_networking": false'
    is 'body["droplet"]["region"]["slug"]' nyc1
    is 'body["droplet"]["vpc_uuid"][-1]' 1
    soon has_status active
    is '[n["type"] for n in body["droplet"]["networks"]["v4"]]' "['private']"
    make vpc '"vpc_uuid": "5a4981aa-9653-4bd1-bef5-000000000005"'
    is 'body["droplet"]["vpc_uuid"][-1]' 5
}

test_account_limit_and_sentence() {
    cloud_start --limit 2
    make one
    make two
    answers 422 'creating this/these droplet\(s\) will exceed your droplet limit' \
        POST /v2/droplets "$(droplet three)"
    cloud_set limit=3
    make three
    answers 200 '"droplet_limit":3' GET /v2/account
}

test_lists_are_filtered_and_paged() {
    cloud_start
    cloud_droplet 'm-%d' Lab number=25 >/dev/null
    cloud_droplet gpu Lab size=gpu-h100x1-80gb region=nyc3 >/dev/null
    answers 200 . GET /v2/droplets
    is 'len(body["droplets"]), body["meta"]["total"]' '(20, 25)'
    answers 200 . GET '/v2/droplets?type=gpus'
    is '[d["name"] for d in body["droplets"]]' "['gpu']"
    answers 200 . GET '/v2/droplets?tag_name=Lab&per_page=200'
    is 'len(body["droplets"]), body["links"]' '(25, {})'
    answers 200 . GET '/v2/droplets?tag_name=lab'
    is 'body["droplets"], body["meta"]' "([], {'total': 0})"
    answers 200 . GET '/v2/droplets?name=M-7'
    is '[d["name"] for d in body["droplets"]]' "['m-7']"
    answers 422 combined GET '/v2/droplets?tag_name=Lab&name=m-7'
    answers 422 per_page GET '/v2/droplets?per_page=201'
    answers 422 page GET '/v2/droplets?page=0'
    answers 404 not_found GET /v2/droplets/0
    answers 404 not_found GET /v2/nothing
    answers 200 '"count":26' GET /v2/tags/Lab
    answers 404 not_found GET /v2/tags/lab
    answers 201 '"name":"Lab"' POST /v2/tags '{"name": "LAB"}'
    answers 400 root_causes POST /v2/tags '{"name": "a.b"}'
    answers 200 '"154584864"' GET '/v2/snapshots?resource_type=droplet'
    answers 200 . GET '/v2/images?private=true&per_page=200'
    is '{i["public"] for i in body["images"]}' '{False}'
    answers 200 '"id":123456789' GET /v2/images/debian-12-x64
    answers 200 debian-12-x64 GET /v2/images/123456789
    answers 404 not_found GET /v2/images/build-amd64-deb
    answers 200 builders GET /v2/vpcs
    # all with the tag, without a word which
    answers 204 '' DELETE '/v2/droplets?tag_name=Lab'
    soon living_0
}
# shellcheck disable=SC2317
living_0() { [ -z "$(cloud_droplets)" ]; }

test_limits_of_requests() {
    cloud_start --per-minute 5 --per-hour 8
    for _ in 1 2 3 4 5; do answers 200 . GET /v2/account; done
    answers 429 too_many_requests GET /v2/account
    grep -qi '^retry-after: [0-9]' "$T/headers" || die "no retry-after"
    cloud_set per_minute=250
    for _ in 1 2 3; do answers 200 . GET /v2/account; done
    answers 429 too_many_requests GET /v2/account
    ! grep -qi '^retry-after' "$T/headers" || die "a retry-after"
    grep -qi '^ratelimit-remaining: 0' "$T/headers" || die "no remaining"
    cloud_set per_hour=5000
    for _ in 1 2 3 4 5 6 7 8 9 10; do answers 200 . GET /v2/account/keys; done
    answers 429 too_many_requests GET /v2/account/keys
    answers 200 . GET /v2/account
}

test_tokens() {
    cloud_start
    AUTH=X-None: answers 401 'Unable to authenticate' GET /v2/account
    AUTH='Authorization: Bearer other' \
        answers 401 'Unable to authenticate' GET /v2/account
    grep -qi '^x-request-id: [0-9a-f-]\{36\}' "$T/headers" || die "no id"
    is 'sorted(body)' "['id', 'message', 'request_id']"
    AUTH=X-None: answers 401 '401 Unauthorized' GET /api/v4/runners/1
    [ "$(cloud_log | cut -d ' ' -f 3,4 | tr '\n' ,)" = \
        '401 none,401 wrong,401 none,' ] || die "the log: $(cloud_log)"
}

# --------------------------------------------------------------- port 22

test_port_22() {
    cloud_start --boot-seconds 0.2 --ssh-seconds 1000
    make early
    soon has_status active
    says 127.30.0.2 && die "too early"
    cloud_set ssh_seconds=0.2
    make one
    soon says 127.30.0.3
    [[ $(says 127.30.0.3) == SSH-2.0-* ]] || die "no banner"
    [[ $(says 127.31.0.3) == SSH-2.0-* ]] || die "no banner at the public one"
    answers 204 '' DELETE "/v2/droplets/$ID"
    soon is_gone
    soon silent 127.30.0.3
    ssh_fault ssh-never 1 127.30.0.4
    ssh_fault ssh-no-banner 0 127.30.0.5
    [ -z "$(PATIENCE=1 says 127.30.0.5)" ] || die "it speaks"
    ssh_fault ssh-nonsense 0 127.30.0.6
    [[ $(says 127.30.0.6) == HTTP* ]] || die "it does not speak HTTP"
}
# shellcheck disable=SC2317
silent() { ! says "$1"; }
ssh_fault() {
    cloud_fault "$1" 1
    make "${1//_/-}"
    soon has_status active
    cloud_pass 60
    if [ "$2" = 0 ]; then PATIENCE=0.1 soon says "$3"; else silent "$3" || die "$1"; fi
}

# ------------------------------------------------------- faults, one by one

test_every_fault_is_tried() {
    local fault
    /usr/bin/python3 -B "$SIM/cloud.py" --faults | while read -r fault _; do
        grep -Eq "(fault|made|unmade)( [a-z_]+)* $fault( |\$)" \
            "$ROOT/tests/e2e/cloud_sim.sh" || echo "# $fault is not tried"
    done >"$T/untried"
    [ ! -s "$T/untried" ] || {
        cat "$T/untried"
        die "and so on"
    }
}

test_faults_of_post() {
    local n=0
    cloud_start --limit 100
    # made FAULT CHECK...: the fault hits once, the droplet is there
    made() {
        cloud_fault "$1" 1
        "${@:2}" POST /v2/droplets "$(droplet x)"
        living $((++n))
    }
    unmade() {
        cloud_fault "$1" 1
        "${@:2}" POST /v2/droplets "$(droplet x)"
        living $n
    }
    made post-500-after-accept answers 500 server_error
    made post-reset-after-accept no_answer 56
    made post-502-html-after-accept answers 502 '<html>'
    made post-cut-after-accept no_answer 18
    made post-stall-after-accept no_answer 28
    made post-nonsense answers 202 '"droplet":\[\]'
    made post-not-json answers 202 '<html>'
    unmade post-500-not-made answers 500 server_error
    unmade post-503-not-made answers 503 .
    unmade post-reset-not-made no_answer 56
    unmade post-try-again answers 422 'Please try again'
    unmade limit-422 answers 422 'will exceed your droplet limit'
    unmade account-locked answers 403 locked
    unmade post-429 answers 429 too_many
    local before
    before=$(cloud_time)
    cloud_fault post-slow 1 70
    make slow
    [ $(($(cloud_time) - before)) -ge 69 ] || die 'it was not slow'
    cloud_fault post-slow 1 200
    no_answer 28 POST /v2/droplets "$(droplet x)"
    living $((n + 2))
    make normal
}

test_faults_of_a_life() {
    cloud_start --boot-seconds 0.2
    cloud_fault action-errored 1
    make errored
    local action
    action=$(field 'body["links"]["actions"][0]["id"]')
    # shellcheck disable=SC2317
    errored() { api GET "/v2/actions/$action" && grep -q errored "$T/body"; }
    soon errored
    has_status new || die "it is not new"
    cloud_fault never-active 1
    make never
    cloud_pass 60
    answers 200 '"locked":true,"status":"new"' GET "/v2/droplets/$ID"
    answers 200 in-progress GET "/v2/droplets/$ID/actions"
    cloud_fault droplet-vanishes 1
    make vanishes
    is_gone || die "it is there"
    answers 404 . DELETE "/v2/droplets/$ID"
    cloud_fault not-yet
    make waits
    cloud_pass 60
    has_status new || die "it is not new"
    cloud_fault not-yet 0
    has_status active || die "it is not active"
    cloud_fault active-off 1
    make off
    soon has_status off
    cloud_fault public-only 1
    make public
    soon has_status active
    is '[n["type"] for n in body["droplet"]["networks"]["v4"]]' "['public']"
    cloud_fault list-lag 1 1000
    make lags
    answers 200 . GET "/v2/droplets/$ID"
    answers 200 '"droplets":\[\]' GET '/v2/droplets?name=lags'
    cloud_fault list-lag 1 0.5
    make less
    # shellcheck disable=SC2317
    listed() { api GET '/v2/droplets?name=less' && grep -q '"less"' "$T/body"; }
    soon listed
    living 7
}

test_faults_of_looking() {
    cloud_start --boot-seconds 0.1
    make old
    soon has_status active
    cloud_fault get-404-first 3
    cloud_fault no-address 2
    answers 200 '"type":"private"' GET "/v2/droplets/$ID"
    make new
    answers 404 . GET "/v2/droplets/$ID"
    answers 200 . GET /v2/droplets
    is '[d["name"] for d in body["droplets"]]' "['old']"
    living 2
    answers 404 . GET "/v2/droplets/$ID"
    cloud_pass 60
    answers 200 '"status":"active".*"v4":\[\]' GET "/v2/droplets/$ID"
    answers 200 . GET /v2/droplets
    is '[len(d["networks"]["v4"]) for d in body["droplets"]]' '[2, 0]'
    answers 200 '"type":"private"' GET "/v2/droplets/$ID"
}

test_faults_of_delete() {
    cloud_start --boot-seconds 0.2
    # stays FAULT CHECK...: and the next DELETE works
    unmade() {
        make x
        soon has_status active
        cloud_fault "$1" 1 "${SECONDS_OF:-}"
        "${@:2}" DELETE "/v2/droplets/$ID"
        cloud_pass 60
        living 1
        answers 204 '' DELETE "/v2/droplets/$ID"
        soon is_gone
    }
    made() {
        make x
        soon has_status active
        cloud_fault "$1" 1
        "${@:2}" DELETE "/v2/droplets/$ID"
        soon is_gone
    }
    unmade delete-422 answers 422 'Droplet already has a pending event.'
    unmade delete-ignored answers 204 ''
    unmade delete-500 answers 500 server_error
    made delete-500-after-accept answers 500 server_error
    made delete-reset-after-accept no_answer 56
    made delete-404 answers 404 not_found
    SECONDS_OF=1000 unmade delete-slow answers 204 ''
    # still locked when the next request comes
    cloud_set boot_seconds=5
    make x
    cloud_fault delete-new-422
    answers 422 'pending event' DELETE "/v2/droplets/$ID"
    soon has_status active
    answers 204 '' DELETE "/v2/droplets/$ID"
    make x
    cloud_fault delete-new-ignored
    cloud_fault delete-new-422 0
    answers 204 '' DELETE "/v2/droplets/$ID"
    soon has_status active
    cloud_pass 60
    has_status active || die "it went"
}

test_faults_of_any_request() {
    cloud_start
    cloud_droplet 'm-%d' number=3 >/dev/null
    cloud_fault list-502-html 1
    answers 502 '<html>' GET /v2/droplets
    cloud_fault list-500 1
    answers 500 server_error GET /v2/droplets
    cloud_fault list-nonsense 1
    answers 200 '"droplets":\{' GET /v2/droplets
    cloud_fault list-cut 1
    no_answer 18 GET /v2/droplets
    cloud_fault list-reset 1
    no_answer 56 GET /v2/droplets
    cloud_fault list-together 2
    mkdir "$T/first"
    (T=$T/first; answers 200 . GET /v2/droplets) &
    local first=$!
    wait_for grep -q list-together "$T/cloud.log" || die 'it has not come'
    kill -0 $first || die 'it is answered'
    answers 200 . GET /v2/droplets
    wait $first || die 'the first is not'
    cloud_fault page-2-fails 1
    answers 200 . GET '/v2/droplets?per_page=2&page=1'
    answers 500 . GET '/v2/droplets?per_page=2&page=2'
    answers 200 '"m-2"' GET '/v2/droplets?per_page=2&page=2'
    cloud_fault 429 1 7
    answers 429 too_many_requests GET /v2/account
    grep -qi '^retry-after: 7' "$T/headers" || die "no retry-after"
    cloud_fault 429-hourly 1
    answers 429 too_many_requests GET /v2/account
    ! grep -qi '^retry-after' "$T/headers" || die "a retry-after"
    grep -qi '^ratelimit-remaining: 0' "$T/headers" || die "no remaining"
    cloud_fault get-500 1
    answers 500 server_error GET /v2/account
    cloud_fault get-reset 1
    no_answer 56 GET /v2/account
    cloud_fault unauthorized 1
    answers 401 unauthorized GET /v2/account
    cloud_fault forbidden 1
    answers 403 forbidden GET /v2/account
    cloud_fault stall 1
    no_answer 28 GET /v2/account
    local before
    before=$(cloud_time)
    cloud_fault slow 1 30
    answers 200 . GET /v2/account
    [ $(($(cloud_time) - before)) -ge 29 ] || die 'it was not slow'
    cloud_fault account-locked 1
    answers 200 '"status":"locked"' GET /v2/account
    cloud_fault account-warning 1
    answers 200 '"status":"warning"' GET /v2/account
    # 127.0.0.2 takes the token of whoever brings it, and the log says so
    cloud_fault redirect 1
    cloud_forget
    answers 302 '' GET /v2/account
    cloud_fault redirect 1
    answers 200 droplet_limit GET /v2/account '' -L --location-trusted
    cloud_log | grep -q '^GET http://127.0.0.2/v2/account 200 right' ||
        die "not in the log: $(cloud_log)"
}

# ----------------------------------------------------------------- GitLab

RUNNER='"runner_type": "project_type", "project_id": 42, "description": "lab"'

test_runners() {
    local id token
    cloud_start --boot-seconds 0.2 --runner-seconds 0.3
    answers 400 'runner_type is missing' POST /api/v4/user/runners '{}'
    answers 400 'project_id is missing' POST /api/v4/user/runners \
        '{"runner_type": "project_type"}'
    answers 400 scope POST /api/v4/user/runners \
        '{"runner_type": "project_type", "project_id": 43}'
    answers 400 'Tags list can not be empty' POST /api/v4/user/runners \
        "{$RUNNER, \"run_untagged\": false}"
    # as a form
    TYPE=application/x-www-form-urlencoded answers 201 '"token":"glrt-' \
        POST /api/v4/user/runners \
        'runner_type=project_type&project_id=42&tag_list=a,b&run_untagged=false'
    answers 201 '"token_expires_at":null' POST /api/v4/user/runners \
        "{$RUNNER, \"tag_list\": \"amd64-deb, lab\", \"locked\": true}"
    id=$(field 'body["id"]') token=$(field 'body["token"]')
    answers 200 '"status":"never_contacted"' GET "/api/v4/runners/$id"
    is 'body["tag_list"], body["locked"]' "(['amd64-deb', 'lab'], True)"
    answers 200 . GET '/api/v4/projects/42/runners?tag_list=lab'
    is '[r["id"] for r in body], "token" in body[0]' "([$id], False)"
    make machine "\"user_data\": \"register --token '$token'\""
    # shellcheck disable=SC2317
    online() { api GET "/api/v4/runners/$id" &&
        [ "$(field 'body["status"]')" = online ]; }
    soon has_status active
    soon online
    answers 200 '"system_id"' GET "/api/v4/runners/$id/managers"
    answers 200 '^\[\]' GET "/api/v4/runners/$id/jobs?status=running"
    answers 200 '"paused":true' PUT "/api/v4/runners/$id" '{"paused": true}'
    answers 200 . GET '/api/v4/projects/42/runners?type=project_type&status=online'
    is '[r["id"] for r in body]' "[$id]"
    # its machine goes, and it still is online: the API is slow to notice
    answers 204 '' DELETE "/v2/droplets/$ID"
    soon is_gone
    online || die "not online"
    answers 204 '' DELETE "/api/v4/runners/$id"
    answers 404 '404 Not found' GET "/api/v4/runners/$id"
    answers 404 '404 Project Not Found' GET /api/v4/projects/43
    answers 200 '"id":42' GET /api/v4/projects/42
    answers 200 create_runner GET /api/v4/personal_access_tokens/self
    cloud_runner 'foreign' x status=offline age=7200 >/dev/null
    [ "$(cloud_runners | wc -l)" = 2 ] || die "$(cloud_runners)"
}

test_runners_are_paged() {
    cloud_start
    for _ in $(seq 21); do cloud_runner many status=stale; done >/dev/null
    answers 200 . GET '/api/v4/projects/42/runners'
    is 'len(body)' 20
    grep -qi '^X-Next-Page: 2' "$T/headers" || die "no next page"
    answers 200 . GET '/api/v4/projects/42/runners?per_page=500&page=1'
    is 'len(body)' 21
    grep -qi '^X-Per-Page: 100' "$T/headers" || die "not clamped"
    answers 200 '^\[\]' GET '/api/v4/projects/42/runners?page=3'
}

test_faults_of_gitlab() {
    local id n=0
    cloud_start --boot-seconds 0.1 --runner-seconds 0.1
    made() {
        cloud_fault "$1" 1
        "${@:2}" POST /api/v4/user/runners "{$RUNNER}"
        [ "$(cloud_runners | wc -l)" = $((++n)) ] || die "$1: $(cloud_runners)"
    }
    unmade() {
        cloud_fault "$1" 1
        "${@:2}" POST /api/v4/user/runners "{$RUNNER}"
        [ "$(cloud_runners | wc -l)" = $n ] || die "$1: $(cloud_runners)"
    }
    made runner-post-500-after-accept answers 500 Internal
    made runner-post-reset-after-accept no_answer 56
    made runner-post-nonsense answers 201 '^.[^k]*"token_expires_at'
    unmade runner-post-500-not-made answers 500 Internal
    unmade runner-post-403 answers 403 insufficient_scope
    unmade gitlab-down answers 503 '<html>'
    unmade gitlab-401 answers 401 '401 Unauthorized'
    unmade gitlab-429 answers 429 'Retry later'
    unmade gitlab-stall no_answer 28
    id=$(cloud_runners | cut -d ' ' -f 1 | head -n 1)
    cloud_fault runner-get-500 1
    answers 500 Internal GET "/api/v4/runners/$id"
    cloud_fault runner-list-500 1
    answers 500 Internal GET /api/v4/projects/42/runners
    cloud_fault runner-put-500 1
    answers 500 Internal PUT "/api/v4/runners/$id" '{"paused": true}'
    cloud_fault runner-delete-403 1
    answers 403 'more than one project' DELETE "/api/v4/runners/$id"
    cloud_fault runner-delete-412 1
    answers 412 'Precondition' DELETE "/api/v4/runners/$id"
    cloud_fault runner-delete-500 1
    answers 500 Internal DELETE "/api/v4/runners/$id"
    answers 204 '' DELETE "/api/v4/runners/$id"
    answers 201 . POST /api/v4/user/runners "{$RUNNER}"
    id=$(field 'body["id"]')
    cloud_fault runner-never-online 1
    make machine "\"user_data\": \"$(field 'body["token"]')\""
    soon has_status active
    cloud_pass 60
    answers 200 never_contacted GET "/api/v4/runners/$id"
}

# ------------------------------------------------------------ its own end

test_it_ends_with_its_parent() {
    local pid
    # the subshell is its parent
    pid=$(cloud_start; echo "$CLOUD_PID")
    [[ $pid =~ ^[0-9]+$ ]] || die "it did not start: $pid"
    wait_for ended "$pid" || die 'it goes on'
}
# shellcheck disable=SC2317
ended() { ! kill -0 "$1" 2>/dev/null; }

# The key that every test wants: several would make it at the same time.
make_key main
# They name addresses, which are shared where there is no namespace.
# shellcheck disable=SC2034
if unshare -n true 2>/dev/null || unshare -rn true 2>/dev/null; then PARALLEL=4; fi
run_tests
