# The commands of veilid-cicd(7) and veilid-cicd-recovery(7), run as they stand
# there, on machines of tests/world. Sourced, after lib.sh and world.sh.
#
#   recipe NAME MACHINE      what stands there below  .\" run NAME on MACHINE
#                            (for root) or  .\" job NAME on MACHINE
#                            (for gitlab-runner)
#   follow NAME MACHINE      runs it, with stdin as what is pasted; sets $T/out.
#                            MAP, a script for sed, says what is different here
#   refused STATUS REGEX NAME MACHINE    the same, and it must fail so
#   run_unit MACHINE UNIT    what systemd would run, seeing what it would see
#   book_keep                $LOGS/ran has what was run
# shellcheck shell=bash

PAGES=("$ROOT/man/veilid-cicd.7" "$ROOT/man/veilid-cicd-recovery.7")
MAP=

# blocks FILE...: each block of commands as FILE:LINE, its tag, and its text, one a record,
# fields separated by \1, lines by \2.
blocks() {
    awk '
    /^\.\\" (run|job|shown)/ { tag = substr($0, 5); next }
    /^\.Bd -literal -offset/ { text = ""; at = FILENAME ":" FNR; inside = 1; next }
    /^\.Ed/ && inside {
        printf "%s\001%s\001%s\n", at, tag, text
        inside = 0; tag = ""; next }
    inside { gsub(/\\e/, "\\"); sub(/^\\&/, ""); text = text $0 "\002" }' "$@"
}

recipe() {
    blocks "${PAGES[@]}" | awk -F '\001' -v name="$1" -v machine="$2" '
        { n = split($2, word, " ")
          if (word[2] != name || (word[1] != "run" && word[1] != "job")) next
          for (i = 4; i <= n; i++) if (word[i] == machine) {
              gsub("\002", "\n", $3); print word[1] "\n" $3; exit } }'
}

# follow_it NAME MACHINE: its status.
follow_it() {
    local kind file=/tmp/recipe.$1
    recipe "$1" "$2" >"$T/recipe"
    [ -s "$T/recipe" ] || die "the manual has no '$1' on $2"
    kind=$(head -n 1 "$T/recipe")
    tail -n +2 "$T/recipe" | sed -e "$MAP" >"$(place "$2" "$file")"
    echo "$1 $2" >>"$LOGS/ran"
    case $kind in
    run) as_root_on "$2" bash -e "$file" ;;
    job) as_root_on "$2" su - gitlab-runner -c "bash -e $file" ;;
    esac
}

follow() {
    follow_it "$@" >"$T/out" 2>"$T/err" && return
    sed 's/^/# /' "$T/err" "$T/out"
    die "the manual's '$1' on $2 fails"
}

refused() {
    local status=$1 regex=$2 got
    shift 2
    follow_it "$@" >"$T/out" 2>"$T/err"
    got=$?
    [ "$got" = "$status" ] && grep -qE "$regex" "$T/err" && return
    sed 's/^/# /' "$T/err" "$T/out"
    die "status $got of '$1' on $2, expected $status and $regex"
}

# What is left of the unit's confinement without systemd: whose it is, what it
# can write to, and that there are no homes.
run_unit() {
    local unit paths
    unit=$(place "$1" "/etc/systemd/system/$2")
    [ -e "$unit" ] || die "no unit $2 on $1"
    sed -n 's/^ExecStart=//p' "$unit" >"$(place "$1" /tmp/unit)"
    read -ra paths < <(sed -n 's/^ReadWritePaths=//p' "$unit")
    as_root_on "$1" unshare -m bash -e -c '
        for path; do mount --bind "$path" "$path"; done
        for path in / /etc /srv /usr/local /var/lib; do
            case " $* " in
            *" $path "*) ;;
            *) mount -o remount,bind,ro "$path" ;;
            esac
        done
        cp /tmp/unit /run/unit
        for path in /home /root /tmp; do mount -t tmpfs -o mode=0 tmpfs $path; done
        chmod 1777 /tmp
        while read -r line; do
            setpriv --reuid gitlab-runner --regid gitlab-runner --init-groups \
                --no-new-privs --bounding-set=-all env -i HOME=/home/gitlab-runner \
                USER=gitlab-runner PATH=/usr/local/bin:/usr/bin:/bin \
                bash -c "$line" </dev/null
        done </run/unit' - "${paths[@]}" \
        >"$T/out" 2>"$T/err" && return
    sed 's/^/# /' "$T/err" "$T/out"
    die "the unit $2 fails on $1"
}
