#!/bin/bash
# A whole release on this machine, as users would live through it: real
# packages, real signing, a real sshd for each of the two accounts that receive,
# a real web server, a real apt-get, dnf and zypper.
# The machines are those of a simulated cloud, with a namespace of its own.
# Everything listens on loopback and lies in one temporary directory, which is
# removed.
#
#   BUILD=build tests/rehearse.sh
set -u
# An sshd with a chroot, and namespaces, are for root alone.
if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null; then
    exec sudo env "BUILD=${BUILD:-build}" ${NO_COLOR:+NO_COLOR=1} bash "$0"
fi
cd "$(dirname "$0")/.." || exit 1
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    BOLD=$'\033[1m' DIM=$'\033[2m' GREEN=$'\033[32m' RED=$'\033[31m' PLAIN=$'\033[0m'
else
    BOLD='' DIM='' GREEN='' RED='' PLAIN=''
fi
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh
# shellcheck source=tests/e2e/rpms.sh
. tests/e2e/rpms.sh
# shellcheck source=tests/e2e/cloud.sh
. tests/e2e/cloud.sh
# shellcheck source=tests/e2e/sshd.sh
. tests/e2e/sshd.sh

BEGAN=$(date +%s%N)
TABLE=()
STEP_AT=0

seconds() { printf '%d.%02d' $(($1 / 1000000000)) $(($1 / 10000000 % 100)); }

step() {
    STEP_AT=$(date +%s%N)
    STEP=$1
    printf '\n%s%s%s\n' "$BOLD" "$1" "$PLAIN"
}

# proven WHAT: ends the step with what it has shown.
proven() {
    local spent
    spent=$(seconds $(($(date +%s%N) - STEP_AT)))
    printf '  %sproven%s  %s  %s(%s s)%s\n' "$GREEN" "$PLAIN" "$1" "$DIM" "$spent" "$PLAIN"
    TABLE+=("$(printf '%-34s %7s s   %s' "$STEP" "$spent" "$1")")
}

# Shows a command, runs it, shows what it says.
run() {
    printf '  %s$ %s%s\n' "$DIM" "$(say_command "$@")" "$PLAIN"
    "$@" >"$T/run.out" 2>&1
    local status=$?
    sed -e "s|$T|.|g" -e 's/^/    /' "$T/run.out"
    [ "$status" = 0 ] || failed "status $status"
}

packages() { "$BUILD/bin/scp-to-orchestrator" -c "$T/conf" "$@"; }

# account NAME SECTION: an sshd with the account that takes drops there.
account() {
    sshd_start "$1"
    sshd_conf "$2"
    printf '  %s: sshd on port %s, one key, a chroot, sftp and nothing else\n' \
        "$1" "$SSHD_PORT"
}

# Without the paths and options that only the rehearsal needs.
say_command() {
    case $1 in
    dist) shift; echo "distribute-packages $*" ;;
    deploy) shift; echo "deploy-repo $*" ;;
    packages) shift; echo "scp-to-orchestrator $*" ;;
    machines) shift; echo "build-machine-ctl $*" ;;
    apt) shift 2; echo "apt-get $*" ;;
    dnf) shift 2; echo "dnf $*" ;;
    zypper) shift 2; echo "zypper $*" ;;
    *) echo "$*" ;;
    esac | sed "s|$T|.|g"
}

failed() {
    printf '  %sFAILED%s  %s\n' "$RED" "$PLAIN" "$1"
    exit 1
}

finish() {
    local status=$?
    cleanup
    [ "${ENDED:-}" = yes ] || printf '\nThe rehearsal failed.\n'
    rm -rf "$T" "$KEYS"
    exit "$status"
}

version_of() {
    dpkg-query --admindir="$T/client/var/lib/dpkg" -W -f '${Version}' "$1" 2>/dev/null
}

# has_rpms ROOT PACKAGE...: just these are installed.
has_rpms() {
    [ "$(installed_rpms "$1")" = "${*:2} " ] ||
        failed "installed is $(installed_rpms "$1")"
}

T=$(mktemp -d /tmp/vc-rehearsal.XXXXXX)
export HOME=$T/home
mkdir -p "$HOME/incoming"
trap finish EXIT
trap 'exit 130' INT TERM
cd "$T" || exit 1

printf '%sA release, rehearsed on loopback%s\n' "$BOLD" "$PLAIN"
printf 'Packages, keys and servers are made for this run and thrown away after it.\n'

step 'The key'
write_conf
sed -i 's/packages.example.org$/packages.rehearsal.example/' "$T/conf"
use_builds amd64-deb arm64-deb amd64-rpm
printf '  an RSA key of 3072 bits: %s\n' \
    "$(gpg --homedir "$KEYS" --show-keys --with-colons "$T/trusted.asc" | awk -F: '$1 == "fpr" {print $10; exit}')"
proven 'made'

step 'The web server'
web_for_rpms
printf '  nginx serves ./srv at %s\n' "$WEB"
proven 'it has nothing yet'

step 'The accounts that receive'
[ -z "$SSHD_WHY_NOT" ] || failed "$SSHD_WHY_NOT"
account orchestrator orchestrator
sed -i "s|^inbox = $T/home/incoming|inbox = $SSHD_INBOX|" conf
account repo-server repo-server
sed -i "s|^inbox = $T/inbox|inbox = $SSHD_INBOX|" conf
proven 'with the configuration in examples/sshd_config.d'

step 'The build machines'
cloud_start --boot-seconds 1
cloud_conf amd64-deb arm64-deb amd64-rpm
for build in amd64-deb arm64-deb amd64-rpm; do
    sed -i "/^\\[machine $build\\]/a user-data = enrol" conf
done
printf '[enrol]\nearthly-sha256 = %064d\n' 7 >>conf
printf '  a simulated DigitalOcean and GitLab at %s\n' "$CLOUD"
run machines check
run machines create --wait runner amd64-deb arm64-deb amd64-rpm
[ "$(cloud_droplets | wc -l)" = 3 ] && [ "$(cloud_runners | grep -c ' online ')" = 3 ] ||
    failed "there are: $(cloud_droplets; cloud_runners)"
proven 'three at once: active, sshd answers, their runners are online'

step 'The builds of v0.3.4'
make_release built 0.3.4
make_rpm built veilid-server 0.3.4 || failed 'rpmbuild'
make_rpm built veilid-cli 0.3.4 || failed 'rpmbuild'
for f in built/*.deb; do
    printf '  %-36s %5s bytes  %s\n' "$(basename "$f")" "$(stat -c %s "$f")" \
        "$(ar t "$f" | grep ^control)"
done
for f in built/*.rpm; do
    printf '  %-36s %5s bytes  not signed\n' "$(basename "$f")" "$(stat -c %s "$f")"
done
proven 'two packages, two architectures as .deb, one as .rpm'

step 'Each build machine sends'
run packages -q -r v0.3.4 built/*_amd64.deb
run packages -q -r v0.3.4 built/*_arm64.deb
run packages -q -r v0.3.4 built/*.rpm
run packages -r v0.3.4 built/*.rpm
proven 'checked, read back, renamed; the same again sends nothing'

step 'Distribute'
run dist build -r v0.3.4
run dist list
rpm_ok main state/objects/"$(sed -n 's|  rpm/.*/veilid-cli-.*||p' \
    state/generations/1/SHA256SUMS)" || failed "rpmkeys: $(cat rpmkeys)"
run dist send
proven 'checked, indexed, signed; rpmkeys agrees; sent'

step 'The build machines go'
run machines list
run machines delete amd64-deb arm64-deb amd64-rpm
[ -z "$(cloud_droplets)" ] && [ -z "$(cloud_runners)" ] ||
    failed "there are: $(cloud_droplets; cloud_runners)"
proven 'libcloud sees no droplet, GitLab has no runner'

step 'Deploy'
mkdir -p srv/apt && echo 'the old site' >srv/apt/index.html
run deploy
run deploy status
[ -e srv/apt/dists/stable/InRelease ] || failed 'nothing is live'
(cd srv && sha256sum --strict --quiet -c SHA256SUMS) || failed 'sha256sum -c'
proven 'plain directory exchanged for a link, sha256sum agrees'

step 'A user of Debian installs'
apt_root client "$WEB"
run apt client update
run apt client install veilid-server veilid-cli:arm64
[ "$(version_of veilid-server)" = 0.3.4 ] && [ "$(version_of veilid-cli:arm64)" = 0.3.4 ] ||
    failed 'not installed'
proven 'apt-get: both architectures, signed-by, no warning'

step 'A user of dnf installs'
dnf_root fedora
printf '  the .repo file that users get:\n'
grep -E '^\[|check|^gpgkey' fedora/repos/veilid.repo | sed 's/^/    /'
run dnf fedora -q makecache
run dnf fedora -q install veilid-server veilid-cli
has_rpms fedora veilid-cli=0.3.4-1 veilid-server=0.3.4-1
proven 'dnf: gpgcheck, repo_gpgcheck, pkg_gpgcheck, no warning'

step 'A user of zypper installs'
run zypper suse -q addrepo "$WEB/$REPO_FILE"
run zypper suse -q refresh
run zypper suse -q install --download-in-advance veilid-cli
has_rpms suse veilid-cli=0.3.4-1
proven 'zypper: the same checks, the same file'

step 'The next release, v0.3.5'
make_release built2 0.3.5
make_rpm built2 veilid-server 0.3.5 || failed 'rpmbuild'
make_rpm built2 veilid-cli 0.3.5 || failed 'rpmbuild'
CI_COMMIT_TAG=v0.3.5 run packages -q built2/*_amd64.deb
CI_COMMIT_TAG=v0.3.5 run packages -q built2/*_arm64.deb
CI_COMMIT_TAG=v0.3.5 run packages -q built2/*.rpm
CI_COMMIT_TAG=v0.3.5 run dist
run deploy
run apt client update
run apt client upgrade
[ "$(version_of veilid-server)" = 0.3.5 ] || failed 'not upgraded'
run dnf fedora -q --refresh upgrade
has_rpms fedora veilid-cli=0.3.5-1 veilid-server=0.3.5-1
proven 'apt-get upgrade, dnf upgrade: 0.3.4 to 0.3.5'

step 'The same job once more'
CI_COMMIT_TAG=v0.3.5 run dist
run deploy
proven 'nothing changes, and that is success'

step 'Something is wrong with it'
run deploy rollback
apt client update 2>/dev/null
grep -q 'Version: 0.3.5' client/var/lib/apt/lists/*Packages ||
    failed 'apt went back by itself'
printf '  apt-get keeps the newer index that it has seen, as the warning says\n'
run dist revert 1
run dist send
run deploy
run apt client update
grep -q 'Version: 0.3.5' client/var/lib/apt/lists/*Packages &&
    failed 'still there'
run apt client install --allow-downgrades veilid-server=0.3.4
[ "$(version_of veilid-server)" = 0.3.4 ] || failed 'no way back'
run dnf fedora -q --refresh distro-sync
has_rpms fedora veilid-cli=0.3.4-1 veilid-server=0.3.4-1
proven 'rollback at once, revert for good'

step 'Somebody tampers'
printf '  a pool file, then the manifest, is not what was signed\n'
dist refresh >/dev/null 2>&1
dist export >next.tar 2>/dev/null
mkdir x && tar -C x -xf next.tar
echo '0000' >>x/apt/pool/stable/main/veilid-cli_0.3.4_amd64.deb
tar_tree x >bad.tar
deploy - <bad.tar >bad.out 2>&1
[ $? = 65 ] || failed 'a tampered package was accepted'
sed -e "s|$T|.|g" -e 's/^/    /' bad.out | grep error
sed -i '1s/[0-9]*$/99/' x/SHA256SUMS
tar_tree x >bad.tar
deploy - <bad.tar >bad.out 2>&1
[ $? = 77 ] || failed 'a tampered manifest was accepted'
sed -e "s|$T|.|g" -e 's/^/    /' bad.out | grep error
run deploy verify
proven 'refused with status 65 and 77, the live tree untouched'

step 'What is left'
run deploy list
[ -z "$(keyrings; agents)" ] || failed "$(keyrings; agents)"
proven 'no key ring, no gpg-agent'

printf '\n%s%-34s %9s   %s%s\n' "$BOLD" step time proven "$PLAIN"
printf '%s\n' "${TABLE[@]}"
ENDED=yes
printf '\n%sThe rehearsal passed%s: %d steps in %s s.\n' "$GREEN" "$PLAIN" \
    "${#TABLE[@]}" "$(seconds $(($(date +%s%N) - BEGAN)))"
