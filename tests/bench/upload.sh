# Rows of run.sh: by ssh. One large package, as a build machine sends it, and a
# generation, as it goes to the repository server.
#
# Ours go to an account like the one that is documented: sftp alone. So all is
# read back, which is the only proof there is, and on a long line the better
# part of the work. A careful user's own commands, and rsync, need a shell, and
# get an account that has one. Two rows for each line: against scp, which proves
# nothing, and against the whole job, of which scp is a part.
# shellcheck shell=bash disable=SC2154,SC2317,SC2034

changed=${CHANGED:-50}	# of the packages of the tree

have_ssh=
need_ssh() {
    [ -z "$have_ssh" ] || return 0
    have_ssh=yes
    ssh_dir=$work/ssh
    mkdir -p "$ssh_dir/far/incoming"
    [ -d /run/sshd ] || mkdir /run/sshd
    cc -O2 -std=c17 -D_GNU_SOURCE -pthread -o "$work/delay_line" \
        "$here/delay_line.c"
    ssh-keygen -q -t ed25519 -N '' -f "$ssh_dir/host"
    ssh-keygen -q -t ed25519 -N '' -f "$ssh_dir/id"
    sshd_start shell
    sshd_start sftp 'MaxSessions 1' \
        "ForceCommand internal-sftp -d $ssh_dir/far"
    cat >>"$work/conf" <<EOF
[orchestrator]
host = 127.0.0.1
user = $(id -un)
inbox = $ssh_dir/far/incoming
identity-file = $ssh_dir/id
known-hosts = $ssh_dir/hosts
[repo-server]
host = 127.0.0.1
user = $(id -un)
inbox = $ssh_dir/far/incoming
identity-file = $ssh_dir/id
known-hosts = $ssh_dir/hosts
EOF
    ssh_options=(-q -F none -i "$ssh_dir/id" -o IdentitiesOnly=yes
        -o "UserKnownHostsFile=$ssh_dir/hosts" -c aes128-gcm@openssh.com)
}

# sshd_start NAME [LINE...]: sets port[NAME]
declare -A port
sshd_start() {
    local name=$1
    shift
    on_a_port sshd_try "$name" "$@" || die "no sshd: $(cat "$ssh_dir/$name.log")"
    # shellcheck disable=SC2153  # set there
    port[$name]=$PORT
    known "$PORT"
}

sshd_try() {
    local name=$1
    shift
    printf '%s\n' "Port $PORT" 'ListenAddress 127.0.0.1' \
        "HostKey $ssh_dir/host" "AuthorizedKeysFile $ssh_dir/id.pub" \
        'StrictModes no' 'UsePAM no' 'PermitRootLogin yes' 'PidFile none' \
        'Subsystem sftp internal-sftp' "$@" >"$ssh_dir/sshd.$name"
    sshd_begin "$ssh_dir/sshd.$name" "$ssh_dir/$name.log" in_background
}

# line_start NAME MS: sets port[NAME.MS], by which it is MS there and back
line_start() {
    local out=$ssh_dir/line.$1.$2
    [ -z "${port[$1.$2]:-}" ] || return 0
    : >"$out"
    "$work/delay_line" "${port[$1]}" "$(($2 / 2))" >"$out" &
    PIDS+=($!)
    wait_for -p "${PIDS[-1]}" grep -q "^ready" "$out" || die 'no line'
    port[$1.$2]=$(sed -n 's/^ready //p' "$out")
    known "${port[$1.$2]}"
}

# lines_start MS: to both accounts; sets line
lines_start() {
    line_start sftp "$1"
    line_start shell "$1"
    line=.$1
}

known() { sed "s/^/[127.0.0.1]:$1 /" "$ssh_dir/host.pub" >>"$ssh_dir/hosts"; }

has_sshd() {
    [ "$(id -u)" = 0 ] && [ -x /usr/sbin/sshd ] && has scp ssh && return
    say 'left out, an sshd needs root and openssh-server'
    return 1
}

# ------------------------------------------------------------ one package

have_package=
need_package() {
    need_ssh
    [ -z "$have_package" ] || return 0
    have_package=yes
    local d=$ssh_dir/tree
    say "making a package of $upload_mib MiB"
    mkdir -p "$d/DEBIAN" "$ssh_dir/package"
    dd if=/dev/urandom of="$d/content" bs=1M count="$upload_mib" status=none
    printf '%s\n' 'Package: bench-upload' 'Version: 1.0' 'Architecture: amd64' \
        'Section: net' 'Maintainer: Bench <bench@packages.example.org>' \
        'Description: large' >"$d/DEBIAN/control"
    package=$ssh_dir/package/bench-upload_1.0_amd64.deb
    dpkg-deb --root-owner-group -Znone -b "$d" "$package" >/dev/null
    rm -rf "$d"
}

inbox_empty() { find "$ssh_dir/far/incoming" -mindepth 1 -delete; }
upload_ours_ready() { inbox_empty; }
upload_scp_ready() { inbox_empty; }
upload_job_ready() { inbox_empty; }

# $line is "", or ".40" with a line of 40 ms: sftp$line and shell$line are keys
# of port.
upload_ours() {
    ours scp-to-orchestrator -r "$release" \
        -o "orchestrator.port=${port[sftp$line]}" "$ssh_dir/package"
}

# scp_to ACCOUNT PATH
scp_to() {
    scp "${ssh_options[@]}" -P "${port[$1$line]}" "$package" \
        "$(id -un)@127.0.0.1:$2"
}

upload_scp() { scp_to sftp incoming/; }

# What a careful user does: nothing half there, on the disk, and proven.
upload_job() {
    local sum
    sum=$(sha256sum <"$package")
    scp_to shell "$ssh_dir/far/incoming/x.part"
    ssh "${ssh_options[@]}" -n -p "${port[shell$line]}" "$(id -un)@127.0.0.1" \
        "cd '$ssh_dir/far/incoming' && sync x.part && sha256sum <x.part &&
        mv x.part x && sync ." | grep -qxF "$sum"
}

package_rows() {
    if wanted upload/scp; then
        need_package
        line=
        compare upload scp 0 3 'scp proves nothing' upload_ours upload_scp
    fi
    if wanted upload/scp+sha256sum; then
        need_package
        line=
        compare upload scp+sha256sum 1.5 3 '' upload_ours upload_job
    fi
    if wanted upload-40ms/scp; then
        need_package
        lines_start 40
        compare upload-40ms scp 2 2 'scp proves nothing' upload_ours upload_scp
    fi
    if wanted upload-40ms/scp+sha256sum; then
        need_package
        lines_start 40
        compare upload-40ms scp+sha256sum 3 2 '' upload_ours upload_job
    fi
}

# ------------------------------------------------------- a tree, to be changed

# Generation 1 is live there, and has $tree small packages and 20 of 20 MiB;
# generation 2 has $changed more. rsync gets the trees of both, whose files have
# the same times but for those that changed.
have_tree=
need_tree() {
    need_ssh
    [ -z "$have_tree" ] || return 0
    have_tree=yes
    local d=$ssh_dir/packages
    say "making a tree of $tree small packages and 20 of 20 MiB"
    mkdir -p "$d" "$ssh_dir/more" "$ssh_dir/old" "$ssh_dir/next"
    "$work/make_debs" "$d" 0 "$tree"
    "$work/make_debs" "$d" "$tree" 20 20
    "$work/make_debs" "$ssh_dir/more" "$((tree + 20))" "$changed"
    publish "$ssh_dir/state" "$d"
    export_tree "$ssh_dir/state" | tar -x -C "$ssh_dir/old"
    publish "$ssh_dir/state" "$ssh_dir/more"
    export_tree "$ssh_dir/state" | tar -x -C "$ssh_dir/next"
    rm -rf "$d" "$ssh_dir/more"
    cp -al "$ssh_dir/old" "$ssh_dir/new"
    (cd "$ssh_dir/new" && find . -type f | sort) >"$ssh_dir/names"
    (cd "$ssh_dir/next" && find . -type f | sort) >"$ssh_dir/names.next"
    comm -23 "$ssh_dir/names" "$ssh_dir/names.next" |
        (cd "$ssh_dir/new" && xargs -r rm -f)
    {
        comm -13 <(entries "$ssh_dir/old/SHA256SUMS") \
            <(entries "$ssh_dir/next/SHA256SUMS") | cut -c 67-
        echo SHA256SUMS
        echo SHA256SUMS.asc
    } | (cd "$ssh_dir/next" &&
        xargs cp -a --remove-destination --parents -t "$ssh_dir/new")
    diff -r "$ssh_dir/new" "$ssh_dir/next" >&2 ||
        die 'the tree for rsync is not the one that is sent'
    rm -rf "$ssh_dir/next"
}

tree_ours_ready() {
    inbox_empty
    mkdir "$ssh_dir/far/incoming/LIVE"
    cp "$ssh_dir"/old/SHA256SUMS{,.asc} "$ssh_dir/far/incoming/LIVE"
}

tree_ours() {
    ours distribute-packages -o "repository.state=$ssh_dir/state" \
        -o "repo-server.port=${port[sftp$line]}" send
}

tree_rsync_ready() {
    rm -rf "$ssh_dir/far/tree"
    cp -al "$ssh_dir/old" "$ssh_dir/far/tree"
}

tree_rsync() {
    rsync -a --delete -e "ssh ${ssh_options[*]} -p ${port[shell$line]}" \
        "$ssh_dir/new/" "$(id -un)@127.0.0.1:$ssh_dir/far/tree/"
}

tree_rows() {
    if wanted send/rsync; then
        need_tree
        line=
        compare send rsync 1 "$runs" '' tree_ours tree_rsync
    fi
    if wanted send-20ms/rsync; then
        need_tree
        lines_start 20
        compare send-20ms rsync 1 "$runs" '' tree_ours tree_rsync
    fi
}

upload_rows() {
    has_sshd || return 0
    package_rows
    ! has rsync || tree_rows
}
