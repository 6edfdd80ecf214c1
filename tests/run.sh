#!/bin/bash
# Runs the unit tests and the end-to-end tests; ends with one line that
# counts them.
#
#   BUILD=build tests/run.sh [NAME]      only test files whose name has NAME
#   SKIP='NAME...'                       and not these of tests/e2e
#   LANES=N                              so many files at once
#
# Many wait as long as they work, so there are two lanes for a processor. Each
# lane has keys of its own: an agent of gpg's serves one test at a time.
set -u
cd "$(dirname "$0")/.." || exit 1
export BUILD=${BUILD:-build}
only=${1:-}
log=$(mktemp -d "${TMPDIR:-/tmp}/vc-run.XXXXXX")
keys=$(mktemp -d "${TMPDIR:-/tmp}/vc-keys.XXXXXX")
export KEYS=$keys CMOCKA_MESSAGE_OUTPUT=TAP
# leaks that are not ours
export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0"
# gpgme forks, and the child, which soon becomes gpg, has threads that it never
# joins: its status would be ThreadSanitizer's.
export TSAN_OPTIONS="report_thread_leaks=0${TSAN_OPTIONS:+:$TSAN_OPTIONS}"
passed=0 failed=0 skipped=0

finish() {
    rm -rf "$log" "$keys"
}
# Nothing that was begun goes on without us. A test ends by TERM as by its end.
stop() {
    local pids=() i
    : >"$log/names"
    mapfile -t pids < <(jobs -p)
    for ((i = 0; i < ${#pids[@]}; i++)); do
        mapfile -t -O ${#pids[@]} pids < <(pgrep -P "${pids[i]}" -f 'timeout -k')
    done
    kill "${pids[@]}" 2>/dev/null
    wait
    exit 130
}
trap finish EXIT
trap stop INT TERM

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

# watch PID FILE...: ends it when none of the files has grown for STUCK seconds. A
# test that hangs is a failure, not a wait; one that gets on, however slowly, is
# none. A unit test says something when all of it is over.
STUCK=${STUCK:-1800}
watch() {
    local pid=$1 size last='' since=$SECONDS
    shift
    while [ -e "$log/never" ] && kill -0 "$pid" 2>/dev/null; do
        size=$(stat -c %s "$@" 2>/dev/null | tr '\n' ' ')
        if [ "$size" != "$last" ]; then
            last=$size since=$SECONDS
        elif [ $((SECONDS - since)) -gt "$STUCK" ]; then
            echo "nothing new for $STUCK seconds: it is ended" >>"$2"
            kill "$pid"
            return
        fi
        # a sleep would outlive us
        read -r -t 2 2>/dev/null <>"$log/never"
    done
}

# execute NAME: what it says goes into files, its status and time too.
execute() {
    local to=$log/${1//\//_} start=$SECONDS command=(bash "tests/$1.sh") pid watcher
    case $1 in unit/*) command=("$BUILD/tests/test_${1#unit/}") ;; esac
    : >"$to.out"
    : >"$to.err"
    times >"$to.times0"
    # timeout for its way to end all that was begun, not for its time. In the
    # background bash has everything ignore INT.
    env --default-signal=INT,QUIT timeout -k 20 10d "${command[@]}" \
        >"$to.out" 2>"$to.err" </dev/null 8>&- &
    pid=$!
    watch "$pid" "$to.out" "$to.err" 8>&- &
    watcher=$!
    wait "$pid"
    echo "$? $((SECONDS - start))" >"$to.status"
    times >"$to.times"
    kill "$watcher" 2>/dev/null
    wait "$watcher" 2>/dev/null
}

# cpu_seconds BEFORE AFTER: what bash says of its children, "1m2.345s 0m0.678s".
cpu_seconds() {
    awk -F'[ms ]+' 'FNR == 2 {
        sum = $1 * 60 + $2 + $3 * 60 + $4
        printf "%s", NR == FNR ? "" : int(sum - first + 0.5)
        first = sum
    }' "$@"
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
    printf '  %-28s %3d tests %4d s, %4d of CPU\n' "$name" \
        "$((passed + skipped - before + failed - bad))" "$seconds" \
        "$(cpu_seconds "$to.times0" "$to.times")"
}

# take: the next name, which is then gone from the list.
take() {
    (
        flock 7
        head -n 1 "$log/names"
        sed -i 1d "$log/names"
    ) 7>"$log/lock"
}

# lane N: one file after the other, until there is none.
lane() {
    local name
    mkdir "$keys/$1"
    export KEYS=$keys/$1
    while name=$(take) && [ -n "$name" ]; do
        execute "$name"
        echo "$name" >&8
    done
}

# Those that take longest are begun first.
long='recovery pipeline faults kill_build kill_deploy registries pull_faults
    scp_faults enrol rpm_container refuse_debs nginx deploy machines_faults
    machines_kill machines'
names=() skip=${SKIP:-}
add() {
    case $1 in *"$only"*) ;; *) return ;; esac
    case " ${names[*]} ${skip//$'\n'/ } " in *" $1 "* | *" ${1#e2e/} "*) return ;; esac
    names+=("$1")
}
for name in $long; do
    [ ! -e "tests/e2e/$name.sh" ] || add "e2e/$name"
done
for test in "$BUILD"/tests/test_*; do
    if [ -x "$test" ] && [ "${test%.d}" = "$test" ]; then
        add "unit/${test##*/test_}"
    fi
done
# the others are sourced
while IFS= read -r test; do
    add "e2e/$(basename "$test" .sh)"
done < <(grep -l '^run_tests$' tests/e2e/*.sh)

lanes=${LANES:-$(($(nproc) * 2))}
# Where they can have no /dev/shm of their own, they would find the others' key
# rings there.
unshare -m true 2>/dev/null || lanes=1
mkfifo "$log/done" "$log/never"
exec 8<>"$log/done"
printf '%s\n' "${names[@]}" >"$log/names"
for n in $(seq "$lanes"); do lane "$n" & done
for ((n = 0; n < ${#names[@]}; n++)); do
    IFS= read -r name <&8
    report "$name"
done
wait

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$((passed + skipped))" -gt 0 ]
