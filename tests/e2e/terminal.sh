#!/bin/bash
# What people see: tables and the line that redraws, on terminals of several
# widths; and what programs see of the same.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cloud.sh"
. "$(dirname "$0")/sshd.sh"

ERASE=$'\r\033[K'

# on_terminal COLUMNS COMMAND...: what it shows, into the file screen. WAY: by
# which command, for where else than here.
WAY=()
on_terminal() {
    "${WAY[@]}" python3 "$ROOT/tests/e2e/on_terminal.py" "$@" </dev/null >typescript
    STATUS=$?
    tr -d '\r' <typescript | sed "s/$(printf '\033')\[K//g" >screen
}

# The table on the screen: a header of these words in its first line, no TAB,
# no blank at an end, and no line wider than so many columns.
check_screen() {
    local columns=$1 header=$2 line n=0
    [ "$STATUS" = 0 ] || die "status $STATUS: $(cat screen)"
    # shellcheck disable=SC2046
    [ "$(echo $(head -n "${3:-1}" screen))" = "$header" ] || die "header: $(cat screen)"
    grep -q "$(printf '\t')" screen && die "a TAB: $(cat screen)"
    grep -q ' $' screen && die "a blank at the end: $(cat screen)"
    while IFS= read -r line; do
        [ ${#line} -le "$columns" ] || die "${#line} columns: $line"
        n=$((n + 1))
    done <screen
    [ $n -gt 1 ] || die "nothing below the header: $(cat screen)"
}

# A release whose packages are large enough to see a size.
large_release() {
    DEB_EXTRA=$(head -c 60000 /dev/urandom | base64 -w 0) make_release p 0.3.4
    must dist build -r v0.3.4 --from p
}

test_packages() {
    local tool=$BUILD/bin/distribute-packages path sha size
    large_release
    must dist list
    IFS=$'\t' read -r _ _ _ _ _ size sha path <out
    [ ${#sha} = 64 ] && [ "$size" = "$(stat -c %s p/veilid-cli-0.3.4_amd64.deb)" ] ||
        die "a pipe got $(head -n 1 out)"

    on_terminal 132 "$tool" -c conf list
    check_screen 132 'suite format arch name version size sha256 path'
    grep -qE "^stable +deb +amd64 +veilid-cli +0\.3\.4 +[0-9]+\.[0-9] KiB +${sha:0:12} +$path$" \
        screen || die "$(cat screen)"
    [ "$(wc -l <screen)" = 5 ] || die "$(cat screen)"
    # every column begins where its header does; sizes end where theirs does
    [ "$(cut -c "$(head -n 1 screen | grep -bo sha256 | cut -d : -f 1)" screen |
        sort -u)" = ' ' ] || die "$(cat screen)"

    # it does not fit: the rest is below, in one piece
    on_terminal 80 "$tool" -c conf list
    check_screen 80 'suite format arch name version size sha256 path' 2
    grep -qx "    $path" screen || die "$(cat screen)"
    on_terminal 30 "$tool" -c conf list
    grep -qx "    $path" screen || die "$(cat screen)"

    on_terminal 80 "$tool" -c conf --json list
    grep -q "\"sha256\":.*\"$sha\"" screen && grep -qE "\"size\":[[:space:]]*$size" screen ||
        die "$(cat screen)"
    on_terminal 80 bash -c "$tool -c conf list | cat"
    cmp out screen || die 'a pipe gets something else beside a terminal'
}

test_generations() {
    local tool=$BUILD/bin/deploy-repo
    large_release
    must export_and_deploy
    on_terminal 80 "$tool" -c conf list
    check_screen 80 'serial release date files bytes live'
    grep -qE '^ +1  v0\.3\.4  .*Z +17  +[0-9.]+ KiB  live$' screen || die "$(cat screen)"
    on_terminal 80 "$tool" -c conf status
    check_screen 80 'key value'
    grep -qE '^bytes +[0-9.]+ KiB$' screen || die "$(cat screen)"
    must deploy status
    grep -qP '^bytes\t[0-9]+$' out || die "$(cat out)"
    on_terminal 80 "$tool" -c conf -q verify
    [ "$STATUS" = 0 ] || die "$(cat screen)"
}

# A cloud is in a network of its own, so the terminal is made there.
test_machines() {
    cloud_start
    cloud_conf
    WAY=(in_cloud)
    cloud_droplet build-server-amd64-deb-tmp build-machines build-orchestration \
        build:amd64-deb age=11100 >id
    machines list >out || die list
    [ "$(awk -F'\t' '{print NF}' out)" = 8 ] || die "a pipe got $(cat out)"
    on_terminal 140 "$BUILD/bin/build-machine-ctl" -c conf list
    check_screen 140 'build id name status private-ip public-ip age cost-usd'
    grep -q '  3 h 5 min  ' screen || die "$(cat screen)"
    on_terminal 80 "$BUILD/bin/build-machine-ctl" -c conf list
    check_screen 80 'build id name status private-ip public-ip age cost-usd' 2
    # the text of a finding is broken at blanks, and whole
    on_terminal 50 "$BUILD/bin/build-machine-ctl" -c conf check
    machines check >out 2>err || die "$(cat err)"
    check_screen 50 'level subject finding'
    [ "$(wc -l <screen)" -gt $(($(wc -l <out) + 1)) ] || die "not broken: $(cat screen)"
    [ "$(tr -s ' \n\t' ' ' <out)" = "$(sed 1d screen | tr -s ' \n' ' ')" ] ||
        die "$(diff out screen)"
    # what somebody else has written cannot move the cursor
    on_terminal 80 "$BUILD/bin/build-machine-ctl" -c conf -q \
        -o "machine amd64-deb.image=$(printf 'x\033[31my')" check
    grep -qF 'x\x1b[31my' screen || die "$(cat -v screen)"
    grep -q "$(printf '\033')\[31m" typescript && die "$(cat -v typescript)"
    :
}

test_what_was_sent() {
    local tool=$BUILD/bin/scp-to-orchestrator sha
    sshd_start orchestrator
    sshd_conf
    make_deb target/packages veilid-server 0.3.4 amd64 zstd
    make_deb target/packages veilid-cli 0.3.4 amd64
    must "$tool" -c conf -q -r v0.3.4
    sha=$(sha256sum target/packages/veilid-cli-0.3.4_amd64.deb | cut -c 1-64)
    grep -qP "^$sha\t[0-9]+\tveilid-cli" out || die "$(cat out)"
    on_terminal 80 "$tool" -c conf -q -r v0.3.4
    check_screen 80 'sha256 size name'
    grep -qE "^${sha:0:12}  [0-9]+ B  veilid-cli-0\.3\.4_amd64\.deb$" screen ||
        die "$(cat screen)"
}

# Passes stdin on, 64 KiB at a time and slowly enough for lines to be redrawn.
slowly() {
    local _
    for _ in {1..12}; do
        head -c 65536
        sleep 0.12
    done
    cat
}

# Nothing stands on a line beside the remains of another, and what redraws
# fits into the terminal.
check_lines() {
    local columns=$1 line part
    while IFS= read -r line; do
        line=${line%$'\r'}
        part=${line##*"$ERASE"}
        [[ $part =~ ^(distribute-packages|deploy-repo):\ [^:]+ ||
            ! $part =~ (distribute-packages|deploy-repo): ]] || die "mixed: $part"
        [[ ! ${part#*: } =~ (distribute-packages|deploy-repo): ]] || die "mixed: $part"
        while [[ $line == *"$ERASE"* ]]; do
            part=${line%%"$ERASE"*}
            [ ${#part} -lt "$columns" ] || die "wraps: $part"
            line=${line#*"$ERASE"}
        done
    done <typescript
}

# Both ends of a pipeline are on one terminal. Who writes knows how much there
# is; once both drew, over each other, and one of them "10.0 MiB of 0 B".
test_one_process_of_a_pipeline_draws() {
    export -f slowly
    large_release
    on_terminal 100 bash -o pipefail -c "
        $BUILD/bin/distribute-packages -c conf export | slowly |
            $BUILD/bin/deploy-repo -c conf -"
    [ "$STATUS" = 0 ] || die "$(cat screen)"
    grep -qF "${ERASE}distribute-packages: exporting  " typescript ||
        die "nobody draws: $(cat -v typescript)"
    grep -qE 'exporting  [0-9.]+ [KM]iB of [0-9.]+ KiB  [0-9.]+ [KM]iB/s  [0-9]+ s left' \
        typescript || die "$(cat -v typescript)"
    grep -qF 'deploy-repo: taking files  ' typescript &&
        die "both draw: $(cat -v typescript)"
    grep -q 'of 0 B' typescript && die "$(cat -v typescript)"
    grep -q 'deploy-repo: taking files: ' screen || die "$(cat screen)"
    check_lines 100
}

run_tests
