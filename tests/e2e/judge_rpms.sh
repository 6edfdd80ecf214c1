#!/bin/bash
# Are .rpms judged as rpm does? judge_rpms.py makes some thousands that are odd
# or wrong in one thing; librpm reads and verifies each, and installs it below a
# root of its own. What that refuses may not be accepted, what it accepts may
# not be refused, but for LAX and STRICT below. Some that are accepted are then
# published, described by createrepo_c and installed by dnf.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

JUDGE=$ROOT/tests/e2e/judge_rpms.py

# Regular expressions of cases that differ, and why; each must be needed.
# We accept what rpm does not:
LAX='
# bytes that are no OpenPGP signature: signatures of others are replaced
^sign-(267|268|1002|1005)-7$
'
# We refuse what rpm accepts:
STRICT='
# another tag than the one that is meant would be found: the index says it twice
^twice-(1000|1004|1014|1022|1047|1117)$
# names, versions and architectures become names of files; they are one string
^text-(1000|1001|1002|1022)-(at|blank|colon|control|dash|dots|empty|escape|fffe)$
^text-(1000|1001|1002|1022)-(latin|long|newline|slash|utf8)$
^type-(1000|1001|1002|1022)-(8|9)$
# there are no builds of these architectures
^(arch-i386|arch-sparc|text-1022-tilde)$
# one epoch
^count-1003-4$
# the lists of packages cannot hold a control character: createrepo_c leaves the
# package out
^(name|both)-(control|cr|delete|escape|fffe|newline|tab)(-(1047|1090|5046))?$
^base-(control|delete|escape|fffe|newline|tab)$
^directory-(control|newline)$
^version-(20|21|33)-(both|conflict|provided|without)$
^rich-tab-[01]$
# arrays that belong together are of one length and of their type: provides,
# requires, conflicts, obsoletes; the weak ones, of SUSE, too; order; triggers by
# files; changelog; files
^(count|type)-(1047|1112|1113|1048|1050|1053|1054|1055|1090|1114|1115)-[14689]$
^(count|type)-(504[6-9]|505[0-7]|115[6-8]|1159|116[01]|503[567])-[14689]$
^(count|type)-(5069|507[12]|5079|508[12]|108[012])-[14689]$
^none-(1047|1112|1113|1117)$
# a source package
^(source|no-source|none-1044|count-1106-[14])$
# of an rpm before 4, or before 4.14, which had no SHA-256
^(old-names|count-1027-[14]|type-1027-[69])$
^(sign-md5-alone|sign-sha1-alone|unsign-273)$
# nobody could say later that the payload is another
^(none-5092|payload-digest-absent)$
^(none-5093|count-5093-4|payload-algorithm-(0|99)-sha256)$
# a payload that is cut, goes on, is not packed as the header says, or in which
# a file is of another kind than in the header
^(cut-gzip|after-trailer|junk-after-gzip|zeros-after-gzip|not-packed|other-kind)$
# what the file says of itself is wrong, though rpm 4.18 does not look
^sign-(1000-4|270-5|279-[4-8]|sha3-wrong|size-wrong)$
^alternative-packed-wrong$
'

# differ WHAT RULES: names on stdin that no rule is about, and rules that are
# about none.
differ() {
    local rules
    rules=$(sed '/^#/d; /^$/d' <<<"$2")
    cat >names
    grep -Ev "$(paste -sd '|' <<<"$rules")" names >others
    [ ! -s others ] || die "$1: $(paste -sd ' ' others)"
    while IFS= read -r rule; do
        grep -Eq "$rule" names || die "needless: $rule"
    done <<<"$rules"
}

# Others differ in what they look at.
need_rpm() {
    case $(rpm --version) in *' 4.18.'*) ;; *)
        echo '# skip what is known is what rpm 4.18 does'; exit 0 ;; esac
}

test_rpms_are_judged_as_rpm_does() {
    need_rpm
    mkdir cases
    must /usr/bin/python3 "$JUDGE" make cases
    /usr/bin/python3 "$JUDGE" ask cases root >said 2>err ||
        die "rpm was not asked: $(tail -n 2 err)"
    "$BUILD/tests/read_packages" cases/*.rpm >ours 2>err || die "$(tail -n 2 err)"
    export LC_ALL=C
    sed -n 's/^judge-\(.*\)\tok$/\1/p' said | sort >taken
    sed -n '/\tok$/!s/^judge-\([^\t]*\)\t.*/\1/p' said | sort >refused
    sed -n '/\tok$/!s/^cases.judge-\([A-Za-z0-9-]*\)\.rpm\t.*/\1/p' ours | sort >no
    sed -n 's/^cases.judge-\([A-Za-z0-9-]*\)\.rpm\tok$/\1/p' ours | sort >yes
    cmp <(sort taken refused) <(sort yes no) || die "not all were judged"
    [ "$(wc -l <taken)" -gt 1000 ] && [ "$(wc -l <refused)" -gt 700 ] ||
        die "rpm took $(wc -l <taken), refused $(wc -l <refused)"
    comm -12 refused yes | differ "rpm refuses, we do not" "$LAX"
    comm -12 taken no | differ "rpm accepts, we do not" "$STRICT"
}

# Of each oddity that is accepted: the order of the index and of the payload,
# names in the payload, digests, what is in the headers or not, kinds and names
# of files, dependencies.
ODD='order-of-tags order-of-tags-sign unknown-tag
    prefix-none prefix-bare unsorted-files crc-magic zeros-after
    alternative-unpacked-right alternative-packed-none
    alternative-no-hex-right payload-digest-upper archive-size-in-main
    sign-no-reserve sign-reserved-full sign-reserved-9000 sign-ima sign-ima-large
    sign-267-7 no-files no-provides
    none-1007 none-1034 none-1064 none-5062 long-sizes
    hard-links ghost-packed file-algorithm-10 epoch arch-noarch
    base-latin base-utf8 base-quote base-backslash base-blank directory-double
    link-absolute link-climbs mode-8-7777 flag-0 flag-6 device
    rich-1049-0 rich-1049-3 rich-5052-12 rich-deep provides-one
    rpmlib-known rpmlib-missing-ok name-comma-1047 name-utf8-5046 text-1004-latin encoding'

test_what_is_accepted_is_published_and_installed() {
    local d=tree/rpm/stable/x86_64 name n
    need_rpm
    use_builds amd64-rpm
    sed -i 's/^packages = .*/packages = */' conf
    web_for_rpms
    mkdir cases p
    must /usr/bin/python3 "$JUDGE" make cases
    for name in $ODD; do
        ln "cases/judge-$name.rpm" p/ || die "no case $name"
    done
    n=$(wc -w <<<"$ODD")
    must dist build -r v0.3.4 --from p
    must dist verify
    must dist export
    mkdir tree
    tar -C tree -xf out
    [ "$(find $d -name '*.rpm' | wc -l)" = "$n" ] || die "published: $(ls $d)"
    rpm_ok main $d/*.rpm || die "$(cat rpmkeys)"
    must rpm -qp --nosignature $d/*.rpm
    [ ! -s err ] || die "rpm -qp: $(cat err)"
    cp -r $d again
    must createrepo_c --no-database again
    ! grep -iE 'warn|error|critical' out err || die "createrepo_c complains"
    [ "$(zcat -f again/repodata/*primary.xml* | grep -c '<package ')" = "$n" ] ||
        die "createrepo_c has left something out"
    must export_and_deploy
    dnf_root d
    mknod probe c 1 3 2>/dev/null || ODD=${ODD/ device/}
    # shellcheck disable=SC2046,SC2086
    dnf d install $(printf 'judge-%s ' $ODD) || die "$(tail -n 3 d.out)"
    [ "$(rpm --root "$T/d/root" -qa 'judge-*' | wc -l)" = "$(wc -w <<<"$ODD")" ] ||
        die "installed: $(installed_rpms d)"
}

run_tests
