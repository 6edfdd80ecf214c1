# Rows of run.sh: one changed package is made public.
# shellcheck shell=bash disable=SC2154,SC2317,SC2034

# entries SUMS: its lines for files, sorted
entries() {
    grep -v '^#' "$1" | sort
}

# Generations 1 to 6 were deployed, so that as many are in the root as are
# kept, and 7 is the drop. Each of them adds one package. rsync gets the trees
# of 6 and 7, whose files have the same times but for those that changed.
next=$((generations + 2))
need_deploy() {
    local i state=$work/deploy-state
    say "making $next generations"
    cp -al "$work/base" "$state"
    mkdir "$work/root0" "$work/tree-old" "$work/tree-next"
    for ((i = 1; i < next; i++)); do
        if [ "$i" -gt 1 ]; then
            next_generation "$state" "$i"
        fi
        export_tree "$state" >"$work/tar"
        "$bin/deploy-repo" -q -c "$work/conf" \
            -o "deploy.root=$work/root0" - <"$work/tar" >/dev/null
    done
    tar -xf "$work/tar" -C "$work/tree-old"
    next_generation "$state" "$next"
    export_tree "$state" | tar -x -C "$work/tree-next"
    make_drop "$work/tree-next" "$work/drop"
    cp -al "$work/tree-old" "$work/tree-new"
    comm -23 <(cd "$work/tree-old" && find . -type f | sort) \
        <(cd "$work/tree-next" && find . -type f | sort) |
        (cd "$work/tree-new" && xargs -r rm -f)
    cp -a --remove-destination "$work/drop/." "$work/tree-new"
    diff -r "$work/tree-new" "$work/tree-next" >&2 ||
        die "the tree for rsync is not the one that is deployed"
    rm -rf "$state" "$work/tar" "$work/tree-next"
}

# next_generation STATE NUMBER
next_generation() {
    rm -rf "$work/more"
    mkdir "$work/more"
    "$work/make_debs" "$work/more" "$((small + small % 2 + 2 * $2))" 1
    publish_more "$1"
}

publish_more() {
    "$bin/distribute-packages" -q -c "$work/conf" \
        -o "repository.state=$1" build --partial --from "$work/more/amd64" \
        -r "$release" >/dev/null
}

export_tree() {
    "$bin/distribute-packages" -q -c "$work/conf" \
        -o "repository.state=$1" export
}

# make_drop TREE DROP: what the old tree has not got
make_drop() {
    mkdir "$2"
    cp -a "$1"/SHA256SUMS "$1"/SHA256SUMS.asc "$2"
    comm -13 <(entries "$work/tree-old/SHA256SUMS") \
        <(entries "$1/SHA256SUMS") | cut -c 67- |
        (cd "$1" && xargs cp -a --parents -t "$2")
}

deploy_ours_ready() {
    rm -rf "$work/root" "$work/inbox"
    cp -al "$work/root0" "$work/root"
    mkdir "$work/inbox"
    cp -a "$work/drop" "$work/inbox/generation.$next.x"
}

deploy_ours() {
    ours deploy-repo
}

deploy_rsync_ready() {
    [ "$(readlink "$work/root/.releases/current")" = "$next" ] ||
        die "the drop was not deployed"
    rm -rf "$work/copy"
    cp -al "$work/tree-old" "$work/copy"
}

deploy_rsync() {
    rsync -a --delete "$work/tree-new/" "$work/copy/"
}

deploy_rows() {
    if wanted deploy-one/rsync && has rsync; then
        need_base
        need_deploy
        compare deploy-one rsync 1 "$runs" '' deploy_ours deploy_rsync
    fi
}
