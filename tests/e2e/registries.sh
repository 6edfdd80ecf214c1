#!/bin/bash
# The crates job and the Python job of the pipeline, their text as the pipeline
# file has it, with the real cargo and twine, against registries on loopback;
# what arrived there is judged by cargo and pip.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/world/registries.sh
. "$(dirname "$0")/../world/registries.sh"

PIPELINE=$ROOT/.gitlab-ci.yml

# ----------------------------------------------------------------- helpers

# sources VERSION: the checkout, $T/tree.
sources() {
    bash "$ROOT/tests/world/sample.sh" tree "$1"
    must commit
}

commit() {
    git -C tree init -q && git -C tree add -A &&
        git -C tree -c user.name=test -c user.email=test@example.org commit -qm test
}

# Programs that note how they were called, and which tokens they could see.
spies() {
    local name
    mkdir -p spies
    for name in cargo pyproject-build twine curl; do
        cat >"spies/$name" <<EOF
#!/bin/bash
{
    echo "arguments $name \$*"
    env | sed -n "s/^\([A-Z_]*\(TOKEN\|PASSWORD\)\)=.*/sees $name \$1 \$2 \1/p"
} >>"$T/calls"
exec /usr/bin/$name "\$@"
EOF
        chmod +x "spies/$name"
    done
}

# job NAME [VARIABLE=VALUE...]: as a runner runs it, for the tag v0.3.4 unless
# another is said; what it says is in $T/out. No token may be seen in that.
job() {
    local name=$1 status
    shift
    [ -d spies ] || spies
    python3 "$ROOT/tests/world/job_text.py" "$PIPELINE" "$name" >"$name.sh" ||
        die "$PIPELINE has no $name"
    # nobody need wait as long as for a public registry
    (cd tree && env -i PATH="$T/spies:$PATH" HOME="$HOME" LC_ALL=C.UTF-8 \
        TMPDIR="$T/tmp" PYTHONDONTWRITEBYTECODE=1 \
        'BASH_FUNC_sleep%%=() { command sleep 0.1; }' \
        CI_COMMIT_TAG=v0.3.4 RELEASE_PATH=release \
        CARGO_REGISTRY_TOKEN="$CRATES_TOKEN" TWINE_PASSWORD="$PYTHON_TOKEN" \
        "${REGISTRY_ENV[@]}" "$@" bash ../"$name.sh") >out 2>&1 </dev/null
    status=$?
    [ -z "$(ls "$T/tmp")" ] || die "$name leaves $(ls "$T/tmp")"
    ! grep -qE "$CRATES_TOKEN|$PYTHON_TOKEN|not-the-token" out calls ||
        die "$name shows a token"
    return $status
}

# ends STATUS REGEX JOB...: so it ends, and its last line is so.
ends() {
    local status=$1 regex=$2 got
    shift 2
    mkdir -p tmp
    job "$@"
    got=$?
    [ "$got" = "$status" ] || {
        sed 's/^/# /' out
        die "status $got, expected $status: $*"
    }
    tail -n 1 out | grep -qE -- "$regex" || {
        sed 's/^/# /' out
        die "the last line is not like '$regex': $*"
    }
}

# published crates|python NAME...: just these, by name, in the registry.
published() {
    local url=$PYTHON
    [ "$1" = python ] || url=$CRATES
    registry_state "$url" | cut -d ' ' -f 1 >names
    printf '%s\n' "${@:2}" | sed '/^$/d' >wanted
    diff wanted names >difference || die "published: $(cat difference)"
}

all_published() {
    published crates veilid-core veilid-tools
    published python veilid-0.3.4-py3-none-any.whl veilid-0.3.4.tar.gz
}

both_publish() {
    ends 0 'veilid-core 0.3.4 is (published|there already)' publish_crates
    ends 0 'veilid-0.3.4.tar.gz is (published|there already)' publish_python
}

# A program that needs veilid-core, from the registry alone.
cargo_uses_it() {
    mkdir -p user/src
    printf '[package]\nname = "user"\nversion = "1.0.0"\nedition = "2021"\n
[dependencies]\nveilid-core = "=%s"\n' "$1" >user/Cargo.toml
    echo 'fn main() { println!("{}", veilid_core::is_of_one_release()) }' \
        >user/src/main.rs
    (cd user && env "${REGISTRY_ENV[@]}" cargo run -q) >said 2>err ||
        die "cargo: $(cat err)"
    [ "$(cat said)" = true ] || die "cargo run says $(cat said)"
}

pip_uses_it() {
    local form
    for form in :all: :none:; do
        rm -rf pip
        # its own sdist needs the machine's poetry-core
        must env -u PIP_FIND_LINKS PIP_CONFIG_FILE=/dev/null \
            python3 -m pip --isolated install -q --no-cache-dir --no-deps \
            --no-build-isolation --no-binary "$form" --target pip \
            --index-url "$PYTHON/simple" "veilid==$1"
        [ "$(PYTHONPATH=pip python3 -c 'import veilid
print(veilid.__version__)')" = "$1" ] || die "pip has another version"
    done
}

# ------------------------------------------------------------------- tests

test_first_and_second_run() {
    local before
    registries_start
    sources 0.3.4
    both_publish
    all_published
    cargo_uses_it 0.3.4
    pip_uses_it 0.3.4
    before=$(registry_state "$CRATES"; registry_state "$PYTHON"
        registry_uploads "$CRATES"; registry_uploads "$PYTHON")
    both_publish
    grep -q 'veilid-0.3.4.tar.gz is there already' out || die "$(cat out)"
    [ "$before" = "$(registry_state "$CRATES"; registry_state "$PYTHON"
        registry_uploads "$CRATES"; registry_uploads "$PYTHON")" ] ||
        die 'the second run has changed something'
}

test_shellcheck_accepts_the_text() {
    local name
    for name in publish_crates publish_python; do
        python3 "$ROOT/tests/world/job_text.py" "$PIPELINE" $name >$name.sh
        must shellcheck -s bash $name.sh
    done
}

# Only what uploads is given a token, and its own one.
test_who_sees_a_token() {
    registries_start
    sources 0.3.4
    both_publish
    grep '^sees' calls | sort -u >saw
    cat >wanted <<'EOF'
sees cargo publish --no-verify CARGO_REGISTRIES_LOOPBACK_TOKEN
sees twine upload --non-interactive TWINE_PASSWORD
EOF
    diff wanted saw || die "$(cat saw)"
    # veilid-core's build script has its own opinion
    grep -q '^arguments cargo package -p veilid-core' calls || die 'no spy'
}

test_half_done_runs_are_completed() {
    registries_start
    sources 0.3.4
    must env -C tree "${REGISTRY_ENV[@]}" \
        CARGO_REGISTRIES_LOOPBACK_TOKEN="$CRATES_TOKEN" \
        cargo publish -q --no-verify -p veilid-tools
    published crates veilid-tools
    ends 0 'veilid-core 0.3.4 is published' publish_crates
    grep -q 'veilid-tools 0.3.4 is there already' out || die "$(cat out)"
    [ "$(registry_uploads "$CRATES")" = 2 ] || die 'uploads'
    must pyproject-build --no-isolation --wheel --outdir dist tree/veilid-python
    must env "${REGISTRY_ENV[@]}" TWINE_USERNAME=__token__ \
        TWINE_PASSWORD="$PYTHON_TOKEN" twine upload dist/*
    ends 0 'veilid-0.3.4.tar.gz is published' publish_python
    grep -q 'any.whl is there already' out || die "$(cat out)"
    all_published
}

test_tokens_that_do_not_serve() {
    registries_start
    sources 0.3.4
    ends 77 'renew CARGO_REGISTRY_TOKEN' publish_crates CARGO_REGISTRY_TOKEN=not-the-token
    ends 77 'renew TWINE_PASSWORD' publish_python TWINE_PASSWORD=not-the-token
    ends 78 'CARGO_REGISTRY_TOKEN is not set: add it' publish_crates CARGO_REGISTRY_TOKEN=
    ends 78 'TWINE_PASSWORD is not set: add it' publish_python TWINE_PASSWORD=
    published crates ''
    published python ''
    # what is there already needs none that is right
    ends 0 'is published' publish_crates
    ends 0 'there already' publish_crates CARGO_REGISTRY_TOKEN=not-the-token
}

test_down_then_up() {
    local fault
    registries_start
    sources 0.3.4
    for fault in down 503 429; do
        registry_fault "$CRATES" $fault null
        ends 75 'run this job again later' publish_crates
        registry_fault "$CRATES" $fault 0
    done
    ends 75 'run this job again later' publish_crates CRATES_INDEX=http://127.0.0.1:9
    registry_fault "$PYTHON" down null
    ends 75 'run this job again later' publish_python
    registry_fault "$PYTHON" down 0
    published crates ''
    published python ''
    ends 0 'veilid-core 0.3.4 is published' publish_crates
}

# The index answers, but the door for uploads is closed.
test_uploads_down_then_up() {
    registries_start
    sources 0.3.4
    registry_fault "$CRATES" upload-503
    registry_fault "$PYTHON" upload-503 null
    ends 75 'veilid-tools 0.3.4 is not in the index: run this job again' publish_crates
    ends 75 'is not in the index: run this job again' publish_python
    published crates ''
    published python ''
    registry_fault "$PYTHON" upload-503 0
    both_publish
    all_published
}

# The upload has arrived, whatever was said of it.
test_answers_that_are_lost_or_wrong() {
    local fault
    for fault in upload-lost upload-503-after-accept upload-raced; do
        registries_start
        rm -rf tree
        sources 0.3.4
        registry_fault "$CRATES" $fault null
        ends 0 'veilid-core 0.3.4 is published' publish_crates
        published crates veilid-core veilid-tools
        rm -rf cargo
        # after a 503 twine asks again by itself
        [ $fault != upload-503-after-accept ] || continue
        registry_fault "$PYTHON" $fault null
        ends 0 'veilid-0.3.4.tar.gz is published' publish_python
    done
}

# The index is slow; and slow where the answer was lost as well.
test_an_index_that_lags() {
    registries_start
    sources 0.3.4
    registry_fault "$CRATES" index-lag null 5
    registry_fault "$PYTHON" index-lag null 5
    ends 0 'veilid-core 0.3.4 is published' publish_crates
    ends 0 'published' publish_python
    grep -q 'waiting for veilid-0.3.4.*whl in the index' out || die "$(cat out)"
    all_published
    rm -rf tree
    sources 0.3.5
    registry_fault "$CRATES" index-lag null 1
    registry_fault "$CRATES" upload-lost null
    ends 0 'veilid-core 0.3.5 is published' publish_crates CI_COMMIT_TAG=v0.3.5
    grep -q 'waiting for veilid-tools 0.3.5 in the index' out || die "$(cat out)"
    cargo_uses_it 0.3.5
}

test_versions_that_differ_from_the_tag() {
    local file
    registries_start
    sources 0.3.4
    ends 65 'veilid-tools is not of version 0.3.5: correct Cargo.toml' \
        publish_crates CI_COMMIT_TAG=v0.3.5
    ends 65 'veilid-0.3.4.* is not of version 0.3: correct pyproject.toml' \
        publish_python CI_COMMIT_TAG=v0.3
    ends 65 'is not of version 0.3' publish_crates CI_COMMIT_TAG=v0.3
    ends 64 'there is no tag' publish_crates CI_COMMIT_TAG=
    for file in veilid-core/Cargo.toml veilid-python/pyproject.toml; do
        sed -i 's/^version = .*/version = "0.3.40"/' "tree/$file"
    done
    commit
    ends 65 'veilid-core is not of version 0.3.4' publish_crates
    ends 65 'veilid-0.3.40.* is not of version 0.3.4' publish_python
    [ "$(registry_uploads "$CRATES") $(registry_uploads "$PYTHON")" = '0 0' ] ||
        die 'something was uploaded'
}

test_dry_run() {
    local dry=RELEASE_PATH=dryrun
    registries_start
    sources 0.3.4
    ends 0 '^dry run: no upload' publish_crates "$dry" CI_COMMIT_TAG=
    ends 0 '^dry run: no upload' publish_crates "$dry" CARGO_REGISTRY_TOKEN=
    ends 0 '^dry run: no upload' publish_python "$dry" CI_COMMIT_TAG= TWINE_PASSWORD=
    ends 65 'correct Cargo.toml' publish_crates "$dry" CI_COMMIT_TAG=v0.3.5
    echo 'pub fn wrong() -> u8 { veilid_tools::NOWHERE }' >>tree/veilid-core/src/lib.rs
    sed -i '/^name/d' tree/veilid-python/pyproject.toml
    commit
    ends 65 'veilid-core cannot be packaged: correct' publish_crates "$dry"
    ends 65 'veilid-python cannot be built: correct' publish_python "$dry"
    [ "$(registry_uploads "$CRATES") $(registry_uploads "$PYTHON")" = '0 0' ] ||
        die 'something was uploaded'
}

# A try again would not help.
test_what_the_registry_refuses() {
    registries_start
    sources 0.3.4
    sed -i '/^license/d' tree/veilid-tools/Cargo.toml
    sed -i '/^license/i classifiers = ["Private :: Do Not Upload"]' \
        tree/veilid-python/pyproject.toml
    commit
    ends 65 'veilid-tools 0.3.4 was refused: correct what is said above' publish_crates
    grep -q 'missing or empty metadata fields: license' out || die "$(cat out)"
    ends 65 'was refused: correct what is said above' publish_python
    published crates ''
    published python ''
}

# The registries themselves, before what they say means anything.
test_uploads_that_are_wrong() {
    registries_start
    sources 0.3.4
    must env -C tree "${REGISTRY_ENV[@]}" cargo package -q -p veilid-tools
    must python3 -B "$ROOT/tests/sim/client_registries.py" crates "$CRATES" \
        "$CRATES_TOKEN" tree/target/package/veilid-tools-0.3.4.crate
    must pyproject-build --no-isolation --wheel --outdir dist tree/veilid-python
    must python3 -B "$ROOT/tests/sim/client_registries.py" python "$PYTHON" \
        "$PYTHON_TOKEN" dist/*.whl
    published crates veilid-tools
    published python veilid-0.3.4-py3-none-any.whl
    grep -qE "$CRATES_TOKEN|$PYTHON_TOKEN" ./*.log && die 'a token is in the log'
    [ ! -s crates.err ] && [ ! -s python.err ] || die "$(cat crates.err python.err)"
}

# The rehearsal has no time to install cargo, twine and what they need.
test_the_stand_ins_of_the_rehearsal() {
    local fault
    registries_start
    sources 0.3.4
    mkdir -p tmp stand-ins
    cp "$ROOT/tests/world/cargo" "$ROOT/tests/world/twine" stand-ins
    cp stand-ins/twine stand-ins/pyproject-build
    REGISTRY_ENV+=(PATH="$T/stand-ins:$PATH")
    ends 77 'renew CARGO_REGISTRY_TOKEN' publish_crates CARGO_REGISTRY_TOKEN=not-the-token
    ends 77 'renew TWINE_PASSWORD' publish_python TWINE_PASSWORD=not-the-token
    ends 65 'is not of version 0.3.5' publish_crates CI_COMMIT_TAG=v0.3.5
    ends 65 'is not of version 0.3.5' publish_python CI_COMMIT_TAG=v0.3.5
    for fault in upload-503 upload-lost; do
        registry_fault "$CRATES" $fault
        registry_fault "$PYTHON" $fault
    done
    ends 75 'run this job again later' publish_crates
    ends 75 'run this job again later' publish_python
    both_publish
    all_published
    both_publish
    grep -q '(stand-in)' out || die "$(cat out)"
    unset 'REGISTRY_ENV[-1]'
    cargo_uses_it 0.3.4
    pip_uses_it 0.3.4
}

run_tests
