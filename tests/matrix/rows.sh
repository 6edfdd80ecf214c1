# One row of the table: a client in its chroot, or the suite itself. Sourced,
# after chroot.sh, trees.sh and clients.sh.
#
#   row RELEASE CHROOT KIND    prints it; counts in ran and passed. What failed
#                              goes to $T/trouble, what was remarked upon to
#                              $T/remarks, what was said to $T/rows
# shellcheck shell=bash disable=SC2153

# The chroot of the row as it was made, or with "user" that of somebody who has
# 0.3.4; what is written to it is in memory, and lost but for root_keep.
root_open() {
    local lower=$CHROOTS/$CHROOT/root
    [ "${1:-}" != user ] || lower=$T/user:$lower
    mkdir -p "$T/upper" "$T/work"
    mount -t overlay -o "lowerdir=$lower,upperdir=$T/upper,workdir=$T/work" \
        overlay "$R" && chroot_mounts "$R"
}

# Agents that gpgme has started hold it open, and are gone a moment later.
root_close() {
    root_leave
    rm -rf "$T/upper" "$T/work"
}

root_keep() {
    root_leave
    rm -rf "$T/user" "$T/work"
    mv "$T/upper" "$T/user"
}

root_leave() {
    local pid
    for pid in /proc/[0-9]*; do
        [ "$(readlink "$pid/root")" != "$R" ] || kill -9 "${pid#/proc/}"
    done
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        ! umount -R "$R" 2>/dev/null || break
        sleep 0.2
    done
    ! mountpoint -q "$R" || umount -R -l "$R"
}

# attempt WHAT COMMAND...: what it says is kept, in said/WHAT.
attempt() {
    local what=$1
    shift
    "$@" >"$SAID/$what" 2>&1
}

cell() { ROW+=$(printf ' %-8s' "$1"); }
bad() {
    cell "$1"
    ROW_FAILED=yes
    sed -e "s/^/    $NAME, $2: /" "$SAID/$2" >>"$T/trouble"
}

# good WHAT VERSION COMMAND...: it ends well, with that version of veilid-cli.
good() {
    local what=$1 version=$2
    shift 2
    if ! attempt "$what" "$@"; then
        bad FAILED "$what"
    elif [ "$("${KIND}_version" veilid-cli)" != "$version" ]; then
        echo "installed is '$("${KIND}_version" veilid-cli)'" >>"$SAID/$what"
        bad FAILED "$what"
    else
        cell ok
    fi
}

# What a client asked for in vain: to refuse what is absent proves nothing.
not_found() { grep -E '" [45][0-9][0-9] ' "$T/web/access" | grep -v '/media\.1/'; }

# refused STATE: somebody who has 0.3.4 upgrades, and keeps it.
refused() {
    local status
    case $KIND:$1 in apt:foreign | rpm:index | rpm:stranger) cell - && return ;; esac
    [ "$KIND:$1" != zypper:foreign ] || [ -z "$BLIND" ] || { cell blind; return; }
    [ "$HAS_BASE" = yes ] || { cell '?'; return; }
    root_open user
    serve "$1"
    : >"$T/web/access"
    attempt "$1" "${KIND}_upgrade"
    status=$?
    if [ "$1" != unsigned ] && not_found >>"$SAID/$1"; then
        bad ABSENT "$1"
    elif [ "$("${KIND}_version" veilid-cli)" != 0.3.4 ]; then
        bad TAKEN "$1"
    elif [ "$status" = 0 ]; then
        bad SILENT "$1"
    else
        cell refused
    fi
    root_close
}

# What a client says that is not about its work: counted, and shown once below
# the table. What it is made of is told by its packages.
remarks() {
    cat "$SAID"/{setup,update,install,upgrade} 2>/dev/null |
        sed 's/\x1b\[[0-9;]*[A-Za-z]//g' |
        grep -iE '^ *(W|N|E|A|warning|notice|audit|error):|warn|deprecat|weak|insecure|sha-?1|fail|not signed|unknown key|expired' |
        grep -v ': OK$' | sed "s|$WEB|URL|g" | sort | uniq -c | sort -rn
}

versions() {
    local name version text=
    for name in $("${KIND}_names"); do
        # shellcheck disable=SC2016
        version=$(within dpkg-query -W -f '${Version}' "$name" 2>/dev/null) || continue
        [ -n "$version" ] || continue
        case $name in lib*) name=${name%%[0-9]*} name=${name%-} ;; esac
        text+="${text:+, }$name ${version%%[-+]*}"
    done
    echo "$text"
}

row_client() {
    local state count
    BLIND=
    if [ "$KIND" = zypper ]; then
        root_open
        ! zypper_is_blind || BLIND=yes
        root_close
    fi
    root_open || { bad FAILED setup; return; }
    NAME="Debian $RELEASE, $(versions)"
    ROW=$(printf '%-46s' "$NAME")
    serve v1
    attempt setup "${KIND}_setup" || cat "$SAID/setup" >>"$T/trouble"
    good update '' "${KIND}_update"
    good install 0.3.4 "${KIND}_install" veilid-cli
    HAS_BASE=$([ -n "$ROW_FAILED" ] || echo yes)
    root_keep
    root_open user
    serve v2
    good upgrade 0.3.5 "${KIND}_upgrade"
    root_close
    for state in $BAD_STATES; do refused "$state"; done
    remarks >"$SAID/remarks"
    count=$(awk '{ n += $1 } END { print n + 0 }' "$SAID/remarks")
    cell "$count"
    sed "s/^/    $NAME: /" "$SAID/remarks" >>"$T/remarks"
    [ -z "$BLIND" ] || echo "    $NAME: takes no rpm for signed, not even what" \
        'rpmsign has signed: judged by the signed metadata alone' >>"$T/remarks"
}

# The suite itself, of the sources as they lie here; what is compiled is kept.
row_suite() {
    local src=$CHROOTS/suite/src
    NAME="Debian $RELEASE, the suite itself"
    mkdir -p "$src"
    (cd "$ROOT" && git ls-files -co --exclude-standard -z |
        tar -c --null -T - 2>/dev/null) | tar -C "$src" -x
    root_open || { bad FAILED setup; return; }
    mkdir -p "$R/src" && mount --bind "$src" "$R/src"
    if attempt suite within sh -c \
        'cd /src && make DEPS=no -j2 tests && tests/run.sh unit/'; then
        ROW=$(printf '%-46s built, unit tests: %s' "$NAME" \
            "$(tail -n 1 "$SAID/suite")")
    else
        ROW=$(printf '%-46s' "$NAME")
        bad FAILED suite
    fi
    root_close
}

row() {
    RELEASE=$1 CHROOT=$2 KIND=$3
    SAID=$T/rows/$CHROOT.$KIND ROW_FAILED=
    mkdir -p "$SAID"
    NAME="Debian $RELEASE, $KIND"
    ROW=$(printf '%-46s' "$NAME")
    if [ ! -e "$CHROOTS/$CHROOT/made" ]; then
        cp "$CHROOTS/$CHROOT.why" "$SAID/chroot"
        bad 'no chroot' chroot
    else
        case $KIND in suite) row_suite ;; *) row_client ;; esac
    fi
    echo "$ROW"
    ran=$((ran + 1))
    [ -n "$ROW_FAILED" ] || passed=$((passed + 1))
}
