#!/bin/bash
# Style, warnings, manuals and layers. One line for each check, below it the
# offending lines where there are any.
#
#   tests/lint.sh           all checks
#   tests/lint.sh WORD      those whose name has WORD in it
set -u
export LC_ALL=C.UTF-8
unset MAKEFLAGS MAKELEVEL CDPATH
cd "$(dirname "$0")/.." || exit 1

wanted=${1:-}
build=${BUILD:-build}
passed=0
failed=0
skipped=0
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

# ------------------------------------------------------------------ the files

if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -co --exclude-standard
else
    find . -type f ! -path './build/*' ! -path './.git/*' | sed 's,^\./,,'
fi | while IFS= read -r f; do
    [ -f "$f" ] && printf '%s\n' "$f"
done | LC_ALL=C sort >"$scratch/files"

# files REGEX: the repository's files whose path matches.
files() {
    grep -E "$1" "$scratch/files"
}

mapfile -t tools < <(sed -n 's/^TOOLS = //p' Makefile | tr ' ' '\n')
mapfile -t c_files < <(files '\.c$')
mapfile -t sources < <(files '\.[ch]$')
mapfile -t manuals < <(files '^man/.*\.[0-9]$')
mapfile -t scripts < <(files '\.sh$|^man/completions\.bash$|^\.ci/run$')
mapfile -t texts < <(files . | grep -v '^LICENSE$' | xargs -d '\n' grep -lI .)
tool_pattern=$(IFS='|' && printf '%s' "${tools[*]}")

# ------------------------------------------------------------------ reporting

# check NAME FUNCTION: passes if the function prints nothing and returns 0;
# status 77 skips it, with what it printed as the reason.
check() {
    local name=$1 status
    case $name in *"$wanted"*) ;; *) return ;; esac
    "$2" >"$scratch/out" 2>&1
    status=$?
    if [ $status -eq 77 ]; then
        echo "skip $name: $(head -n 1 "$scratch/out")"
        skipped=$((skipped + 1))
    elif [ $status -eq 0 ] && [ ! -s "$scratch/out" ]; then
        echo "ok $name"
        passed=$((passed + 1))
    else
        echo "not ok $name"
        head -n 100 "$scratch/out" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

# needs COMMAND: for use as `needs x || return 77`.
needs() {
    command -v "$1" >/dev/null || {
        echo "$1 is not installed"
        return 1
    }
}

# Prints what stands in one of two sorted lists only.
compare() {
    comm -23 "$1" "$2" | sed "s|^|only in $3: |"
    comm -13 "$1" "$2" | sed "s|^|only in $4: |"
}

# ------------------------------------------------- manuals, scripts, compilers

check_mandoc() {
    needs mandoc || return 77
    mandoc -Tlint -Wwarning "${manuals[@]}" 2>/dev/null
    return 0    # what it has printed decides
}

check_shellcheck() {
    needs shellcheck || return 77
    # SC2317: functions whose names come from variables; SC2015: a && b || die
    printf '%s\n' "${scripts[@]}" | grep -v '^tests/e2e/' | xargs -d '\n' \
        shellcheck -x -f gcc -e SC2317,SC2015
    # They handle names of their own making only.
    printf '%s\n' "${scripts[@]}" | grep '^tests/e2e/' | xargs -r -d '\n' \
        shellcheck -x -f gcc -S warning -e SC2317,SC2119,SC2120
    return 0
}

# The flags of the Makefile, one a line, but for those that write files.
compiler_flags() {
    # shellcheck disable=SC2016
    make -s --no-print-directory DEPS=no MODE=release CC=clang \
        --eval='print-flags:;@printf "%s\n" $(ALL_CFLAGS)' print-flags |
        grep -vxE -e '-MMD|-MP|-g'
}

check_clang() {
    local flags
    needs clang || return 77
    mapfile -t flags < <(compiler_flags)
    [ ${#flags[@]} -gt 5 ] || {
        echo "the Makefile does not tell its flags"
        return 1
    }
    printf '%s\0' "${c_files[@]}" | xargs -0 -n 8 -P "$(nproc)" \
        clang -fsyntax-only "${flags[@]}"
}

check_cppcheck() {
    needs cppcheck || return 77
    # objectIndex: it takes struct strv's v for the object that v points to
    cppcheck --quiet --enable=warning,performance,portability \
        --error-exitcode=1 --std=c11 -I . -j "$(nproc)" \
        -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 '-DVERSION="0"' \
        '-Dfail_msg(...)=abort()' \
        --suppress=missingIncludeSystem \
        --suppress=objectIndex:lib/tree/tree_apt.c \
        --template='{file}:{line}: {id}: {message}' "${c_files[@]}"
}

# --------------------------------------------------------------------- layers

# A folder of lib/ is a layer and a subject. What stands in a row may be
# included by that folder, and so may its own files; the tools may have all.
declare -A below=(
    [base]=''
    [sys]='base'
    [frame]='base sys'
    [data]='base sys'
    [pgp]='base sys'
    [http]='base sys'
    [ssh]='base sys frame data'
    [deb]='base sys data'
    [rpm]='base sys data'
    [tree]='base sys frame data pgp deb rpm'
    [drop]='base sys data ssh tree'
)

# Prints FILE:LINE:HEADER for each #include of the given kind ('"' or '<').
includes() {
    local close='>'
    [ "$1" = '"' ] && close='"'
    grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*$1" \
        "${sources[@]}" /dev/null |
        sed -E "s/^([^:]*:[0-9]*):[^$1]*$1([^$close]*)$close.*/\1:\2/"
}

check_layers() {
    local f line header from to
    while IFS=: read -r f line header; do
        case $f in
        lib/*) from=${f#lib/} from=${from%%/*} ;;
        *) continue ;;
        esac
        [ -n "${below[$from]+set}" ] || {
            echo "$f: $from is no folder of tests/lint.sh"
            continue
        }
        case $header in
        lib/*) to=${header#lib/} to=${to%%/*} ;;
        *) echo "$f:$line: lib includes $header" && continue ;;
        esac
        case " $from ${below[$from]} " in
        *" $to "*) ;;
        *) echo "$f:$line: $from includes $header, which is of $to" ;;
        esac
    done < <(includes '"') | sort -u
}

# A source with its header is one: whoever includes the header needs both.
check_circles() {
    includes '"' | sed -E 's/:[0-9]+:/ /; s/\.[ch]( |$)/\1/g' |
        awk '$1 != $2' | sort -u | tsort 2>&1 >/dev/null |
        sed 's/^tsort: //; s/^-: input contains a loop:$/a circle of includes:/'
}

# A header that no public one is made of: its name ends in _private.h, and it is
# its own folder's alone.
check_private_headers() {
    local f line header
    includes '"' | while IFS=: read -r f line header; do
        case $header in
        *_private.h) [ "${f%/*}" = "${header%/*}" ] ||
            echo "$f:$line: includes $header, which is private" ;;
        esac
    done
}

check_include_form() {
    includes '"' | while IFS=: read -r f line header; do
        [[ $header =~ ^(lib/[a-z]+|tests/[a-z]+|($tool_pattern)(/[a-z]+)?)/[a-z0-9_]+\.(h|def)$ ]] ||
            echo "$f:$line: \"$header\" is not written \"room/x.h\""
        [ -f "$header" ] || echo "$f:$line: there is no $header"
    done
    includes '<' | grep -E ":(lib|tests|$tool_pattern)/" | sed 's/$/ in < >/'
    return 0
}

check_tools_apart() {
    includes '"' | while IFS=: read -r f line header; do
        for tool in "${tools[@]}"; do
            case $header in
            "$tool"/*) case $f in
                "$tool"/* | tests/*) ;;
                *) echo "$f:$line: includes $header" ;;
                esac ;;
            esac
        done
    done
}

# Each library is confined to one file of lib/, or two; gpgme and libssh to
# these. Tests may judge us by whatever they like.
check_third_party() {
    local header users
    includes '<' | grep -v '^tests/' >"$scratch/system"
    for header in curl/curl.h cjson/cJSON.h libssh/ zlib.h archive openssl/ \
        ini.h seccomp.h gpgme.h; do
        case $header in
        archive) grep -E ':archive(_entry)?\.h$' "$scratch/system" ;;
        */) grep -F ":$header" "$scratch/system" ;;
        *) grep -E ":$header\$" "$scratch/system" ;;
        esac | cut -d : -f 1 | sort -u >"$scratch/users"
        grep -v '^lib/' "$scratch/users" | sed "s|\$| includes $header|"
        if [ "$header" = gpgme.h ]; then
            grep -vxE 'lib/pgp/(gpg\.c|gpg_private\.h|verify\.c|signer\.c)' \
                "$scratch/users" | sed 's/$/ includes gpgme.h/'
            continue
        fi
        if [ "$header" = libssh/ ]; then
            grep -vxE 'lib/ssh/(session|login|subsystem)\.c' \
                "$scratch/users" | sed 's/$/ includes libssh/'
            continue
        fi
        users=$(wc -l <"$scratch/users")
        [ "$users" -le 2 ] || sed "s|\$| is one of $users with $header|" \
            "$scratch/users"
    done
}

# What writes the public tree has no library in it that takes archives apart.
check_deploy_repo_libraries() {
    needs readelf || return 77
    built || return 77
    readelf -d "$build/bin/deploy-repo" >"$scratch/dynamic" || return 1
    grep -q 'NEEDED.*libcrypto' "$scratch/dynamic" ||
        echo 'readelf does not tell the libraries of deploy-repo'
    grep -E 'NEEDED.*lib(archive|lzma|zstd|bz2)' "$scratch/dynamic"
    return 0
}

# ----------------------------------------- help, manual, completion and tests

# tool_words TOOL: its verbs, then its options, one a line, out of --help.
tool_words() {
    "$build/bin/$1" --help >"$scratch/help" || return 1
    sed -nE 's/^  ([a-z][a-z-]*)( .*)?$/\1/p' "$scratch/help"
    sed -nE 's/^  (-[a-z]), --.*/\1/p' "$scratch/help"
    sed -nE 's/^  (-[a-z],|   ) (--[a-z-]+).*/\2/p' "$scratch/help"
}

# manual_has FILE WORD
manual_has() {
    case $2 in
    --*) grep -qE "^\.(It|Op).* Fl -${2#--}( |\$)" "$1" ||
        grep -qE "^\.It .* , -${2#--}( |\$)" "$1" ;;
    -*) grep -qE "^\.It Fl ${2#-}( |\$)" "$1" ;;
    *) grep -qE "^\.It Cm $2( |\$)" "$1" ;;
    esac
}

built() {
    local tool
    for tool in "${tools[@]}"; do
        [ -x "$build/bin/$tool" ] || {
            echo "$build/bin/$tool is not built"
            return 1
        }
    done
}

check_help_in_manual() {
    local tool word manual
    built || return 77
    for tool in "${tools[@]}"; do
        manual=$(files "^man/$tool\.[0-9]\$")
        [ -n "$manual" ] || {
            echo "$tool has no manual"
            continue
        }
        tool_words "$tool" | while read -r word; do
            manual_has "$manual" "$word" || echo "$manual lacks $word"
        done
    done
}

# What the completion offers must be just what --help prints.
check_help_in_completion() {
    local tool
    built || return 77
    for tool in "${tools[@]}"; do
        tool_words "$tool" | sort -u >"$scratch/words"
        bash -c '. man/completions.bash
            for cur in "" -; do
                COMP_WORDS=("$1" "$cur") COMP_CWORD=1
                _veilid_cicd "$1" "$cur" "$1"
                printf "%s\n" "${COMPREPLY[@]}"
            done' bash "$tool" | grep . | sort -u >"$scratch/offered"
        compare "$scratch/words" "$scratch/offered" "$tool --help" \
            man/completions.bash
    done
}

check_help_in_tests() {
    local tool word tests
    built || return 77
    mapfile -t tests < <(files '^tests/e2e/|^tests/rehearse\.sh$')
    [ ${#tests[@]} -gt 0 ] || {
        echo "there is nothing in tests/e2e yet"
        return 77
    }
    for tool in "${tools[@]}"; do
        tool_words "$tool" | while read -r word; do
            cat "${tests[@]}" | grep -qE -e "(^|[^a-z-])$word([^a-z-]|\$)" ||
                echo "$tool $word is in no test"
        done
    done
}

# -------------------------------------------------------------- configuration

# Each prints "section key [default]", sorted. A section with a name is known
# by its kind alone.
schema_keys() {
    tr '\n' ' ' <lib/frame/conf_schema.c | grep -oE '\{"[^}]*\}' | sed -E \
        's/"[[:space:]]+"//
        s/^\{"([a-z-]*)[^"]*", "([^"]*)", [A-Z_]*,[[:space:]]*/\1 \2 /
        s/ NULL,.*//; s/ "([^"]*)",.*/ \1/' | sort
}

# A line "#key = value" is a key without a default.
example_keys() {
    sed -nE 's/^\[([a-z-]*).*\]$/\1/p; s/^#?[a-z0-9-]+ = .*/&/p' \
        veilid-cicd.conf.example | awk '!/=/ { section = $0; next }
        { commented = sub(/^#/, ""); key = $1; sub(/^[a-z0-9-]* = /, "")
          print section " " key (commented ? "" : " " $0) }' | sort -u
}

manual_keys() {
    awk '/^\.Ss / { section = "" }
        /^\.Ss \[/ { section = $2; gsub(/[][]/, "", section) }
        /^\.Sh / { section = "" }
        section != "" && /^\.It Ic / { print section " " $3 }' \
        man/veilid-cicd.conf.5 | sort -u
}

check_configuration_keys() {
    schema_keys >"$scratch/schema"
    [ "$(wc -l <"$scratch/schema")" -gt 20 ] ||
        echo "lib/frame/conf_schema.c is not read rightly"
    example_keys >"$scratch/example"
    manual_keys >"$scratch/manual"
    compare "$scratch/schema" "$scratch/example" \
        lib/frame/conf_schema.c veilid-cicd.conf.example
    cut -d ' ' -f 1,2 "$scratch/schema" | sort -u >"$scratch/keys"
    compare "$scratch/keys" "$scratch/manual" \
        lib/frame/conf_schema.c 'veilid-cicd.conf(5)'
}

# Also with the keys that are commented out. An empty state is a valid one.
check_configuration_loads() {
    local file
    built || return 77
    mkdir -p "$scratch/state/objects" "$scratch/state/generations"
    sed 's/^#\([a-z0-9-]* = \)/\1/' veilid-cicd.conf.example >"$scratch/full.conf"
    for file in veilid-cicd.conf.example "$scratch/full.conf"; do
        HOME=$scratch "$build/bin/distribute-packages" -c "$file" \
            -o "repository.state=$scratch/state" list
    done
}

# --------------------------------------------------------------------- layout

check_line_length() {
    local f
    for f in "${sources[@]}"; do
        expand -t 8 "$f" | awk -v f="$f" \
            'length > 80 { print f ":" NR ": " length " columns" }'
    done
}

check_blanks() {
    grep -nE '[[:blank:]]$' "${texts[@]}"
    return 0
}

# A body begins with { and ends with } in column 1.
check_function_length() {
    awk 'FNR == 1 { start = 0 }
        /^\{$/ { start = FNR }
        /^\}$/ && start {
            if (FNR - start - 1 > 60)
                print FILENAME ":" start ": " FNR - start - 1 " lines"
            start = 0
        }' "${sources[@]}"
}

# ------------------------------------------------- what must not be in there

# The patterns are put together so that this file does not match them.
check_machine_paths() {
    local slash=/
    grep -nE "(^|[^[:alnum:]_.\$}~*-])$slash(work|home/[a-z]|Users|root)/" \
        "${texts[@]}"
    return 0
}

check_registries() {
    local dot='[.]'
    grep -nE "(deb|security)${dot}debian${dot}org|registry${dot}npmjs${dot}org" \
        "${texts[@]}"
    return 0
}

# Only addresses that belong to nobody; the names of what OpenSSH has added to
# SSH are none.
check_addresses() {
    grep -noE '[[:alnum:]_.+-]+@[[:alnum:]-]+(\.[[:alnum:]-]+)+' \
        "${texts[@]}" |
        grep -vE '@([[:alnum:]-]+\.)*example(\.(org|com|net))?$|@.*\.(service|timer)$' |
        grep -v '@openssh\.com$'
    return 0
}

check mandoc check_mandoc
check shellcheck check_shellcheck
check clang check_clang
check cppcheck check_cppcheck
check layers check_layers
check circles check_circles
check private-headers check_private_headers
check include-form check_include_form
check tools-apart check_tools_apart
check third-party check_third_party
check deploy-repo-libraries check_deploy_repo_libraries
check help-in-manual check_help_in_manual
check help-in-completion check_help_in_completion
check help-in-tests check_help_in_tests
check configuration-keys check_configuration_keys
check configuration-loads check_configuration_loads
check line-length check_line_length
check blanks check_blanks
check function-length check_function_length
check machine-paths check_machine_paths
check registries check_registries
check addresses check_addresses

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
