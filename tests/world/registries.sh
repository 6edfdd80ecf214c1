# Registries of crates and of Python packages on loopback, for the crates job
# and the Python job of the pipeline. Sourced, after tests/e2e/lib.sh.
#
#   registries_start     starts both of tests/sim; they end with the test. Sets
#                        CRATES and PYTHON, their URLs, and REGISTRY_ENV, what
#                        a job's environment needs to find them: no token is in
#                        it. What cargo must be told is in $T/cargo/config.toml.
#   registry_fault URL NAME [COUNT [SECONDS]]   see tests/sim/registry.py
#   registry_state URL   what has been uploaded, "name sha256", sorted
#   registry_uploads URL   how many requests to upload there have been
#
# Before it, REGISTRY_WAY is what comes to where they are to be, a command before
# a command, and REGISTRY_ADDRESS their address there.
# shellcheck shell=bash

REGISTRY_WAY=()
REGISTRY_ADDRESS=127.0.0.1
REGISTRY_SIM=$(cd "$(dirname "${BASH_SOURCE[0]}")/../sim" && pwd)
CRATES_TOKEN=cio0123456789abcdef
PYTHON_TOKEN=pypi-0123456789abcdef

registry_start() {
    local name=$1
    shift
    : >"$T/$name.ready"
    "${REGISTRY_WAY[@]}" /usr/bin/python3 -B "$REGISTRY_SIM/registry_$name.py" \
        --with-parent --address "$REGISTRY_ADDRESS" --log "$T/$name.log" "$@" \
        >"$T/$name.ready" 2>"$T/$name.err" &
    PIDS+=($!)
    wait_for -p "${PIDS[-1]}" grep -q '^ready' "$T/$name.ready" ||
        die "registry_$name does not start: $(tail -n 3 "$T/$name.err")"
    REGISTRY_URL=$(sed -n 's/^ready //p' "$T/$name.ready")
}

registries_start() {
    local index
    # those read an index in git alone
    if /usr/bin/cargo --version 2>/dev/null | grep -qE ' 1\.([0-5]?[0-9]|6[0-7])\.'; then
        registry_start crates --token "$CRATES_TOKEN" --index "$T/crates.index"
        index=$REGISTRY_URL/git
    else
        registry_start crates --token "$CRATES_TOKEN"
        index=sparse+$REGISTRY_URL/index/
    fi
    CRATES=$REGISTRY_URL
    registry_start python --token "$PYTHON_TOKEN"
    PYTHON=$REGISTRY_URL
    # what would be asked of crates.io is asked of it
    mkdir -p "$T/cargo"
    cat >"$T/cargo/config.toml" <<EOF
[registries.loopback]
index = "$index"
[source.crates-io]
replace-with = "loopback"
[source.loopback]
registry = "$index"
EOF
    # shellcheck disable=SC2034
    REGISTRY_ENV=(CARGO_HOME="$T/cargo" CARGO_REGISTRY_DEFAULT=loopback
        CRATES_INDEX="$CRATES/index" PYPI_INDEX="$PYTHON/simple"
        TWINE_REPOSITORY_URL="$PYTHON/legacy/")
}

registry_ask() { "${REGISTRY_WAY[@]}" curl -fsS --noproxy '*' "$@"; }

registry_fault() {
    registry_ask "$1/sim/fault" --data \
        "{\"name\": \"$2\", \"count\": ${3:-1}, \"seconds\": ${4:-null}}" \
        >"$T/registry.said" || die "the registry refuses: $*"
}

registry_state() {
    registry_ask "$1/sim/state" | /usr/bin/python3 -c 'import json, sys
for it in json.load(sys.stdin): print(it["name"], it["sha256"])' | sort
}

registry_uploads() {
    registry_ask "$1/sim/log" | grep -cE '"path": "(/api/v1/crates/new|/legacy/)"'
}
