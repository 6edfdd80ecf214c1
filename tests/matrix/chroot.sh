# Chroots of other releases of Debian, made once with mmdebstrap from the
# mirror that this machine itself uses, and kept beneath $CHROOTS. Whatever is
# mounted is mounted in a namespace of its own, so that the end of the process
# is the end of the mounts. Sourced; for root.
#
#   chroot_make NAME SUITE PACKAGE...   $CHROOTS/NAME/root; nothing to do where
#                                       it is there and not too old
#   chroot_mounts ROOT                  /proc, /dev, /sys; in a namespace
# shellcheck shell=bash

CHROOTS=${CHROOTS:-${BUILD:-build}/matrix}
CHROOT_DAYS=${CHROOT_DAYS:-7}
# Where this machine's npm knows a certificate authority of its own, that of the
# chroot has to.
CHROOT_CA=/etc/ssl/certs/machine.crt

# mirror_of LABEL: where apt gets this label from, by apt's own account of it.
mirror_of() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        awk -v label="$1" '$1 == label { print $2; exit }'
}

# sources_of SUITE: lines for sources.list.
sources_of() {
    local main security
    main=$(mirror_of Debian) security=$(mirror_of Debian-Security)
    if [ -z "$main" ]; then
        apt-get -qq update >/dev/null 2>&1
        main=$(mirror_of Debian) security=$(mirror_of Debian-Security)
    fi
    if [ -z "$main" ]; then
        echo "no mirror of Debian is among apt's sources on this machine" >&2
        return 1
    fi
    echo "deb $main $1 main"
    [ "$1" != sid ] || return 0
    echo "deb $main $1-updates main"
    [ -z "$security" ] || echo "deb $security $1-security main"
}

# A machine that is content with an old state of its mirror says so to its apt,
# and the chroots get their packages from the same mirror. Where clients are
# tried, all checks are on.
checks_of_this_machine() {
    apt-config dump | sed -n \
        's/^\(Acquire::Check-\(Valid-Until\|Date\)\) "\(.*\)";$/--aptopt=\1 "\3"/p'
}

chroot_is_fresh() {
    [ -n "$(find "$CHROOTS/$1/made" -mtime "-$CHROOT_DAYS" 2>/dev/null)" ] &&
        [ "$(cat "$CHROOTS/$1/of")" = "${*:2}" ]
}

# A package once fetched is fetched no more: the archives are kept by suite.
chroot_make() {
    local name=$1 suite=$2 dir=$CHROOTS/$1 kept=$CHROOTS/archives/$2 sources options
    shift 2
    chroot_is_fresh "$name" "$suite" "$@" && return
    sources=$(sources_of "$suite") || return 69
    mapfile -t options < <(checks_of_this_machine)
    rm -rf "$dir"
    mkdir -p "$dir" "$kept"
    :
    # shellcheck disable=SC2016
    if ! mmdebstrap --mode=root --variant=minbase --format=directory --quiet \
        --include="$(IFS=,; echo "$*")" --dpkgopt=force-unsafe-io \
        --aptopt='Acquire::Retries "2"' "${options[@]}" \
        --setup-hook='mkdir -p "$1/var/cache/apt/archives"' \
        --setup-hook="sync-in '$kept' /var/cache/apt/archives" \
        --skip=essential/unlink --skip=download/empty \
        --customize-hook="rm -f \"\$1\"/var/cache/apt/archives/lock" \
        --customize-hook="sync-out /var/cache/apt/archives '$kept'" \
        "$suite" "$dir/root" - <<<"$sources" >"$dir/log" 2>&1; then
        rm -rf "$dir/root"
        echo "$suite cannot be had from this machine's mirror: $(grep -E '^E: |^Err' \
            "$dir/log" | head -n 1); see $dir/log" >&2
        return 69
    fi
    rm -rf "$kept/partial" "$dir/root"/var/cache/apt/archives/*.deb
    echo "$suite $*" >"$dir/of"
    date -u +%F >"$dir/made"
}

# chroot_root ROOT: makes it a place where something is mounted, which the root
# directory of a machine and of a container always is. One that is not cannot
# have private mounts: unshare(1) says "cannot change root filesystem
# propagation". CHROOT_PLAIN=yes leaves it so.
chroot_root() {
    [ "${CHROOT_PLAIN:-}" = yes ] || mount --bind "$1" "$1"
}

# chroot_mounts ROOT: what programs expect of a machine. In a namespace.
chroot_mounts() {
    mount -t proc proc "$1/proc"
    mount --rbind /sys "$1/sys" && mount --make-rslave "$1/sys"
    mkdir -p "$1/dev/pts" "$1/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$1/dev/pts"
    mount --bind "$1/dev/pts/ptmx" "$1/dev/ptmx"
    mount -t tmpfs -o "mode=1777${CHROOT_SHM:+,size=$CHROOT_SHM}" tmpfs "$1/dev/shm"
}

# chroot_do ROOT COMMAND...: with nothing of our environment, in a chroot that
# has its mounts.
chroot_do() {
    local root=$1
    shift
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root LC_ALL=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive \
        ${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS=$CHROOT_CA} \
        chroot "$root" "$@" </dev/null
}

# chroot_alone SUITE ROOT COMMAND...: the same in namespaces of its own, with
# the archives that are kept for the suite at apt's disposal. No process of it
# is left when it ends. Meanwhile CHROOT_PID is what to kill, by KILL alone:
# unshare(1) is deaf to the rest.
chroot_alone() {
    local kept=$CHROOTS/archives/$1 root=$2 status
    local here=$root/var/cache/apt/archives
    shift 2
    mkdir -p "$kept"
    find "$kept" -name '*.deb' -exec cp -lf -t "$here" {} +
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    [ -z "${NODE_EXTRA_CA_CERTS:-}" ] ||
        cp -L "$NODE_EXTRA_CA_CERTS" "$root$CHROOT_CA" || return
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child \
        bash -c '. "$1" && chroot_root "$2" && chroot_mounts "$2" &&
            shift && chroot_do "$@"' \
        bash "${BASH_SOURCE[0]}" "$root" "$@" &
    CHROOT_PID=$!
    wait "$CHROOT_PID"
    status=$?
    CHROOT_PID=
    find "$here" -name '*.deb' -exec cp -lf -t "$kept" {} +
    return $status
}
