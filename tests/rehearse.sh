#!/bin/bash
# A whole release on this machine, as its users would live through it: a
# simulated cloud makes the build machines, each of the machines has an address
# and an sshd of its own, packages, keys, ssh, web server, apt-get, dnf and zypper
# are real. Nothing leaves the machine, and nothing stays on it.
#
#   BUILD=build tests/rehearse.sh
#
# Where namespaces cannot be made, as in a container without rights, the
# machines share one network; WORLD=loopback has it so anywhere.
set -u
# An sshd with a chroot, and namespaces, are for root alone.
if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null; then
    exec sudo env "BUILD=${BUILD:-build}" ${NO_COLOR:+NO_COLOR=1} \
        ${WORLD:+"WORLD=$WORLD"} bash "$0"
fi
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh
# shellcheck source=tests/world/release.sh
. tests/world/release.sh
# shellcheck source=tests/world/transcript.sh
. tests/world/transcript.sh

# build MACHINE: the job of a build machine, in a fresh checkout.
build() {
    local machine=$1 dir=/home/$WORLD_USER/builds/$TAG
    checkout "$(place "$machine" "$dir")" "${TAG#v}"
    machine_owns "$machine" "/home/$WORLD_USER/builds"
    job "$machine" "$dir" "earthly +package-linux-${machine#build-}"
    job "$machine" "$dir" scp-to-orchestrator
}

# What a job has from GitLab.
job() {
    WITH=("CI_COMMIT_TAG=$TAG" "CI_COMMIT_SHA=${TAG}000") IN=$(seen "$1" "$2")
    # shellcheck disable=SC2086
    run "$1" $3
    WITH=() IN=
}

# publish JOB: its text is that of .gitlab-ci.yml.
publish() {
    local dir=/home/$WORLD_USER/builds/$TAG
    python3 -B "$ROOT/tests/world/job_text.py" "$ROOT/.gitlab-ci.yml" "$1" \
        >"$(place build-amd64-deb "$dir/$1")" || failed "$1"
    WITH=("CI_COMMIT_TAG=$TAG" RELEASE_PATH=release NO_COLOR=1 "${JOB_VARIABLES[@]}")
    IN=$(seen build-amd64-deb "$dir")
    prompt build-amd64-deb "the job $1"
    on build-amd64-deb bash "$1" >"$T/run.out" 2>&1
    shown $? "$W/build-amd64-deb"
    WITH=() IN=
}

tagged() {
    WITH=("CI_COMMIT_TAG=$TAG")
    run "$@"
    WITH=()
}

version_of() {
    dpkg-query --admindir="$T/client/var/lib/dpkg" -W -f '${Version}' "$1" 2>/dev/null
}

# has_rpms ROOT PACKAGE...: just these are installed.
has_rpms() {
    [ "$(installed_rpms "$1")" = "${*:2} " ] ||
        failed "installed is $(installed_rpms "$1")"
}

rehearsal_begin 'A release, rehearsed'

step 'The machines'
release_world
note "build orchestration $(address_of $ORCHESTRATOR)   repository server $(
    address_of $REPO)   a user $(address_of $USER_MACHINE)"
note "each has its own ${WORLD/loopback/directory, on one network}; sshd as in examples/sshd_config.d"
note "an RSA key of 3072 bits signs: $(gpg --homedir "$KEYS" --show-keys \
    --with-colons "$KEYS/main.asc" 2>/dev/null | awk -F: '$1 == "fpr" {print $10; exit}')"
WEB=$URL
cp "$KEYS/main.asc" "$T/trusted.asc"
[ "$WORLD" = loopback ] || CLIENT=(nsenter -t "${MACHINE_PID[$USER_MACHINE]}" -n)
mkdir -p "$(place $REPO /srv)/apt"
echo 'the old site' >"$(place $REPO /srv)/apt/index.html"
machine_owns $REPO /srv
proven 'nginx serves an old site; nothing is published'

TAG=v0.3.4
step "Tag $TAG: the build machines"
run $ORCHESTRATOR build-machine-ctl check
run $ORCHESTRATOR build-machine-ctl create --wait runner amd64-deb arm64-deb amd64-rpm
[ "$(cloud_droplets | wc -l)" = 3 ] && [ "$(cloud_runners | grep -c ' online ')" = 3 ] ||
    failed "there are: $(cloud_droplets; cloud_runners)"
proven 'three at once: active, sshd answers, runners online'

step 'Each builds, and sends what it built'
for machine in build-amd64-deb build-arm64-deb build-amd64-rpm; do build $machine; done
job build-amd64-rpm "/home/$WORLD_USER/builds/$TAG" scp-to-orchestrator
proven 'checked, sent, proven there; the same again sends nothing'

step 'Crates and the Python module'
publish publish_crates
publish publish_python
publish publish_crates
note "in the registries: $(registry_state "$CRATES" | cut -d ' ' -f 1 | xargs) $(
    registry_state "$PYTHON" | cut -d ' ' -f 1 | xargs)"
[ "$(registry_state "$CRATES" | wc -l)" = 2 ] && [ "$(registry_state "$PYTHON" | wc -l)" = 2 ] ||
    failed 'not all is there'
proven 'in their order; what is there already is success'

step 'Distribute'
tagged $ORCHESTRATOR distribute-packages
run $ORCHESTRATOR distribute-packages list
rpm_ok main "$(place $ORCHESTRATOR "/home/$WORLD_USER/veilid-cicd")"/objects/"$(
    on $ORCHESTRATOR sed -n 's|  rpm/.*/veilid-cli-.*||p' \
        veilid-cicd/generations/1/SHA256SUMS)" || failed "rpmkeys: $(cat rpmkeys)"
proven 'checked, indexed, signed, sent; rpmkeys agrees'

step 'The build machines go'
run $ORCHESTRATOR build-machine-ctl delete amd64-deb arm64-deb amd64-rpm
[ -z "$(cloud_droplets)" ] && [ -z "$(cloud_runners)" ] ||
    failed "there are: $(cloud_droplets; cloud_runners)"
proven 'libcloud sees no droplet, GitLab has no runner'

step 'Deploy'
run $REPO deploy-repo
run $REPO deploy-repo status
(cd "$(place $REPO /srv)" && sha256sum --strict --quiet -c SHA256SUMS) ||
    failed 'sha256sum -c'
proven 'plain directory exchanged for a link, sha256sum agrees'

step 'A user of Debian installs'
apt_root client "$URL"
here apt client update
here apt client install veilid-server veilid-cli:arm64
[ "$(version_of veilid-server)" = 0.3.4 ] && [ "$(version_of veilid-cli:arm64)" = 0.3.4 ] ||
    failed 'not installed'
proven 'apt-get: both architectures, signed-by, no warning'

step 'A user of Fedora installs'
dnf_root fedora
note 'the .repo file that users get:'
grep -E '^\[|check|^gpgkey' fedora/repos/veilid.repo | sed 's/^/      /'
here dnf fedora -q makecache
here dnf fedora -q install veilid-server veilid-cli
has_rpms fedora veilid-cli=0.3.4-1 veilid-server=0.3.4-1
proven 'dnf: gpgcheck, repo_gpgcheck, pkg_gpgcheck, no warning'

step 'A user of openSUSE installs'
here zypper suse -q addrepo "$URL/$REPO_FILE"
here zypper suse -q refresh
here zypper suse -q install --download-in-advance veilid-cli
has_rpms suse veilid-cli=0.3.4-1
proven 'zypper: the same checks, the same file'

TAG=v0.3.5
step "Tag $TAG: all of it again"
run $ORCHESTRATOR build-machine-ctl -q create --wait runner amd64-deb arm64-deb amd64-rpm
for machine in build-amd64-deb build-arm64-deb build-amd64-rpm; do
    build $machine
done >"$T/builds" || { cat "$T/builds"; exit 1; }
note 'three builds, three drops'
tagged $ORCHESTRATOR distribute-packages
run $ORCHESTRATOR build-machine-ctl -q delete --all
run $REPO deploy-repo
here apt client update
here apt client upgrade
[ "$(version_of veilid-server)" = 0.3.5 ] || failed 'not upgraded'
here dnf fedora -q --refresh upgrade
has_rpms fedora veilid-cli=0.3.5-1 veilid-server=0.3.5-1
proven 'apt-get upgrade, dnf upgrade: 0.3.4 to 0.3.5'

step 'The same jobs once more'
tagged $ORCHESTRATOR distribute-packages
run $REPO deploy-repo
proven 'nothing changes, and that is success'

step 'Something is wrong with it'
run $REPO deploy-repo rollback
apt client update 2>/dev/null
grep -q 'Version: 0.3.5' client/var/lib/apt/lists/*Packages ||
    failed 'apt went back by itself'
note 'apt-get keeps the newer index that it has seen, as the warning says'
run $ORCHESTRATOR distribute-packages revert 1
run $ORCHESTRATOR distribute-packages send
run $REPO deploy-repo
here apt client update
grep -q 'Version: 0.3.5' client/var/lib/apt/lists/*Packages &&
    failed 'still there'
here apt client install --allow-downgrades veilid-server=0.3.4
[ "$(version_of veilid-server)" = 0.3.4 ] || failed 'no way back'
here dnf fedora -q --refresh distro-sync
has_rpms fedora veilid-cli=0.3.4-1 veilid-server=0.3.4-1
proven 'rollback at once, revert for good'

# refused STATUS TREE: deploy-repo does not take it.
refused() {
    local drop
    drop=$(place $REPO /tmp/bad.tar)
    tar_tree "$2" >"$drop"
    prompt $REPO 'deploy-repo - <bad.tar'
    on $REPO sh -c "deploy-repo - <$(seen $REPO /tmp/bad.tar)" >"$T/run.out" 2>&1
    [ $? = "$1" ] || failed "not refused: $(cat "$T/run.out")"
    sed -e "s|$W/$REPO||g" -e 's/^/      /' "$T/run.out" | grep error
}

step 'Somebody tampers'
on $ORCHESTRATOR distribute-packages -q refresh >"$T/run.out" ||
    failed "$(cat "$T/run.out")"
on $ORCHESTRATOR distribute-packages -q export >next.tar || failed export
mkdir x && tar -C x -xf next.tar
note 'with a package:'
echo '0000' >>x/apt/pool/stable/main/veilid-cli_0.3.4_amd64.deb
refused 65 x
note 'with the manifest:'
sed -i '1s/[0-9]*$/99/' x/SHA256SUMS
refused 77 x
run $REPO deploy-repo verify
proven 'refused with status 65 and 77, the live tree untouched'

step 'What is left'
run $REPO deploy-repo list
[ -z "$(keyrings; agents)" ] || failed "$(keyrings; agents)"
proven 'no machine, no key ring, no gpg-agent'

rehearsal_end
