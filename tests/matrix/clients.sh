# The clients, as a user of that release of Debian has them: in a chroot, with
# the files that the tree offers to users, and every check turned on. Sourced.
#
# For a client KIND there are
#
#   KIND_names             the packages it is made of, whose versions are told
#   KIND_setup             once: what a user does to get our packages
#   KIND_update            reads the indexes
#   KIND_install PACKAGE   and installs
#   KIND_upgrade           all that is installed
#   KIND_version PACKAGE   prints the version that is installed, or nothing
# shellcheck shell=bash

# within COMMAND...: in the chroot of the row.
within() { chroot_do "$R" "$@"; }

# fetch URL-PATH FILE: as a user's curl does.
fetch() {
    mkdir -p "$R$(dirname "$2")"
    curl -fsS -o "$R$2" "$WEB/$1"
}
KEY_FILE=gpg/veilid-packages-key.public

# ------------------------------------------------------------------------ apt

apt_names() { echo apt sqv; }

# The .sources file says where it wants the key.
apt_setup() {
    rm -f "$R"/etc/apt/sources.list "$R"/etc/apt/apt.conf.d/99mmdebstrap
    rm -rf "$R"/var/lib/apt/lists/*
    fetch apt/veilid-stable.sources /etc/apt/sources.list.d/veilid-stable.sources &&
        fetch $KEY_FILE "$(sed -n 's/^Signed-By: //p' \
            "$R/etc/apt/sources.list.d/veilid-stable.sources")" || return
    cat >"$R/etc/apt/apt.conf.d/90matrix" <<'END'
Acquire::Check-Date "true";
Acquire::Check-Valid-Until "true";
Acquire::Retries "0";
APT::Update::Error-Mode "any";
APT::Audit "true";
apt::cmd::disable-script-warning "true";
END
    within dpkg --add-architecture arm64
}


# First as those who came before there was a .sources file have it.
apt_update() {
    local sources=$R/etc/apt/sources.list.d/veilid-stable.sources status
    mv "$sources" "$R/tmp/"
    echo "deb [arch=amd64 signed-by=$(sed -n 's/^Signed-By: //p' \
        "$R/tmp/veilid-stable.sources")] $WEB/apt stable main" \
        >"$R/etc/apt/sources.list"
    within apt update
    status=$?
    rm "$R/etc/apt/sources.list"
    mv "$R/tmp/veilid-stable.sources" "$sources"
    within apt update && return $status
}
apt_install() { within apt -y install "$1" veilid-server:arm64; }
apt_upgrade() { within apt update && within apt -y upgrade; }
# shellcheck disable=SC2016
apt_version() { within dpkg-query -W -f '${Version}' "$1" 2>/dev/null; }

# ---------------------------------------------------------------- dnf, dnf5

# rpm's own database holds what dnf and zypper install.
rpm_version() { within rpm -q --qf '%{VERSION}' "$1" 2>/dev/null | grep '^[0-9]'; }

dnf_names() { echo dnf librepo0; }
# The plugins are about the machine: one of dnf5 wants createrepo_c. Debian lets
# dnf5 pass over a repository that it cannot trust, with status 0.
dnf_run() {
    within "${DNF:-dnf}" -y --releasever=1 --setopt=retries=1 --setopt=plugins=0 \
        --setopt=skip_if_unavailable=0 "$@"
}
dnf_setup() { fetch "$REPO_FILE" /etc/yum.repos.d/veilid.repo; }
dnf_update() { dnf_run makecache; }
dnf_install() { dnf_run install "$1"; }
dnf_upgrade() { dnf_run --refresh upgrade; }
dnf_version() { rpm_version "$1"; }

dnf5_names() { echo dnf5 librepo0; }
dnf5_setup() { dnf_setup; }
dnf5_update() { DNF=dnf5 dnf_update; }
dnf5_install() { DNF=dnf5 dnf_install "$1"; }
dnf5_upgrade() { DNF=dnf5 dnf_upgrade; }
dnf5_version() { rpm_version "$1"; }

# --------------------------------------------------------------------- zypper

# The user says yes to our key once; whatever comes later must be known.
zypper_names() { echo zypper libzypp1722 libzypp1735; }
zypper_run() { within zypper --non-interactive "$@"; }
# A list of what a machine of its own kind always has, such as glibc, goes.
zypper_setup() {
    rm -f "$R/etc/zypp/systemCheck"
    zypper_run addrepo "$WEB/$REPO_FILE" || return
    [ -z "$BLIND" ] || sed -i 's/^pkg_gpgcheck=1/pkg_gpgcheck=0/' "$R"/etc/zypp/repos.d/*.repo
}
# It reads what rpm says of a signature. Where the two do not fit (libzypp 17.38
# with rpm 6.1) no package at all is signed, not even one that another tool has
# signed with a key that rpm knows. Packages are then judged by their hashes in
# the signed metadata alone. In a root of its own.
zypper_is_blind() {
    rm -f "$R/etc/zypp/systemCheck"
    cp "$T/control.rpm" "$KEYS/main.asc" "$R/tmp"
    within rpmkeys --import /tmp/main.asc
    ! zypper_run install /tmp/control.rpm >"$SAID/control" 2>&1 &&
        within rpmkeys -D '_pkgverify_level all' -K /tmp/control.rpm >/dev/null &&
        grep -q 'header is not signed' "$SAID/control"
}
zypper_update() { zypper_run --gpg-auto-import-keys refresh; }
zypper_install() { zypper_run install -y "$1"; }
zypper_upgrade() { zypper_run refresh && zypper_run update -y; }
zypper_version() {
    within rpm --dbpath /var/lib/rpm -q --qf '%{VERSION}' "$1" 2>/dev/null | grep '^[0-9]'
}

# ------------------------------------------------------------------------ rpm

# Without a repository: the file from the web, and the key. Debian's rpm says
# that it should not be used there, unless told.
rpm_names() { echo rpm librpm-sequoia-1; }
rpm_setup() { fetch "$KEY_FILE" /tmp/key.asc && within rpmkeys --import /tmp/key.asc; }
rpm_get() {
    local file
    file=$(curl -fsS "$WEB/SHA256SUMS" |
        sed -n "s|.*  \\($RPMS/$1-[0-9.]*-1.x86_64.rpm\\)\$|\\1|p" | sort -V | tail -n 1)
    fetch "$file" /tmp/package.rpm
}
rpm_update() { rpm_get veilid-cli && rpm_check; }
rpm_check() { within rpmkeys -D '_pkgverify_level all' -Kv /tmp/package.rpm; }
rpm_put() {
    local meant=()
    ! within rpm --force-debian --version >/dev/null 2>&1 || meant=(--force-debian)
    rpm_get "$1" && rpm_check &&
        within rpm "${meant[@]}" -D '_pkgverify_level all' "$2" /tmp/package.rpm
}
rpm_install() { rpm_put "$1" -i; }
rpm_upgrade() { rpm_put veilid-cli -U; }
