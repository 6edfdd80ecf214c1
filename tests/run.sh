#!/bin/bash
# Runs the unit tests and the end-to-end tests; ends with one line that
# counts them.
#
#   BUILD=build tests/run.sh [NAME]      only test files whose name has NAME
#   SKIP='NAME...'                       and not these of tests/e2e
set -u
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-build}
only=${1:-}
log=$(mktemp -d "${TMPDIR:-/tmp}/vc-run.XXXXXX")
keys=$(mktemp -d "${TMPDIR:-/tmp}/vc-keys.XXXXXX")
export KEYS=$keys CMOCKA_MESSAGE_OUTPUT=TAP
# gpgme forks, and the child, which soon becomes gpg, has threads that it never
# joins: its status would be ThreadSanitizer's.
export TSAN_OPTIONS="report_thread_leaks=0${TSAN_OPTIONS:+:$TSAN_OPTIONS}"
passed=0 failed=0 skipped=0

finish() {
    rm -rf "$log" "$keys"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Reads TAP on stdin, prints what matters, and counts.
count() {
    local name=$1 line
    while IFS= read -r line; do
        case $line in
        # a test that cmocka 1.1.5 has skipped is "not ok"
        'ok '*'# SKIP'*|'ok '*'# skip'*|'not ok '*'# SKIP'*)
            skipped=$((skipped + 1))
            line=${line#not }
            echo "  skip  $name: ${line#ok * - }" ;;
        'ok '*) passed=$((passed + 1)) ;;
        'not ok '*) failed=$((failed + 1)); echo "  FAIL  $name: $line" ;;
        '#'*) [ "$show_comments" = yes ] && echo "        $line" ;;
        esac
    done
}

# execute NAME COMMAND...: what it says goes into files, its status and time too.
execute() {
    local to=$log/${1//\//_} start=$SECONDS
    shift
    # no test file takes a minute or two: one that hangs is a failure, not a
    # wait. In the background bash has everything ignore INT.
    env --default-signal=INT,QUIT timeout -k 5 600 "$@" >"$to.out" 2>"$to.err" \
        </dev/null
    echo "$? $((SECONDS - start))" >"$to.status"
}

# report NAME: counts.
report() {
    local name=$1 to=$log/${1//\//_} before=$((passed + skipped)) bad=$failed
    local status seconds
    read -r status seconds <"$to.status"
    show_comments=no
    [ "$status" = 0 ] || show_comments=yes
    count "$name" <"$to.out"
    if [ "$status" != 0 ] && [ "$failed" = "$bad" ]; then
        failed=$((failed + 1))
        echo "  FAIL  $name: ended with status $status"
    fi
    if [ "$failed" != "$bad" ]; then
        tail -n 40 "$to.err" | sed 's/^/        /'
    fi
    printf '  %-28s %3d tests %4d s\n' "$name" \
        "$((passed + skipped - before + failed - bad))" "$seconds"
}

run() {
    execute "$@"
    report "$1"
}

# Those that wait for most of their time run beside the others, with keys of
# their own: an agent of gpg's serves one test at a time.
waiting='cloud_sim enrol machines machines_faults machines_kill machines_scale
    machines_secrets recovery scp_faults
    scp_accounts scp_shell scp_stall'
beside=() alone=()
for test in tests/e2e/*.sh; do
    name=e2e/$(basename "$test" .sh)
    # lib.sh and the like are sourced by the others
    case $name in e2e/lib | e2e/rpms | e2e/cloud | e2e/sshd | e2e/line | \
        e2e/manual | e2e/operation) continue ;; esac
    case " ${SKIP:-} " in *" ${name#e2e/} "*) continue ;; esac
    case $name in *"$only"*) ;; *) continue ;; esac
    case " ${waiting//$'\n'/ } " in
    *" ${name#e2e/} "*) beside+=("$name") ;;
    *) alone+=("$name") ;;
    esac
done
run_beside() {
    mkdir "$keys/beside"
    export KEYS=$keys/beside
    for name in "${beside[@]}"; do
        execute "$name" bash "tests/$name.sh"
    done
}
# Where they can have no /dev/shm of their own, they would find the others' key
# rings there; so they wait.
if unshare -m true 2>/dev/null; then
    run_beside &
else
    alone+=("${beside[@]}")
    beside=()
fi
for test in "$BUILD"/tests/test_*; do
    name=unit/${test##*/test_}
    if [ ! -x "$test" ] || [ "${test%.d}" != "$test" ]; then continue; fi
    case $name in *"$only"*) run "$name" "$test" ;; esac
done
for name in "${alone[@]}"; do run "$name" bash "tests/$name.sh"; done
wait
for name in "${beside[@]}"; do report "$name"; done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$((passed + skipped))" -gt 0 ]
