#!/bin/bash
# distribute-packages pull: a state that is lost comes back from what is public,
# and nothing that is not signed does.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/rpms.sh"

# A release of both formats, public at $WEB; the state is kept as lost/.
two_releases_are_public() {
    web_for_rpms
    use_builds amd64-deb amd64-rpm
    make_deb p veilid-server 0.3.4-1+deb12u1 amd64
    make_rpm p veilid-cli 0.3.4
    make_rpm p veilid-server 0.3.4 1 noarch
    publish v0.3.4 p
    make_deb q veilid-server 0.3.5 amd64
    make_rpm q veilid-cli 0.3.5
    publish v0.3.5 q
    mv state lost
}

# nothing_came: no generation, and no object that is not what its name says.
nothing_came() {
    local f
    [ -z "$(ls state/generations)" ] || die "a generation: $(ls state/generations)"
    for f in state/objects/*; do
        [ ! -e "$f" ] || [ "$(sha256sum <"$f")" = "${f##*/}  -" ] || die "$f"
    done
    [ -z "$(find state -name '*.tmp')" ] || die "temporary files"
}

live_file() { readlink -f "srv/$1"; }

test_a_lost_state_comes_back() {
    two_releases_are_public
    apt_root r "$WEB"
    must apt r update
    must apt r install veilid-server
    must dist pull
    [ "$(cut -f1,2 out)" = "$(printf '2\tv0.3.5')" ] || die "$(cat out)"
    grep -q 'fetched .* files' err || die "$(cat err)"
    cmp lost/generations/2/SHA256SUMS state/generations/2/SHA256SUMS || die manifest
    cmp lost/generations/2/SHA256SUMS.asc state/generations/2/SHA256SUMS.asc || die signature
    must dist verify
    [ ! -e state/unfinished ] || die "unfinished"
    # nothing retired but indexes, and these when this generation was made
    diff <(grep ' live ' lost/generations/2/ledger) \
        <(grep ' live ' state/generations/2/ledger) || die "the ledger differs"
    diff <(sed 's/ [0-9]* / /' lost/generations/2/ledger) \
        <(sed 's/ [0-9]* / /' state/generations/2/ledger) || die "the ledger's names"
    # what was published is known, and stays what it is
    expect 0 'nothing to do' dist build -r v0.3.5 --from q
    DEB_EXTRA=other make_deb o veilid-server 0.3.5 amd64
    expect 65 'was published with different contents' dist build -r v0.3.5 --partial --from o
    make_deb n veilid-server 0.3.6 amd64
    make_rpm n veilid-cli 0.3.6
    publish v0.3.6 n
    [ "$(readlink srv/.releases/current)" = 3 ] || die "not live"
    must apt r update
    must apt r install veilid-server
    [ "$(installed r)" = 'veilid-server:amd64=0.3.6 ' ] || die "$(installed r)"
    must deploy verify
    rpm_ok main srv/rpm/stable/x86_64/*.rpm || die "$(cat rpmkeys)"
}

test_pull_again() {
    two_releases_are_public
    must dist pull
    : >web/access
    expect 0 'fetched 0 files' dist pull
    grep -q 'has generation 2 already' err || die "$(cat err)"
    [ "$(cut -f1 out)" = 2 ] || die "$(cat out)"
    [ "$(grep -c GET web/access)" = 2 ] || die "$(cat web/access)"
    # a damaged and a lost object are fetched again
    local files
    mapfile -t files < <(find state/objects -type f -size +1k | sort | head -n 2)
    echo damage >>"${files[0]}"
    rm "${files[1]}"
    expect 65 '' dist verify
    expect 0 'fetched 2 files' dist pull
    must dist verify
    # --json
    must dist --json pull
    jq -e '.[0].serial == 2' out >/dev/null || die "$(cat out)"
}

test_pull_resumes() {
    local f
    two_releases_are_public
    # the web server fails in the middle
    f=$(live_file apt/pool/stable/main/veilid-server_0.3.5_amd64.deb)
    mv "$f" away
    expect 66 '404' dist pull
    nothing_came
    mv away "$f"
    [ "$(find state/objects -type f | wc -l)" -gt 5 ] || die "nothing was kept"
    : >web/access
    expect 0 'fetched 1 files' dist pull
    [ "$(grep -c GET web/access)" = 3 ] || die "$(cat web/access)"
    must dist verify
}

test_what_is_not_signed_is_refused() {
    local f
    two_releases_are_public
    # another content
    f=$(live_file rpm/stable/x86_64/veilid-cli-0.3.4-1.x86_64.rpm)
    cp -p "$f" keep
    printf X | dd of="$f" bs=1 seek=200 conv=notrunc 2>/dev/null
    expect 65 'veilid-cli-0.3.4-1.x86_64.rpm.* does not have the hash' dist pull
    nothing_came
    # more of it: what is listed of its size is all that is taken
    { cat keep; head -c 100000 /dev/zero; } >"$f"
    expect 65 "veilid-cli-0.3.4-1.x86_64.rpm' is larger than the $(stat -c %s keep) bytes that are listed" \
        dist pull
    nothing_came
    # the half of it
    head -c 1000 keep >"$f"
    expect 65 'does not have the hash' dist pull
    nothing_came
    cat keep >"$f"
    # another manifest
    f=$(live_file SHA256SUMS)
    cp "$f" keep
    sed -i 's/^# release .*/# release v9/' "$f"
    expect 77 'SHA256SUMS.asc: bad signature' dist pull
    nothing_came
    cat keep >"$f"
    # none at all
    f=$(live_file SHA256SUMS.asc)
    mv "$f" away
    expect 66 'status 404' dist pull
    nothing_came
    : >"$f"
    expect 77 'SHA256SUMS.asc' dist pull
    mv away "$f"
    # another key
    use_key rsa4096
    expect 77 'signed by a key that is not trusted' dist pull
    nothing_came
    use_key main
    must dist pull
}

test_states_that_do_not_fit() {
    two_releases_are_public
    must dist pull
    # newer than what is public
    must dist refresh
    expect 77 'the state is newer' dist pull
    [ -d state/generations/3 ] || die "gone"
    # another second generation
    rm -rf state
    make_deb o lab-x 1.0.0 amd64
    must dist build -r v1.0.0 --partial --from o
    must dist refresh
    expect 77 'generation 2 of the state differs from the public one' dist pull
    # an older one: names that it knows are not given away again
    rm -rf state
    cp -a lost state
    rm -r state/generations/2
    sed -i '\|apt/pool|!d; s/ live / gone /; s/0\.3\.4/0.1.0/' state/generations/1/ledger
    must dist pull
    [ -d state/generations/1 ] && [ -d state/generations/2 ] || die "$(ls state/generations)"
    grep -q ' gone ' state/generations/2/ledger || die "forgotten"
}

test_servers_that_do_not_answer() {
    two_releases_are_public
    expect 75 "get 'http://127.0.0.1:1/SHA256SUMS'" dist -o repository.url=http://127.0.0.1:1 pull
    expect 66 'status 404' dist -o repository.url="$WEB/none" pull
    expect 78 'url is not set' dist -c <(sed '/^url/d' conf) pull
    expect 78 "suite 'stable' is not configured" dist \
        -c <(sed '/^\[suite stable/,/^descr/d' conf) pull
    expect 0 'dry run: would pull generation 2, and fetch [1-9][0-9]* files' dist -n pull
    [ ! -s out ] && nothing_is_stored || die "something is stored"
}

# Connections that break off after half of the body: again, then 75, and the
# next run has what came.
test_connections_that_break_off() {
    two_releases_are_public
    local port
    cat >breaker.py <<'PY'
import http.server, os, sys, urllib.request
count = {}
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        try:
            body = urllib.request.urlopen(sys.argv[1] + self.path).read()
        except urllib.error.HTTPError as x:
            self.send_error(x.code)
            return
        count[self.path] = count.get(self.path, 0) + 1
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.path.endswith('.deb') and (os.path.exists('broken') or
                                           count[self.path] == 1):
            self.wfile.write(body[:len(body) // 2])
            self.close_connection = True
            return
        self.wfile.write(body)
    def log_message(self, *a):
        pass
s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H)
print(s.server_address[1], flush=True)
s.serve_forever()
PY
    python3 breaker.py "$WEB" >port &
    PIDS+=($!)
    wait_for -p "${PIDS[-1]}" test -s port || die 'no server'
    port=$(cat port)
    touch broken
    expect 75 'veilid-server_0.3' dist -o "repository.url=http://127.0.0.1:$port" pull
    nothing_came
    rm broken
    must dist -o "repository.url=http://127.0.0.1:$port" pull
    must dist verify
}

# has_come SIZE: so much of a file.
has_come() { find state -name '*.tmp' -size "+$1" 2>/dev/null | grep -q .; }

test_killed_while_pulling() {
    local i pid
    web_start "$T/srv" 'limit_rate 300k;'
    sed -i "s|^url = .*|url = $WEB|" conf
    mkdir -p p
    head -c 2000000 /dev/urandom >blob
    make_deb p veilid-server 0.3.4 amd64
    mkdir -p big/DEBIAN && cp blob big/
    printf 'Package: veilid-cli\nVersion: 0.3.4\nArchitecture: amd64\nMaintainer: Lab <lab@example.org>\nDescription: x\n' \
        >big/DEBIAN/control
    dpkg-deb --root-owner-group -b big p/big.deb >/dev/null
    must dist build -r v0.3.4 --partial --from p
    must export_and_deploy
    rm -rf state
    # the large one comes for seconds
    for i in 100k 300k; do
        "$BUILD/bin/distribute-packages" -c conf pull 2>err &
        pid=$!
        wait_for -p "$pid" has_come "$i" || die "$(cat err)"
        kill -9 "$pid" && wait "$pid"
        [ -z "$(ls state/generations 2>/dev/null)" ] || die "a generation"
    done
    "$BUILD/bin/distribute-packages" -c conf pull 2>err &
    pid=$!
    wait_for -p "$pid" has_come 300k || die "$(cat err)"
    kill -TERM "$pid"
    wait "$pid"
    [ $? = 143 ] || die "not by the signal: $(cat err)"
    must dist pull
    [ -z "$(find state -name '*.tmp')" ] || die "temporary files are left"
    must dist verify
}

run_tests
