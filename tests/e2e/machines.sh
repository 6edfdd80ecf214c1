#!/bin/bash
# build-machine-ctl as a user runs it: what each verb makes, deletes, prints and
# refuses. What there is in the end is read with a client that is not ours.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cloud.sh"

NAME='build-server-amd64-deb-tmp'
OURS=(build-machines build-orchestration)
SHA256=$(printf '%064d' 1)
TAB=$'\t'

# ------------------------------------------------------------- helpers

# A cloud that is quick, and the configuration for it.
start() {
    cloud_start --boot-seconds 0.1 --ssh-seconds 0.05 --runner-seconds 0.1 \
        --delete-seconds 0.05 --keys-per-minute 1000 "$@"
    cloud_conf
}

# The machines of all builds become runners.
enrol() {
    sed -i 's/^\[machine .*/&\nuser-data = enrol/' "$T/conf"
    printf '[enrol]\nearthly-sha256 = %s\n' "$SHA256" >>"$T/conf"
}

# ours BUILD [TAG...] [KEY=VALUE...]: a droplet that is ours; prints its id.
ours() { cloud_droplet "build-server-$1-tmp" "${OURS[@]}" "${@:2}"; }

# The ids of all droplets and of all runners, each as one line.
ids() { cloud_droplets | cut -d ' ' -f 1 | sort -n | tr '\n' ' '; }
runner_ids() { cloud_runners | cut -d ' ' -f 1 | sort -n | tr '\n' ' '; }

# line ID...: as ids prints them.
line() { printf '%s\n' "$@" | sort -n | tr '\n' ' '; }

# there ID...: these droplets, and no others.
there() {
    local got want=''
    got=$(ids)
    [ $# = 0 ] || want=$(line "$@")
    [ "$got" = "$want" ] || die "there is '$got', not '$want'"
}

no_runners() { [ -z "$(cloud_runners)" ] || die "left: $(cloud_runners)"; }

# Requests that change something.
changes() { cloud_log | grep -E '^(POST|PUT|PATCH|DELETE) '; }
unchanged() { ! changes >changes || die "has changed: $(cat changes)"; }
posts() { cloud_log | grep -c '^POST /v2/droplets '; }

# column N: of what was printed, as one line.
column() { cut -f "$1" "$T/out" | tr '\n' ' '; }

# json EXPRESSION: of the JSON that was printed (j).
json() {
    python3 -c 'import json, sys
j = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$T/out" "$1"
}

# body EXPRESSION: of what the last POST said (b); BEFORE and AFTER are times
# around it.
body() {
    cloud_bodies | tail -n 1 | BEFORE=${BEFORE:-0} AFTER=${AFTER:-0} python3 -c '
import json, os, sys
b = json.loads(sys.stdin.read())
before, after = int(os.environ["BEFORE"]), int(os.environ["AFTER"])
def tag(key):
    return [t.split(":", 1)[1] for t in b["tags"] if t.startswith(key + ":")]
print(eval(sys.argv[1]))' "$1"
}

# is GOT WANTED
is() { [ "$1" = "$2" ] || die "'$1' is not '$2'"; }

# ---------------------------------------------------------- round trip

test_create_list_delete() {
    local id ip a='127\.30\.[0-9]+\.[0-9]+' b='127\.31\.[0-9]+\.[0-9]+'
    start
    must machines create amd64-deb arm64-deb
    is "$(wc -l <out)" 2
    grep -Eq "^amd64-deb${TAB}[0-9]+$TAB$NAME${TAB}active$TAB$a$TAB$b\$" out ||
        die "$(cat -A out)"
    grep -Eq "^arm64-deb${TAB}[0-9]+${TAB}build-server-arm64-deb-tmp${TAB}active$TAB$a$TAB$b\$" \
        out || die "$(cat -A out)"
    # shellcheck disable=SC2046
    there $(cut -f 2 out)
    cloud_droplets | grep -Eq "^[0-9]+ $NAME active (.*,)?build-machines," ||
        die "$(cloud_droplets)"
    id=$(grep '^amd64-deb' out | cut -f 2)
    ip=$(grep '^amd64-deb' out | cut -f 5)
    # this is what create has waited for
    in_cloud bash -c "head -c 4 </dev/tcp/$ip/22" | grep -q '^SSH-' || die "$ip"

    must machines list
    is "$(column 1)" 'amd64-deb arm64-deb '
    grep -Eq "^amd64-deb$TAB$id$TAB$NAME${TAB}active$TAB$ip$TAB$b${TAB}[0-9]+${TAB}0\.01\$" \
        out || die "$(cat -A out)"
    must machines list arm64-deb
    is "$(column 1)" 'arm64-deb '
    must machines list amd64-rpm
    [ ! -s out ] || die "$(cat out)"

    must machines delete amd64-deb
    grep -Eq "^amd64-deb$TAB$id$TAB$NAME${TAB}[0-9]+${TAB}0\.01\$" out ||
        die "$(cat -A out)"
    is "$(wc -l <out)" 1
    is "$(cloud_droplets | cut -d ' ' -f 2)" build-server-arm64-deb-tmp
    must machines delete arm64-deb amd64-deb
    is "$(column 1)" 'arm64-deb '
    there
    must machines delete amd64-deb
    [ ! -s out ] || die "$(cat out)"
    cloud_log | grep -v ' right$' && die 'without the token'
    return 0
}

test_json_and_headers() {
    local screen=(python3 "$ROOT/tests/e2e/on_terminal.py" 200
        "$BUILD/bin/build-machine-ctl" -c "$T/conf")
    start
    ours arm64-deb status=new >/dev/null
    must machines --json create amd64-deb
    is "$(json 'len(j), list(j[0])')" "(1, ['build', 'id', 'name', 'status', 'private-ip', 'public-ip'])"
    # 64 bits, and a number
    is "$(json 'type(j[0]["id"]).__name__, j[0]["id"] > 2 ** 32, j[0]["status"]')" \
        "('int', True, 'active')"
    is "$(json 'str(j[0]["id"])')" "$(cloud_droplets | grep " $NAME " | cut -d ' ' -f 1)"
    must machines --json list
    is "$(json '[d["build"] for d in j]')" "['amd64-deb', 'arm64-deb']"
    is "$(json '[type(j[0][k]).__name__ for k in ("age-seconds", "cost-usd")]')" \
        "['int', 'float']"
    is "$(json 'j[1]["private-ip"], j[1]["status"]')" "('', 'new')"
    in_cloud "${screen[@]}" list </dev/null | tr -d '\r' >screen
    is "$(awk 'NR == 1 {$1 = $1; print}' screen)" \
        'build id name status private-ip public-ip age cost-usd'
    is "$(awk 'NR > 1 {printf "%s ", $1}' screen)" 'amd64-deb arm64-deb '
    # a field that is not known is empty
    must machines list
    grep -Eq "^arm64-deb${TAB}[0-9]+${TAB}[^$TAB]+${TAB}new$TAB$TAB$TAB" out ||
        die "$(cat -A out)"
    must machines --json check
    is "$(json 'sorted({d["level"] for d in j}), list(j[0])')" \
        "(['ok'], ['level', 'subject', 'finding'])"
    must machines --json delete --all
    is "$(json 'len(j), list(j[0])')" "(2, ['build', 'id', 'name', 'age-seconds', 'cost-usd'])"
    must machines --json list
    is "$(json j)" '[]'
    in_cloud "${screen[@]}" delete --all </dev/null | tr -d '\r' >screen
    awk '{$1 = $1; print}' screen | grep -qx 'build id name age cost-usd' ||
        die "$(cat -A screen)"
    there
}

# ------------------------------------------------------ what is asked for

test_what_a_request_says() {
    local user
    start
    BEFORE=$(cloud_time)
    must machines create --wait none amd64-deb -o digitalocean.ttl=2h
    AFTER=$(cloud_time)
    is "$(body 'sorted(b)')" "['image', 'name', 'region', 'size', 'ssh_keys', 'tags']"
    is "$(body 'b["name"], b["region"], b["size"]')" \
        "('$NAME', 'nyc1', 'c2-8vcpu-16gb-intel')"
    is "$(body 'b["image"]')" 154584863
    is "$(body 'b["ssh_keys"]')" '[38852180, 38632397, 41187560]'
    is "$(body 'b["tags"][:2], len(b["tags"])')" \
        "(['build-machines', 'build-orchestration'], 5)"
    is "$(body 'tag("build")')" "['amd64-deb']"
    is "$(body 'before + 7200 <= int(tag("expires")[0]) <= after + 7200')" True
    is "$(body '__import__("re").fullmatch("[0-9]{10}-[0-9a-f]{8}",
        tag("attempt")[0]) is not None')" True

    # fingerprints are text
    user=$'#cloud-config\n# "quoted" \\ \xc3\xa4\n'
    printf %s "$user" >"$T/user"
    must machines create --wait none arm64-deb \
        -o 'digitalocean.ssh-keys=38852180 f1:0f:bb:a6:d9:cd:0d:ab:44:90:b0:68:bc:0e:0e:9a' \
        -o digitalocean.vpc=5a4981aa-9653-4bd1-bef5-000000000005 \
        -o "machine arm64-deb.user-data=$T/user" -o 'digitalocean.tags=one two:2' \
        -o digitalocean.name-format=lab.%s
    is "$(body 'b["ssh_keys"]')" \
        "[38852180, 'f1:0f:bb:a6:d9:cd:0d:ab:44:90:b0:68:bc:0e:0e:9a']"
    is "$(body 'b["vpc_uuid"], b["name"], b["tags"][:2]')" \
        "('5a4981aa-9653-4bd1-bef5-000000000005', 'lab.arm64-deb', ['one', 'two:2'])"
    body 'b["user_data"]' >user.got
    printf '%s\n' "$user" | cmp - user.got || die 'user_data'
    # what was set is what the droplet is ours by
    must machines list
    is "$(column 1)" 'amd64-deb '

    must machines create --wait none amd64-rpm -o digitalocean.ssh-keys=
    is "$(body '"ssh_keys" in b, None in b.values()')" '(False, False)'
    # each request has a mark of its own
    is "$(cloud_bodies | grep -o 'attempt:[^"]*' | sort -u | wc -l)" 3
}

test_size_and_region_of_a_machine() {
    start
    must machines create amd64-deb arm64-deb --wait none \
        -o digitalocean.region=fra1 -o digitalocean.size=c-4 \
        -o 'machine amd64-deb.image=debian-12-x64' \
        -o 'machine arm64-deb.image=debian-12-x64' \
        -o 'machine arm64-deb.region=nyc3' -o 'machine arm64-deb.size=s-2vcpu-4gb'
    cloud_bodies | python3 -c 'import json, sys
for b in map(json.loads, sys.stdin):
    print(b["name"], b["region"], b["size"])' | sort >got
    is "$(cat got)" "$NAME fra1 c-4"$'\n'"build-server-arm64-deb-tmp nyc3 s-2vcpu-4gb"
}

test_image_by_id_slug_and_name() {
    local image=(-o digitalocean.size=c-4 --wait none)
    start
    sed -i '/^image/d' "$T/conf"
    must machines create amd64-deb "${image[@]}" -o 'machine amd64-deb.image=223456790'
    is "$(body 'b["image"]')" 223456790
    must machines create --replace amd64-deb "${image[@]}" \
        -o 'machine amd64-deb.image=debian-12-x64'
    is "$(body 'b["image"]')" 123456789
    # of several the newest, where it is needed; this one is newer, but elsewhere
    cloud_do image '{"name": "build-amd64-rpm", "regions": ["fra1"]}' >/dev/null
    must machines create --replace amd64-deb --wait none \
        -o 'machine amd64-deb.image=build-amd64-rpm'
    is "$(body 'b["image"]')" 154584864
    must machines create --replace amd64-deb "${image[@]}" \
        -o 'machine amd64-deb.image=only-in-fra1' -o digitalocean.region=fra1
    is "$(body 'b["image"]')" 154584870
    must machines delete --all
    cloud_forget
    expect 78 "the snapshot 'only-in-fra1' is not in region nyc1" \
        machines create amd64-deb "${image[@]}" \
        -o 'machine amd64-deb.image=only-in-fra1'
    expect 78 "'none-such' is neither the slug of an image nor the name of a snapshot; snapshots: .*'build-amd64-deb'" \
        machines create amd64-deb -o 'machine amd64-deb.image=none-such'
    expect 78 'there is no image 99' \
        machines create amd64-deb -o 'machine amd64-deb.image=99'
    expect 78 'only-in-fra1|none-such' machines create arm64-deb amd64-deb \
        -o 'machine arm64-deb.image=none-such' \
        -o 'machine amd64-deb.image=only-in-fra1'
    grep -q none-such err && grep -q only-in-fra1 err || die "$(cat err)"
    unchanged
    there
}

test_what_digitalocean_refuses_is_said_in_its_words() {
    start --limit 2
    expect 69 'invalid size' machines create amd64-deb -o digitalocean.size=none
    expect 69 'are invalid key identifiers' \
        machines create amd64-deb -o digitalocean.ssh-keys=1
    expect 69 'droplet limit' machines create amd64-deb arm64-deb amd64-rpm
    # those that could be made are of no use alone
    there
    DIGITALOCEAN_ACCESS_TOKEN=dop_v1_wrong expect 77 'Unable to authenticate' \
        machines list
    DIGITALOCEAN_ACCESS_TOKEN=dop_v1_wrong expect 77 'Unable to authenticate' \
        machines create amd64-deb
    # the environment comes first
    echo wrong-token >"$T/do.token"
    DIGITALOCEAN_ACCESS_TOKEN=$CLOUD_TOKEN must machines list
}

# ----------------------------------------------------- what is there already

test_adoption() {
    local made hand
    start
    must machines create amd64-deb
    made=$(column 2)
    cloud_forget
    expect 0 'exists already: adopted' machines create amd64-deb
    is "$(column 2)" "$made"
    # by hand, without any tag but ours; it is waited for
    hand=$(ours arm64-deb)
    must machines create arm64-deb amd64-deb
    is "$(column 2)" "$hand $made"
    is "$(column 4)" 'active active '
    unchanged
    # shellcheck disable=SC2086
    there $made $hand
    # of several the oldest, and the others are told of
    hand=$(ours arm64-deb)
    expect 0 "droplet $hand is another machine of this build" machines create arm64-deb
    unchanged
    # a name alone is not enough
    cloud_droplet build-server-amd64-rpm-tmp build-machines >hand
    must machines create amd64-rpm
    [ "$(column 2)" != "$(cat hand) " ] || die adopted
    is "$(posts)" 1
}

test_adopted_machines_stay_when_it_fails() {
    local id off
    start
    id=$(ours amd64-deb ssh=false)
    expect 75 "droplet $id: no SSH server answers on port 22" machines create --timeout 2m amd64-deb arm64-deb
    there "$id"
    off=$(ours amd64-rpm status=off)
    expect 69 "droplet $off .*is switched off.*--replace" machines create amd64-rpm
    there "$id" "$off"
    enrol
    expect 69 "droplet $id has no runner of its own" \
        machines create --wait runner amd64-deb
    there "$id" "$off"
    no_runners
    must machines create --replace --wait runner amd64-rpm amd64-deb
    is "$(cloud_droplets | wc -l)" 2
    is "$(cloud_runners | cut -d ' ' -f 2 | tr '\n' ' ')" 'online online '
}

test_replace() {
    local one two other runner
    start
    enrol
    must machines create --wait runner amd64-deb
    one=$(column 2)
    runner=$(runner_ids)
    two=$(ours amd64-deb)
    other=$(ours arm64-deb)
    cloud_droplet $NAME other >foreign
    cloud_forget
    must machines create --replace --wait runner amd64-deb
    [ "$(column 2)" != "$one" ] && [ "$(column 2)" != "$two " ] || die same
    is "$(posts)" 1
    # shellcheck disable=SC2046
    there $(column 2) "$other" "$(cat foreign)"
    is "$(runner_ids | wc -w)" 1
    [ "$(runner_ids)" != "$runner" ] || die "the old runner is left"
    # there was none
    must machines create --replace --wait none amd64-rpm
    is "$(column 1)" 'amd64-rpm '
}

# --------------------------------------------------------- when it is ready

test_wait_none_and_active() {
    start --boot-seconds 1000
    must machines create --wait none amd64-deb
    is "$(cut -f 4- out)" "new$TAB$TAB"
    is "$(cloud_droplets | cut -d ' ' -f 3)" new
    cloud_set boot_seconds=0.3 ssh_seconds=1000
    must machines create --wait active arm64-deb
    is "$(column 4)" 'active '
    cut -f 5 out | grep -q '^127\.30\.' || die "$(cat out)"
    cloud_fault public-only 1
    expect 75 'it has no private address' \
        machines create --wait active --timeout 2m amd64-rpm
    is "$(cloud_droplets | wc -l)" 2
}

test_wait_ssh_is_the_default() {
    start
    cloud_set ssh_seconds=0.5
    must machines create amd64-deb
    in_cloud bash -c "head -c 4 </dev/tcp/$(cut -f 5 out)/22" | grep -q '^SSH-' ||
        die 'no sshd'
    must machines delete amd64-deb
    cloud_set ssh_seconds=0.05
    cloud_fault ssh-no-banner 1
    expect 75 'timed out: droplet [0-9]+: no SSH server answers on port 22' \
        machines create --timeout 2m amd64-deb
    there
    cloud_fault ssh-never 1
    # all of them go, those that were ready too
    expect 75 'port 22 of its private address' \
        machines create --wait ssh --timeout 2m amd64-deb arm64-deb
    there
}

test_wait_runner() {
    local id
    start
    enrol
    # a machine whose runner is online, and is none of this one's
    cloud_runner "$NAME 1795330830-9f86d081" status=online >/dev/null
    cloud_set runner_seconds=0.5
    must machines create --wait runner amd64-deb
    id=$(cloud_state | python3 -c 'import json, sys
d = json.load(sys.stdin)["droplets"][-1]
print([t[7:] for t in d["tags"] if t.startswith("runner:")][0])')
    cloud_runners | grep -Eq "^$id online active $NAME [0-9]+-[0-9a-f]{8} amd64-deb\$" ||
        die "$id: $(cloud_runners)"
    # it does its own machine's work and no other
    cloud_state | python3 -c 'import json, sys
state = json.load(sys.stdin)
r, d = state["runners"][-1], state["droplets"][-1]
assert r["run_untagged"] is False and r["locked"] is True, r
assert r["runner_type"] == "project_type", r
assert r["access_level"] == "ref_protected", r
assert r["token"] in d["user_data"], d' || die 'its runner'
    # adopted, with its runner
    must machines create --wait runner amd64-deb
    is "$(posts)" 1
    must machines delete amd64-deb
    no_runners
    cloud_log | grep -E "^(PUT|DELETE) " >order
    grep -n . order | sed "s/$id/RUNNER/" | grep RUNNER | cut -d ' ' -f 1,2 >got
    is "$(head -n 1 got | cut -d : -f 2)" 'PUT /api/v4/runners/RUNNER'
    is "$(tail -n 1 got | cut -d : -f 2)" 'DELETE /api/v4/runners/RUNNER'
    must machines -o gitlab.runner-access=all create --wait runner amd64-deb
    cloud_state | grep -q '"access_level": *"not_protected"' || die 'access'
    must machines delete amd64-deb
    # the droplet between them
    is "$(grep '^DELETE' order | head -n 1 | cut -c -19)" 'DELETE /v2/droplets'
    cloud_fault runner-never-online 1
    expect 75 'its runner is not online' \
        machines create --wait runner --timeout 2m amd64-deb
    there
    no_runners
}

test_too_short_a_time() {
    start --boot-seconds 1000
    enrol
    expect 75 '2 machines failed' machines create --timeout 2m amd64-deb arm64-deb
    is "$(grep -c 'timed out: droplet [0-9]*: it is not active' err)" 2
    there
    no_runners
}

test_keep() {
    local id
    start --boot-seconds 1000
    enrol
    expect 75 'is kept and costs money' machines create --keep --timeout 2m amd64-deb
    id=$(cloud_droplets | cut -d ' ' -f 1)
    grep -q "droplet $id .*is kept" err || die "$(cat err)"
    is "$(runner_ids | wc -w)" 1
    must machines delete amd64-deb
    is "$(column 2)" "$id "
    there
    no_runners
}

# ---------------------------------------------------------------- refusals

test_usage() {
    local build
    start
    expect 64 'no verb' machines
    expect 64 "unknown verb 'make'" machines make
    expect 64 'usage: build-machine-ctl create BUILD' machines create
    for build in amd64 amd64-exe -deb 'a b-deb' ../x-deb sparc-rpm ''; do
        expect 64 'is not a build' machines create amd64-deb -- "$build"
    done
    expect 64 'is not a build' machines delete nonsense
    expect 64 'is not a build' machines list nonsense
    expect 64 "'boot' must be none, active, ssh or runner" \
        machines create --wait boot amd64-deb
    expect 64 "'' must be none, active" machines create --wait '' amd64-deb
    for build in 0 0s soon -1s 1y 1.5s '' 15m15; do
        expect 64 "--timeout '$build' is not a time" \
            machines create "--timeout=$build" amd64-deb
        expect 64 "--timeout '$build' is not a time" \
            machines delete "--timeout=$build" amd64-deb
        expect 64 "--older-than '$build' is not a time" \
            machines reap "--older-than=$build"
    done
    expect 64 'needs either builds or --all' machines delete
    expect 64 'needs either builds or --all' machines delete --all amd64-deb
    expect 64 'needs --older-than or --expired' machines reap
    expect 64 'usage' machines reap --expired amd64-deb
    expect 64 'usage' machines check amd64-deb
    expect 64 "option '--all' belongs to delete: list" machines list --all
    expect 64 "'--replace' belongs to create" machines delete --replace amd64-deb
    expect 64 "'--wait' belongs to create" machines delete --wait none amd64-deb
    expect 64 "unknown option '--nonsense'" machines list --nonsense
    [ ! -s cloud.log ] || die "$(cloud_log)"
}

test_configuration() {
    start
    sed '/^token-file/d' conf >no-token
    expect 78 'no token: set .DIGITALOCEAN_ACCESS_TOKEN or \[digitalocean\] token-file' \
        machines -c no-token list
    expect 78 'set image in \[machine riscv64-deb\]' machines create riscv64-deb
    expect 78 'set image' machines create amd64-deb riscv64-deb
    expect 78 "name-format 'build' must have exactly one %s" \
        machines list -o digitalocean.name-format=build
    expect 78 'must have exactly one %s' machines list -o digitalocean.name-format=%s-%s
    expect 78 'letters, digits, dots and dashes' \
        machines list -o digitalocean.name-format=build_%s
    expect 78 'tags is empty' machines delete --all -o digitalocean.tags=
    expect 78 "'a.b' is not a tag" machines list -o 'digitalocean.tags=build a.b'
    expect 78 'api-url: a token is not sent over http' \
        machines list -o digitalocean.api-url=http://api.example.org
    expect 78 'api-url' machines list -o digitalocean.api-url=http://127.0.0.1.example.org
    expect 78 'api-url' machines list -o digitalocean.api-url=ftp://127.0.0.1
    expect 78 'unknown key .*image-id' machines list -o digitalocean.image-id=1
    chmod 644 do.token
    expect 77 'do.token' machines list
    chmod 600 do.token
    : >empty
    chmod 600 empty
    expect 78 'is empty' machines list -o "digitalocean.token-file=$T/empty"
    expect 66 'none-such' machines list -o "digitalocean.token-file=$T/none-such"
    printf 'two words\n' >do.token
    expect 78 'no token' machines list
    [ ! -s cloud.log ] || die "$(cloud_log)"
    # a droplet costs money, whatever is wrong with GitLab
    echo "$CLOUD_TOKEN" >do.token
    expect 78 'url: a token is not sent over http' \
        machines delete --all -o gitlab.url=http://gitlab.example.org
    expect 78 'is not a project' machines delete --all -o gitlab.project=lab/veilid
    ! cloud_log | grep -q '/api/v4' || die "$(cloud_log)"
}

test_configuration_of_runners() {
    start
    expect 78 '--wait runner needs user-data = enrol in \[machine amd64-deb\]' \
        machines create --wait runner amd64-deb
    cp conf plain
    sed -i 's/^\[machine .*/&\nuser-data = enrol/' conf
    expect 78 'earthly-sha256' machines create amd64-deb
    expect 78 'earthly-sha256' machines create amd64-deb -o enrol.earthly-sha256=abc
    cp plain conf
    enrol
    sed '/^project/d' conf >no-gitlab
    expect 78 'needs \[gitlab\] project' machines -c no-gitlab create amd64-deb
    sed '/^\[gitlab\]/,/^project/ s/^token-file.*//' conf >no-token
    expect 78 'GITLAB_TOKEN' machines -c no-token create amd64-deb
    sed '/^runner-tags/d' conf >no-tags
    expect 78 'runner-tags' machines -c no-tags create amd64-deb
    expect 66 'user-data' machines create amd64-deb \
        -o "machine amd64-deb.user-data=$T/none-such"
    unchanged
    # a runner that could not be deleted is not forgotten
    must machines create --wait none amd64-deb
    expect 78 'runner [0-9]+ still exists' machines -c no-gitlab delete amd64-deb
    there
    must machines delete amd64-deb
    no_runners
}

test_dry_runs_change_nothing() {
    local id old runner
    start
    enrol
    id=$(ours amd64-deb)
    old=$(ours amd64-deb age=90000 expires:1000000000)
    runner=$(cloud_runner "$NAME 1700000000-9f86d081")
    expect 0 "arm64-deb: would make build-server-arm64-deb-tmp: image 154584861, size c2-8vcpu-16gb-intel, region nyc1" \
        machines -n create arm64-deb
    [ ! -s out ] || die "$(cat out)"
    expect 0 "droplet $id .*exists already: adopted" machines -n create amd64-deb
    expect 0 "amd64-deb: would delete droplet $old $NAME" \
        machines -n create --replace amd64-deb
    grep -q "would delete droplet $id " err || die "$(cat err)"
    grep -q "would make $NAME" err || die "$(cat err)"
    expect 0 "would delete droplet $id $NAME" machines -n delete amd64-deb
    grep -q "would delete droplet $old" err || die "$(cat err)"
    grep -q "would delete runner $runner" err || die "$(cat err)"
    expect 0 "would delete droplet $old" machines -n reap --older-than 24h
    ! grep -q "would delete droplet $id" err || die "$(cat err)"
    expect 0 "would delete droplet $old" machines -n reap --expired
    expect 78 'none-such' machines -n create arm64-deb \
        -o 'machine arm64-deb.image=none-such'
    unchanged
    there "$id" "$old"
    is "$(runner_ids)" "$runner "
}

# ---------------------------------------------------------------- deleting

# What looks like ours, and is not: of each the id.
look_alikes() {
    cloud_droplet $NAME
    cloud_droplet $NAME build-machines
    cloud_droplet $NAME build-orchestration build:amd64-deb
    cloud_droplet $NAME build-machine build-orchestrations
    cloud_droplet web-1 "${OURS[@]}" build:amd64-deb
    cloud_droplet Build-Server-amd64-deb-tmp "${OURS[@]}"
    cloud_droplet build-server-AMD64-deb-tmp-2 "${OURS[@]}"
    cloud_droplet "my-$NAME" "${OURS[@]}"
    cloud_droplet "${NAME}2" "${OURS[@]}"
    cloud_droplet build-server-amd64-deb "${OURS[@]}"
    cloud_droplet build-server-tmp "${OURS[@]}"
    cloud_droplet build-server--tmp "${OURS[@]}"
    cloud_droplet build-server-nonsense-tmp "${OURS[@]}"
    cloud_droplet build-server-amd64-deb.tmp "${OURS[@]}"
}

test_delete_takes_duplicates_and_no_look_alikes() {
    local other
    start --limit 100
    mapfile -t others < <(look_alikes)
    is "${#others[@]}" 14
    ours amd64-deb >/dev/null
    ours amd64-deb status=off >/dev/null
    ours amd64-deb age=1000000 >/dev/null
    other=$(ours arm64-deb)
    must machines list
    is "$(column 1)" 'amd64-deb amd64-deb amd64-deb arm64-deb '
    must machines delete amd64-deb
    is "$(column 1)" 'amd64-deb amd64-deb amd64-deb '
    there "${others[@]}" "$other"
    must machines delete --all
    is "$(column 2)" "$other "
    there "${others[@]}"
    must machines delete --all
    must machines reap --older-than 1s --expired
    there "${others[@]}"
    is "$(cloud_log | grep -c '^DELETE')" 4
}

# DigitalOcean keeps a tag in the capitals in which it was first used.
test_tags_in_other_capitals() {
    start
    cloud_droplet theirs Build-Orchestration >theirs
    ours amd64-deb >/dev/null
    is "$(cloud_droplets | grep -c Build-Orchestration)" 2
    must machines list
    is "$(column 1)" 'amd64-deb '
    must machines create amd64-deb
    is "$(posts)" 0
    must machines create --wait none arm64-deb
    must machines delete amd64-deb arm64-deb
    there "$(cat theirs)"
    # the first one is what they are listed by
    cloud_droplet theirs LAB >>theirs
    expect 78 "tag 'lab' with other capitals" machines create amd64-deb \
        -o 'digitalocean.tags=lab x'
    # shellcheck disable=SC2046
    there $(cat theirs)
}

test_reap_by_age() {
    local young old older foreign
    start
    young=$(ours amd64-deb age=3000)
    old=$(ours amd64-deb age=22000)
    older=$(ours arm64-deb age=900000 status=off)
    foreign=("$(cloud_droplet web-1 "${OURS[@]}" age=900000)"
        "$(cloud_droplet $NAME build-machines age=900000)")
    must machines reap --older-than 300h
    there "$young" "$old" "$older" "${foreign[@]}"
    must machines reap --older-than 6h
    is "$(column 2)" "$old $older "
    grep -Eq "^amd64-deb$TAB$old$TAB$NAME${TAB}220[0-9][0-9]$TAB" out ||
        die "$(cat -A out)"
    there "$young" "${foreign[@]}"
    must machines reap --older-than 6h
    [ ! -s out ] || die "$(cat out)"
}

test_reap_by_expiry() {
    local now gone=() stay=() word
    now=$(date +%s)
    start --limit 100
    gone+=("$(ours amd64-deb "expires:$((now - 5))" age=10)")
    gone+=("$(ours amd64-deb build:amd64-deb expires:1 attempt:1-2)")
    stay+=("$(ours amd64-deb "expires:$((now + 1000))" age=900000)")
    stay+=("$(ours arm64-deb age=900000)")
    for word in expires: expires:soon expires:1x expires:0x1 expires:-1 \
        expires:99999999999999999999999 expires:1795330830:1 expired:1 Xexpires:1; do
        stay+=("$(ours arm64-deb "$word" age=100)")
    done
    must machines reap --expired
    # shellcheck disable=SC2046
    is "$(line $(column 2))" "$(line "${gone[@]}")"
    there "${stay[@]}"
    # either is enough
    must machines reap --expired --older-than 100h
    # shellcheck disable=SC2046
    is "$(line $(column 2))" "$(line "${stay[@]:0:2}")"
    there "${stay[@]:2}"
}

test_reap_takes_runners_of_killed_runs() {
    local now old young gone=() stay=()
    now=$(date +%s)
    old=$((now - 30000)) young=$((now - 100))
    start
    # orphans
    gone+=("$(cloud_runner "$NAME $old-9f86d081")")
    gone+=("$(cloud_runner "build-server-arm64-rpm-tmp $old-00000000" status=online)")
    stay+=("$(cloud_runner "$NAME $young-9f86d082")")
    # of a machine that lives, and of one that is reaped
    stay+=("$(cloud_runner "$NAME $old-9f86d083")")
    ours amd64-deb age=100 "runner:${stay[-1]}" >living
    gone+=("$(cloud_runner "$NAME $young-9f86d084")")
    ours amd64-deb age=30000 "runner:${gone[-1]}" >/dev/null
    # somebody else's
    for word in "$NAME" "$NAME $old" "$NAME $old-9f86d08" "my$NAME $old-9f86d081" \
        "build-server-x-tmp $old-9f86d081" "$NAME  $old-9f86d081" \
        "$NAME $old-9f86d081 " "shared 1000000000-9f86d081" ''; do
        stay+=("$(cloud_runner "$word")")
    done
    stay+=("$(cloud_runner "$NAME $old-9f86d085" kind=instance_type)")
    must machines reap --older-than 6h
    is "$(runner_ids)" "$(line "${stay[@]}")"
    there "$(cat living)"
    # expired: after ttl
    must machines reap --expired
    is "$(runner_ids)" "$(line "${stay[@]}")"
    must machines reap --expired -o digitalocean.ttl=10s
    unset 'stay[0]'
    is "$(runner_ids)" "$(line "${stay[@]}")"
    # the machine's own goes with it
    must machines delete amd64-deb
    unset 'stay[1]'
    is "$(runner_ids)" "$(line "${stay[@]}")"
    there
}

# ------------------------------------------------------------------- costs

test_costs() {
    start
    # 10 hours and a half of 0.3244, one cent at least, a minute of 3.39
    ours amd64-deb age=37800 size=c2-8vcpu-16gb-intel >/dev/null
    ours arm64-deb age=5 size=s-1vcpu-1gb >/dev/null
    ours amd64-rpm age=5 size=gpu-h100x1-80gb region=nyc3 >/dev/null
    ours arm64-rpm age=900100 size=s-1vcpu-1gb >/dev/null
    must machines list
    # GPU droplets are in no listing by tag
    is "$(column 1)" 'amd64-deb arm64-deb arm64-rpm '
    is "$(column 8)" '3.41 0.01 2.23 '
    cut -f 7 out | tr '\n' ' ' >ages
    grep -Eq '^378[0-9][0-9] [0-9]{1,2} 900[12][0-9][0-9] $' ages || die "$(cat ages)"
    must machines list -o digitalocean.billing=hour
    is "$(column 8)" '3.57 0.01 2.24 '
    must machines delete --all -o digitalocean.billing=hour
    is "$(column 5)" '3.57 0.01 2.24 '
}

# ------------------------------------------------------------------- check

# finds STATUS REGEX [OPTION...]: check has this line, level and all.
finds() {
    local status=$1 regex=$2 got
    shift 2
    machines check "$@" >out 2>err
    got=$?
    [ "$got" = "$status" ] || die "status $got, expected $status: $regex $(cat out err)"
    grep -Eq "$regex" out || die "no '$regex': $(cat out err)"
}

test_check_of_what_is_right() {
    start
    enrol
    must machines check -o digitalocean.vpc=5a4981aa-9653-4bd1-bef5-000000000005
    is "$(cut -f 1 out | sort -u)" ok
    grep -q "^ok${TAB}droplet limit${TAB}0 of 25" out || die "$(cat out)"
    is "$(grep -c 'image 1545848' out)" 3
    unchanged
    # only what is asked for: slugs, a region of its own
    must machines check -o 'machine arm64-deb.region=fra1' \
        -o 'machine arm64-deb.image=debian-13-x64'
    is "$(cut -f 1 out | sort -u)" ok
}

test_check_of_the_account() {
    start --limit 3
    finds 77 "^error$TAB.*(authenticate|token)" -o "digitalocean.token-file=$T/gitlab.token"
    cloud_fault account-locked
    finds 69 "^error${TAB}account$TAB.*'locked'"
    cloud_fault account-locked 0
    cloud_fault account-warning
    finds 0 "^warning${TAB}account$TAB.*'warning'"
    cloud_fault account-warning 0
    cloud_droplet a number=2 >/dev/null
    finds 69 "^error${TAB}droplet limit${TAB}2 of 3 .*3 more"
    # what is there need not be made
    cloud_set limit=4
    ours amd64-deb >/dev/null
    finds 69 "^error${TAB}droplet limit${TAB}3 of 4 .*2 more"
    cloud_set limit=5
    finds 0 "^ok${TAB}droplet limit${TAB}3 of 5"
    unchanged
}

test_check_of_a_machine() {
    local b="^error${TAB}amd64-deb${TAB}" m='machine amd64-deb'
    start
    finds 78 "${b}.*'none-such'" -o "$m.image=none-such"
    finds 78 "${b}there is no image 99" -o "$m.image=99"
    finds 78 "${b}.*only-in-fra1' is not in region nyc1" -o "$m.image=only-in-fra1"
    finds 78 "${b}there is no size 'c9'" -o "$m.size=c9"
    finds 69 "${b}the size 'm-1vcpu-8gb' is not available" -o "$m.size=m-1vcpu-8gb" \
        -o "$m.image=debian-12-x64"
    finds 78 "${b}the size 'c2-16vcpu-32gb-intel' is not offered in region nyc1" \
        -o "$m.size=c2-16vcpu-32gb-intel"
    finds 78 "${b}the image 'build-amd64-deb' needs a disk of 200 GiB, but the size 'c-4' has 50" \
        -o "$m.size=c-4"
    finds 78 "${b}there is no region 'nowhere'" -o "$m.region=nowhere"
    finds 78 "${b}the region 'sfo1' is not available" -o "$m.region=sfo1"
    finds 66 "${b}" -o "$m.user-data=$T/none-such"
    finds 78 "${b}.*earthly-sha256" -o "$m.user-data=enrol"
    grep -q "^ok${TAB}arm64-deb${TAB}" out || die "the others: $(cat out)"
    # each is said, and the worst is the status
    finds 78 "$b.*size" -o "$m.size=m-1vcpu-8gb" -o "$m.image=none-such"
    is "$(grep -c "$b" out)" 2
    sed '/^image/d' conf >no-image
    finds 78 "${b}.*no image" -c no-image
    unchanged
}

test_check_of_networks_keys_and_tags() {
    local id
    start
    finds 78 "^error${TAB}vpc$TAB.*no VPC with the id 'none'" -o digitalocean.vpc=none
    finds 78 "^error${TAB}vpc$TAB.*in region fra1, but the machine of amd64-deb is in nyc1" \
        -o digitalocean.vpc=5a4981aa-9653-4bd1-bef5-000000000003
    finds 78 "^error${TAB}ssh-keys$TAB.*no key '12'" \
        -o 'digitalocean.ssh-keys=38852180 12'
    finds 0 "^ok${TAB}ssh-keys$TAB" -o \
        digitalocean.ssh-keys=20:c2:6a:53:1f:ea:5b:04:0c:11:fd:3f:dd:32:69:1c
    finds 0 "^warning${TAB}ssh-keys$TAB" -o digitalocean.ssh-keys=
    id=$(cloud_droplet web-1 "${OURS[@]}")
    finds 0 "^warning${TAB}tags${TAB}droplet $id 'web-1' has our tags"
    ours arm64-deb >one
    ours arm64-deb >two
    finds 0 "^warning${TAB}arm64-deb$TAB.*$(cat one).*$(cat two)"
    cloud_droplet theirs LAB >/dev/null
    finds 78 "^error${TAB}tags$TAB.*'lab' as 'LAB'" -o 'digitalocean.tags=lab x'
    unchanged
}

test_check_of_gitlab() {
    local line="^error${TAB}gitlab${TAB}"
    start
    finds 0 "^ok${TAB}gitlab${TAB}project 42"
    finds 77 "$line.*401" -o "gitlab.token-file=$T/do.token"
    finds 66 "$line.*404" -o gitlab.project=43
    cloud_set gitlab_scopes=read_api,manage_runner
    finds 78 "$line.*create_runner"
    cloud_set gitlab_scopes=create_runner,manage_runner
    finds 78 "$line.*read_api"
    cloud_set gitlab_scopes=api
    finds 0 "^ok${TAB}gitlab"
    unchanged
    sed '/^project/d' conf >no-gitlab
    finds 0 "^ok${TAB}account" -c no-gitlab
    ! grep -q gitlab out || die "$(cat out)"
}

# --------------------------------------------------------------- user-data

test_user_data() {
    start
    enrol
    must machines user-data amd64-deb
    is "$(head -n 1 out)" '#cloud-config'
    grep -q 'glrt-REPLACE-ME' out && grep -q "$SHA256" out || die "$(cat out)"
    cp out user
    # a machine gets the same, with its token
    must machines create --wait none amd64-deb
    cloud_bodies | python3 -c 'import json, re, sys
sys.stdout.write(re.sub("glrt-[A-Za-z0-9_-]+", "glrt-REPLACE-ME",
    json.loads(sys.stdin.read())["user_data"]))' >got
    cmp user got || die "$(diff user got | head -5)"
    cloud_forget
    must machines user-data arm64-deb
    [ ! -s cloud.log ] || die "$(cloud_log)"
}

PARALLEL=8
run_tests
