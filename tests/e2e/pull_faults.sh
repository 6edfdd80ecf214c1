#!/bin/bash
# distribute-packages pull from a web server that means harm or changes while
# it is read, and onto a disk that is full: never a generation, never an object
# that is not what its name says, and the next run completes.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/killed.sh"

# A release is public at $WEB, a second one is built; the state is in lost/.
prepare() {
    web_start "$T/srv"
    sed -i "s|^url = .*|url = $WEB|" conf
    make_release p 0.3.4
    publish v0.3.4 p
    cp srv/SHA256SUMS srv/SHA256SUMS.asc .
}

# harm_start CODE: a server in front of $WEB; CODE is Python, which sees the
# path and the body and may answer by itself. Sets HARM, its address.
harm_start() {
    cat >harm.py <<PY
import http.server, sys, urllib.error, urllib.request
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        try:
            body = urllib.request.urlopen(sys.argv[1] + self.path).read()
        except urllib.error.HTTPError as x:
            self.send_error(x.code)
            return
        try:
            if self.harm(self.path, body):
                return
            self.answer(200, body)
        except OSError:
            self.close_connection = True
    def answer(self, status, body, *headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def harm(self, path, body):
$(printf '%s\n' "$1" | sed 's/^/        /')
    def log_message(self, *a):
        pass
s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H)
print(s.server_address[1], flush=True)
s.serve_forever()
PY
    : >harm.port
    python3 -B harm.py "$WEB" >harm.port 2>harm.err &
    PIDS+=($!)
    wait_for -p "${PIDS[-1]}" test -s harm.port || die "$(cat harm.err)"
    HARM=http://127.0.0.1:$(cat harm.port)
}

pull() { dist -o "repository.url=$HARM" pull "$@"; }

nothing_came() {
    local f
    # "next" is where one is made, and does not count
    [ -z "$(find state -path '*/generations/*' -prune ! -name next)" ] ||
        die "a generation: $(ls state/generations)"
    for f in state/objects/*; do
        [ ! -e "$f" ] || [ "$(sha256sum <"$f")" = "${f##*/}  -" ] || die "$f"
    done
    [ -z "$(find state -name '*.tmp')" ] || die "temporary files"
}

test_redirects() {
    prepare
    mv state lost
    echo secret >"$T/secret"
    harm_start "if path == '/SHA256SUMS':
    self.answer(302, b'', ('Location', 'file://$T/secret'))
    return True"
    expect 76 'status 302' pull
    nothing_came
    harm_start "if path.endswith('.deb'):
    self.answer(301, b'', ('Location', '$WEB' + path))
    return True"
    expect 76 '301' pull
    nothing_came
}

# One that never ends, of a file that is small; and of the list.
test_answers_without_end() {
    prepare
    mv state lost
    mkdir state
    mount -t tmpfs -o size=8m tmpfs state ||
        { echo '# skip cannot mount a tmpfs'; return; }
    harm_start "if path.endswith('.deb'):
    self.send_response(200)
    self.end_headers()
    self.close_connection = True
    while True:
        self.wfile.write(b'x' * 1000000)"
    expect 65 'is larger than the [0-9]* bytes that are listed' pull
    nothing_came
    harm_start "if path == '/SHA256SUMS':
    self.send_response(200)
    self.end_headers()
    self.close_connection = True
    while True:
        self.wfile.write(b'x' * 1000000)"
    expect 76 'too large' pull
    nothing_came
    umount state
}

test_full_disk() {
    local room
    prepare
    mv state lost
    mkdir state
    mount -t tmpfs -o size=24k tmpfs state ||
        { echo '# skip cannot mount a tmpfs'; return; }
    # it is full at another place each time
    for room in 24k 36k 48k 60k; do
        mount -o "remount,size=$room" state
        expect 74 'No space left' dist pull
        nothing_came
    done
    mount -o remount,size=8m state
    must dist pull
    must dist verify
    cmp lost/generations/1/SHA256SUMS state/generations/1/SHA256SUMS || die 'other'
    umount state
}

# Each call that changes the disk may be the last one: what is there then is no
# generation or the whole one, and the next run completes.
test_killed_at_every_step() {
    local n pull=("$BUILD/bin/distribute-packages" -c conf pull)
    prepare
    mv state lost
    calls_of "${pull[@]}"
    [ ${#MOMENTS[@]} -gt 10 ] || die "only ${#MOMENTS[@]} calls: ${MOMENTS[*]}"
    for ((n = 0; n < ${#MOMENTS[@]}; n++)); do
        rm -rf state
        killed_at $n "${pull[@]}"
        [ -z "$(find state -path '*/generations/*' -prune ! -name next)" ] ||
            must dist verify
        must dist pull
        must dist verify
        [ -z "$(find state -name '*.tmp')" ] || die "${MOMENTS[n]}: temporary files"
        cmp lost/generations/1/SHA256SUMS state/generations/1/SHA256SUMS || die 'other'
    done
    echo "# killed at ${#MOMENTS[@]} calls"
}

# The list of the one generation, and then the files of the next.
test_a_deployment_meanwhile() {
    prepare
    make_release q 0.3.5
    publish v0.3.5 q
    mv state lost
    harm_start "import os
if path.startswith('/SHA256SUMS') and not os.path.exists('seen' + path[1:]):
    open('seen' + path[1:], 'w').close()
    self.answer(200, open(path[1:], 'rb').read())
    return True"
    expect 75 'generation 2 was deployed while 1 was fetched: pull again' pull
    nothing_came
    must pull
    [ "$(cut -f1 out)" = 2 ] || die "$(cat out)"
    must dist verify
    # where nothing was deployed, it stays what it is
    rm -r state
    harm_start "if path.endswith('/InRelease'):
    self.answer(200, b'other')
    return True"
    expect 65 'InRelease. does not have the hash' pull
    nothing_came
}

# An older list, signed all the same, does not take a state back.
test_an_old_list() {
    prepare
    make_release q 0.3.5
    publish v0.3.5 q
    harm_start "if path.startswith('/SHA256SUMS'):
    self.answer(200, open(path[1:], 'rb').read())
    return True"
    expect 77 'the state has generation 2, but the public one is 1' pull
    [ -d state/generations/2 ] || die 'gone'
    must dist verify
}

run_tests
