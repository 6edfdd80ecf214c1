#!/bin/sh
# Installs, with apt, those Debian packages that are missing.
#
#   tests/deps.sh GROUP...      build, test, check, pipeline, lint, bench, matrix
#   tests/deps.sh debs DIR      packages of Debian itself, as files: to publish
set -eu

# Small ones, of many kinds: essential, protected, Multi-Arch, for all
# architectures, with epochs, triggers, diversions, long relations, versions in
# Provides. What this release does not have is passed over.
DEBS='base-files base-passwd bash-completion bsdutils build-essential bzip2
    ca-certificates cron dash debconf debianutils desktop-file-utils
    dictionaries-common diffutils gcc-12-base gcc-14-base gzip hostname init
    init-system-helpers libacl1 libacl1t64 libattr1 libbz2-1.0 libc-bin
    libdebconfclient0 libgcc-s1 libjs-jquery liblzma5 libpam-runtime
    libpam0g libpython3-stdlib libssh-4 libstdc++6 libtinfo6 login lsb-base
    mailcap mawk media-types menu mime-support molly-guard ncurses-base netbase
    python3-minimal sed sensible-utils sysvinit-utils
    tzdata ucf zlib1g'
LEAST=40

fetch_debs() {
    dir=$1 names=
    mkdir -p "$dir"
    [ "$(find "$dir" -name '*.deb' | wc -l)" -lt $LEAST ] || return 0
    for name in $DEBS; do
        if apt-cache show --no-all-versions "$name" >/dev/null 2>&1; then
            names="$names $name"
        fi
    done
    # shellcheck disable=SC2086
    (cd "$dir" && apt-get -qq download $names) >"$dir/log" 2>&1 </dev/null || {
        tail -n 20 "$dir/log" >&2
        echo "deps.sh: apt-get download failed: $dir/log" >&2
        exit 69
    }
}
if [ "${1:-}" = debs ]; then
    fetch_debs "$2"
    exit
fi

for group in "$@"; do
    case $group in
    build) set -- "$@" gcc libc6-dev make pkg-config libarchive-dev \
        libgpgme-dev libcurl4-openssl-dev libcjson-dev libinih-dev \
        zlib1g-dev libssl-dev libssh-dev libseccomp-dev gnupg gpg gpg-agent ;;
    # for the rehearsal, and for all the rest
    test) set -- "$@" apt gpgv nginx-light xz-utils curl util-linux procps \
        binutils ca-certificates mount rpm dnf zypper python3 python3-libcloud \
        openssh-server openssh-client openssh-sftp-server iproute2 jq \
        python3-yaml git ;;
    check) set -- "$@" libcmocka-dev dpkg-dev apt-utils openssl zstd bzip2 cpio \
        libarchive-tools \
        createrepo-c libfaketime strace podman crun cloud-init systemd \
        shellcheck python3-digitalocean cargo python3-build \
        python3-poetry-core python3-pip twine ;;
    pipeline) set -- "$@" nodejs npm rsync git ;;
    lint) set -- "$@" libcmocka-dev clang cppcheck shellcheck mandoc libclang-rt-dev ;;
    matrix) set -- "$@" mmdebstrap git iproute2 util-linux mount ;;
    bench) set -- "$@" dpkg-dev apt-utils createrepo-c reprepro aptly rsync time ;;
    *) echo "deps.sh: unknown group '$group'" >&2; exit 64 ;;
    esac
    shift
done

# least PACKAGE: the oldest version whose known faults do not matter here, and
# why; nothing for other packages.
release=13
if grep -q '^VERSION_ID="12"' /etc/os-release; then release=12; fi
least() {
    sed -n 's/^LEAST("'"$release"'", "'"$1"'", "[^"]*", "\([^"]*\)", "\([^"]*\)")$/\1 \2/p' \
        lib/frame/libraries.def
}

# is_old PACKAGE: it is installed, and older than that.
is_old() {
    version=$(least "$1")
    version=${version%% *}
    [ -n "$version" ] && dpkg --compare-versions \
        "$(dpkg-query -W -f '${Version}' "$1" 2>/dev/null)" lt "$version"
}

missing=
for package in "$@"; do
    # the clang runtime's package name carries the compiler's version
    if [ "$package" = libclang-rt-dev ]; then
        package=$(apt-cache depends clang 2>/dev/null |
            sed -n 's/.*Depends: clang-\([0-9]*\)$/libclang-rt-\1-dev/p')
        [ -n "$package" ] || package=clang
    fi
    # Debian 13 no longer has it, and tests/e2e/cloud_sim.sh skips what needs it
    if [ "$package" = python3-digitalocean ] &&
        ! grep -q '^VERSION_ID="12"' /etc/os-release; then
        continue
    fi
    # where nodejs is not Debian's, it has npm in it
    if [ "$package" = npm ] && command -v npm >/dev/null; then continue; fi
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) ||
        state=none
    if [ "$state" = installed ] && is_old "$package"; then state=old; fi
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "installing:$missing"
as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "deps.sh: install these as root:$missing" >&2
        exit 77
    }
    as_root=sudo
fi
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
lock='-o DPkg::Lock::Timeout=300'
# shellcheck disable=SC2086
if ! { $as_root apt-get $lock -qq update &&
    $as_root apt-get $lock -y -q install --no-install-recommends $missing
} >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "deps.sh: apt-get failed: $log" >&2
    exit 69
fi
rm -f "$log"

for package in $missing; do
    if is_old "$package"; then
        echo "deps.sh: $package is older than $(least "$package"): is the" \
            "security archive among apt's sources?" >&2
        exit 69
    fi
done
