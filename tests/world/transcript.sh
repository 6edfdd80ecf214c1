# What a rehearsal prints: steps, the commands with the machines that they run
# on, what is proven, and one table at the end. Sourced, after world.sh.
#
#   step NAME
#   run MACHINE COMMAND...   shows it, runs it there, shows what it says
#   here COMMAND...          the same on the user's machine, with a function
#   note TEXT
#   proven TEXT              ends the step
#   failed TEXT              ends all of it
#   rehearsal_begin TITLE    a place for it, which is gone in the end
#   rehearsal_end            the table
# shellcheck shell=bash

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    BOLD=$'\033[1m' DIM=$'\033[2m' GREEN=$'\033[32m' RED=$'\033[31m' PLAIN=$'\033[0m'
else
    BOLD='' DIM='' GREEN='' RED='' PLAIN=''
fi
BEGAN=$(date +%s%N)
TABLE=()
STEP_AT=0

seconds() { printf '%d.%02d' $(($1 / 1000000000)) $(($1 / 10000000 % 100)); }

step() {
    STEP_AT=$(date +%s%N)
    STEP=$1
    printf '\n%s%2d  %s%s\n' "$BOLD" $((${#TABLE[@]} + 1)) "$1" "$PLAIN"
}

note() { printf '    %s\n' "$1"; }

proven() {
    local spent
    spent=$(seconds $(($(date +%s%N) - STEP_AT)))
    printf '    %sproven%s  %s  %s(%s s)%s\n' "$GREEN" "$PLAIN" "$1" "$DIM" \
        "$spent" "$PLAIN"
    TABLE+=("$(printf '%2d  %-38s %6s s   %s' $((${#TABLE[@]} + 1)) "$STEP" \
        "$spent" "$1")")
}

run() {
    local machine=$1
    shift
    prompt "$machine" "$*"
    on "$machine" "$@" >"$T/run.out" 2>&1
    shown $? "$W/$machine"
}

here() {
    prompt "$USER_MACHINE" "$(say_client "$@")"
    "$@" >"$T/run.out" 2>&1
    shown $? "$T"
}

prompt() { printf '    %s%s$ %s%s\n' "$DIM" "$1" "$2" "$PLAIN"; }

# shown STATUS PREFIX: paths as the machine would say them.
shown() {
    sed -e "s|$2||g" -e "s|$T||g" -e 's/^/      /' "$T/run.out"
    [ "$1" = 0 ] || failed "status $1"
}

say_client() {
    case $1 in
    apt) shift 2; echo "apt-get $*" ;;
    dnf | zypper) echo "$1 ${*:3}" ;;
    *) echo "$*" ;;
    esac
}

failed() {
    printf '    %sFAILED%s  %s\n' "$RED" "$PLAIN" "$1"
    exit 1
}

rehearsal_begin() {
    T=$(mktemp -d /tmp/vc-rehearsal.XXXXXX)
    export HOME=$T/home
    mkdir -p "$HOME"
    trap rehearsal_over EXIT
    trap 'exit 130' INT TERM
    cd "$T" || exit 1
    printf '%s%s%s\n' "$BOLD" "$1" "$PLAIN"
    printf 'Machines, keys and packages are made for this run and thrown away after it.\n'
}

rehearsal_over() {
    local status=$?
    cleanup
    world_end
    [ "${ENDED:-}" = yes ] || printf '\nThe rehearsal failed.\n'
    rm -rf "$T"
    [ -z "$OWN_KEYS" ] || rm -rf "$KEYS"
    exit "$status"
}

rehearsal_end() {
    printf '\n%s    %-38s %8s   %s%s\n' "$BOLD" step time proven "$PLAIN"
    printf '%s\n' "${TABLE[@]}"
    printf '\n%sThe rehearsal passed%s: %d steps in %s s.\n' "$GREEN" "$PLAIN" \
        "${#TABLE[@]}" "$(seconds $(($(date +%s%N) - BEGAN)))"
    ENDED=yes
}
