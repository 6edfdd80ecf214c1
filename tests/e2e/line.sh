# A line to the sshd of sshd.sh, with faults and a count; and a package that is
# worth several connections. Sourced, after sshd.sh.
#
#   line_start [OPTION...]  see cut_proxy.py; sets LINE, its port, and LINE_PID
#   line_end
#   line_bytes, line_back   how many bytes went to the server, and came from it,
#                           by all connections that have ended
#   make_big DIR NAME [MIB] a package of 20 MiB that no compression makes less
# shellcheck shell=bash disable=SC2034  # what is sourced is used elsewhere

PROXY=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/cut_proxy.py
MIB=1048576
SIZE=$((20 * MIB))

line_start() {
    : >"$T/line.log"
    : >"$T/line.out"
    /usr/bin/python3 -B "$PROXY" "$SSHD_PORT" --log "$T/line.log" "$@" \
        >"$T/line.out" 2>"$T/line.err" &
    LINE_PID=$!
    PIDS+=("$LINE_PID")
    wait_for -p "$LINE_PID" grep -q '^ready [0-9]*$' "$T/line.out" ||
        die "no line: $(cat "$T/line.err")"
    LINE=$(sed -n 's/^ready //p' "$T/line.out")
    echo "[127.0.0.1]:$LINE $(cut -d ' ' -f 2,3 "$SSHD_HOSTS" | head -n 1)" \
        >>"$SSHD_HOSTS"
}

line_end() {
    kill "$LINE_PID"
    wait "$LINE_PID" 2>/dev/null
}

all_have_ended() {
    local ended
    ended=$(grep -c '^[0-9]' "$T/line.log")
    [ "$ended" -gt 0 ] && [ "$ended" = "$(grep -c '^open' "$T/line.log")" ]
}

line_count() {
    wait_for all_have_ended || die "a connection does not end: $(cat "$T/line.log")"
    awk -v field="$1" '/^[0-9]/ { n += $field } END { print n + 0 }' \
        "$T/line.log"
}
line_bytes() { line_count 1; }
line_back() { line_count 2; }

make_big() {
    local d
    d=$(mktemp -d "$T/deb.XXXXXX")
    mkdir -p "$1" "$d/DEBIAN"
    printf '%s\n' "Package: $2" 'Version: 0.3.4' 'Architecture: amd64' \
        'Maintainer: Lab <lab@example.org>' 'Description: big' \
        >"$d/DEBIAN/control"
    head -c "$((${3:-20} * MIB))" /dev/urandom >"$d/data"
    chmod 755 "$d"
    dpkg-deb --root-owner-group -Znone -b "$d" "$1/$2-0.3.4_amd64.deb" \
        >/dev/null
    rm -rf "$d"
}
