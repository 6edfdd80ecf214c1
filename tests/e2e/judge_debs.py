#!/usr/bin/env python3
"""
Control files, right and wrong, and what dpkg and apt say of each.

    judge_debs.py make DIR      packages DIR/debs/*/*.deb, and DIR/cases
    judge_debs.py judge DIR     dpkg and apt judge them: DIR/verdicts
    judge_debs.py compare DIR REPORT
                                REPORT is what `build` said of DIR/debs

dpkg unpacks them in throw-away roots. What it takes, apt has in an index, which
is halved until it is good or one stanza is the bad one. A verdict is an exit
status; apt's is also bad where it warns, because it then warns at every command.
"""
import concurrent.futures
import io
import json
import os
import re
import subprocess
import sys
import tarfile

RELATIONS = ['Depends', 'Pre-Depends', 'Recommends', 'Suggests', 'Enhances',
             'Breaks', 'Conflicts', 'Replaces', 'Provides']
OTHER_RELATIONS = ['Built-Using', 'Static-Built-Using', 'Obsoletes',
                   'Optional', 'Recommended']

# Values of every relation field.
VALUES = [
    '', 'aa', 'aa, bb', 'aa,bb', 'aa ,bb', 'aa (= 1)', 'aa(= 1)', 'aa (=1)',
    'aa  ( =  1 )', 'aa (= 1), bb (= 2:1-1~x+y.z)', 'aa:amd64', 'aa:any',
    'aa:amd64 (= 1)', '\n aa,\n bb (= 1)', 'aa,\n\tbb', 'aa | bb',
    'aa (= 1) | bb', 'aa|bb', 'aa | bb, cc | dd', 'aa |', '| aa', 'aa || bb',
    'aa | | bb', 'aa,', ',aa', 'aa,,bb', 'aa, , bb', ',', '|', 'aa bb',
    'aa; bb', 'aa (>= 1)', 'aa (<< 1)', 'aa (<= 1)', 'aa (>> 1)', 'aa (1)',
    'aa (= )', 'aa ()', 'aa (', 'aa )', 'aa (= 1', 'aa = 1', 'aa >= 1',
    'aa (= 1) (= 2)', 'aa (= 1, bb', 'aa (== 1)', 'aa (=> 1)', 'aa (= 1 2)',
    'aa (= 1)bb', 'aa [amd64]', 'aa <!nocheck>', '${misc:Depends}',
    'aa (= ${binary:Version})', 'aa (= a1)', 'aa (= 1_2)', 'aa (= 1:)',
    'aa (= 1-)', 'Aa', 'a_b', 'a', '-aa', 'a/b', 'aa:', 'aa:amd64:any', 'aa*',
]
# Of each other one, these.
FEW = ['', 'aa', 'aa (1)', 'aa (=1)', 'aa (<< 1)', '\n aa', ',aa', 'aa (= 1), bb (= 2)', 'aa (>= 1)', 'aa:any', 'aa | bb', 'aa |', 'aa,',
       'aa bb', 'aa (= a)', 'aa [amd64]', 'aa (= 1']
# Values of three of them: operators and what is around them.
MORE_VALUES = [
    'aa (< 1)', 'aa (> 1)', 'aa (<> 1)', 'aa (>< 1)', 'aa (=< 1)',
    'aa (!= 1)', 'aa (~ 1)', 'aa (>>1)', 'aa (>>= 1)', 'aa (>= 1)|bb (<< 2)',
    'aa (>= :1)', 'aa (>= 1:2:3)', 'aa (>= x:1)', 'aa (>= -1)',
    'aa (>= 99999999999:1)', 'aa (>= 2147483647:1)', 'aa (>= 2147483648:1)',
    'aa (>= 1--1)', 'aa (>= 0:0)', 'aa (>= ~1)', 'aa (>= .1)', 'aa (>= +1)',
    'aa (>= 1~)', 'aa (>= 1.)', 'aa (>= 1+)', 'aa (>= 1-1-)', 'aa (>= :)',
    'aa (>= 1/2)', 'aa (>= (1))', 'aa (>= 1))', 'aa ((>= 1)', 'aa (>=\n 1)',
    'aa\n (>= 1)', 'aa (>= 1\n )', 'aa (>= 1)\n , bb', 'aa:native', 'aa:all',
    'aa:AMD64', 'aa:-x', 'aa:any-amd64', 'aa:amd64 | bb:any (>= 1)', 'aa :any',
    'aa: any', 'aa:a_b', '0aa', '+aa', '.aa', 'aa+', 'aa.', '\xe4a',
    'aa\xa0bb', 'aa (>= 1\xe4)', '$x', '"aa"', "'aa'", 'aa#', '# aa', '!aa',
    'aa@1', 'aa=1', 'aa>=1', 'aa<1', 'aa>1', 'aa[1]', 'aa<x>', 'aa{1}',
    'aa (>= 1) [amd64]', 'aa (>= 1) <!x>', '[amd64]', '(>= 1)', '()',
    'aa (>= 1),', '\n aa\n', '\n aa,\n', 'a' * 200, 'aa (>= %s)' % ('1' * 200),
    ', '.join('lib%d (>= %d)' % (n, n) for n in range(500)),
    ' | '.join('lib%d' % n for n in range(500)), 'aa\t(>=\t1)', 'aa or bb',
    'aa & bb', 'aa (>= 1;2)', 'aa (>= 1|2)', 'aa (>= 1),bb', '/bin/sh',
    'python3-foo[extra] >= 1', 'https://example.org', 'self (= 1)',
]
# Whole lines, added to a control file that is right.
LINES = [
    ('Multi-Arch', ['same', 'foreign', 'allowed', 'no', '', 'Same', 'FOREIGN',
                    'yes', 'same foreign', 'same,', 'all', 'none', 'same\n x']),
    ('Essential', ['yes', 'no', '', 'YES', 'No', 'true', 'false', '1', '0',
                   'y', 'yes no', 'on', 'off', 'maybe', 'yess', 'n']),
    ('Protected', ['yes', 'no', '', 'Yes', 'NO', 'true', '0', 'x', 'without']),
    ('Important', ['yes', 'no', '', 'Yes', 'true', '1', 'x', 'maybe']),
    ('Build-Essential', ['yes', 'no', '', 'Yes', 'true', 'x']),
    ('Priority', ['required', 'important', 'standard', 'optional', 'extra', '',
                  'Optional', 'OPTIONAL', 'other', 'high', '9', 'optional x',
                  'optional\n x', 'medium', 'unknown']),
    ('Section', ['net', '', 'non-free/net', 'a b', 'x\n y']),
    ('Installed-Size', ['0', '1', '', '123456789', '-1', 'x', '1 kB', '1.5',
                        '0x10', '18446744073709551615', '18446744073709551616',
                        '99999999999999999999999', '1\n 2', '2147483648',
                        '9007199254740993', '9223372036854775808']),
    ('Source', ['src', 'src (1)', 'src (1:1-1)', '', 'Src', 'a', 'src 1',
                'src (1', 'src ()', 'src (x)', 'a b', 'src (1) x', 'a_b',
                'src (= 1)', 'src(1)', 'src [x]', 'src\n x', 'src (a b)']),
    ('Origin', ['x', '']), ('Bugs', ['debbugs://x', 'mailto:x']),
    ('Homepage', ['https://x', 'x\n y']), ('Tag', ['a::b, c::d', 'x']),
    ('Status', ['install ok installed', '', 'x']),
    ('Config-Version', ['1', '', 'x']),
    ('Conffiles', ['', '\n /etc/x 0123', '\n /etc/x', 'x', '\n /etc/x 01 obsolete']),
    ('Triggers-Pending', ['x', '']), ('Triggers-Awaited', ['x', '']),
    ('Revision', ['1', '']), ('Package-Revision', ['1']),
    ('Package_Revision', ['1']), ('Class', ['optional', 'x y']),
    ('MSDOS-Filename', ['x', '']), ('Filename', ['x']), ('Size', ['1']),
    ('MD5sum', ['x']), ('SHA1', ['x']), ('SHA256', ['x']), ('SHA512', ['x']),
    ('Description-md5', ['x', '0' * 32, '']), ('Description-en', ['x']),
    ('Description-de', ['x\n y']), ('Package-Type', ['deb', 'udeb']),
    ('Auto-Built-Package', ['debug-symbols']), ('Phased-Update-Percentage',
                                                ['10', 'x']),
    ('Task', ['x']), ('X', ['y']), ('X-Field', ['y', '', '\n y', '\n .\n y']),
    ('Immediate-Configure', ['yes', 'x']), ('Subarchitecture', ['x']),
    ('Kernel-Version', ['x']), ('Installer-Menu-Item', ['x']),
    ('Architecture-x', ['y']), ('Maintainer-x', ['y']),
]
NAMES = ['pkg', 'p0', '0ad', 'g++', 'a.b-c+d', 'x' * 100, 'Pkg', 'PKG', 'a_b',
         'a', '', '-a', '.a', '+a', 'a b', 'a/b', 'a:b', 'a,b', 'a(b', '\xe4b',
         '${p}', 'a~b', 'a=b', 'pkg\n x']
VERSIONS = ['1', '0', '1-1', '1:1', '0:1', '1~rc1', '1+b1', '1.0-1~bpo12+1',
            '1a', '1A', '1.', '1-a', '1-1-1', '1--1', '1~', '2147483647:1',
            '2147483648:1', '99999999999:1', '', 'a', 'a1', 'v1', '~1', '.1',
            '1:', ':1', '1:a', '1:2:3', 'x:1', '-1', '1-', '1_2', '1/2', '1 2',
            '1\n 2', '1=2', '1(2', '1\xe4', '${v}', '-1:1', '1:-1', '1-1_1',
            '1%2', '1,2', '1!', '1\\2', '1@2', '+1', '00', '1' * 100]
ARCHITECTURES = ['amd64', 'all', 'arm64', 'any', 'AMD64', 'x86_64', 'amd64 arm64',
                 'linux-any', '', 'source', '-x', 'a/b', 'amd64,', 'none',
                 'amd64\n x', 'musl-linux-amd64', 'any-amd64', 'native']
MANDATORY = ['Package', 'Version', 'Architecture', 'Maintainer', 'Description']
BASE = {'Package': 'pkg', 'Version': '1', 'Architecture': 'amd64',
        'Maintainer': 'A B <a@example.org>'}
DESCRIPTION = 'Description: d\n and more\n .\n end\n'


def line(name, value):
    """A folded value begins on the next line."""
    return '%s:%s%s\n' % (name, '' if value[:1] == '\n' else ' ', value)


def control(extra='', description=DESCRIPTION, **fields):
    known = {**BASE, **{k.capitalize(): v for k, v in fields.items()}}
    return ''.join(line(k, v) for k, v in known.items()
                   if v is not None) + extra + description


def texts():
    """Text that is wrong as such, or looks so."""
    c = control
    head, tail = c(description=''), DESCRIPTION
    yield 'as it should be', c()
    for name in MANDATORY[:4]:
        yield 'no ' + name, c(**{name: None})
        yield name + ' empty', c(**{name: ''})
        yield name + ' folded', c(**{name: '\n ' + BASE[name]})
    yield 'no Description', head
    yield 'Description empty', head + 'Description:\n'
    yield 'Description folded', head + 'Description:\n x\n'
    yield 'Description with blank', head + 'Description: d\n x\n \n y\n'
    yield 'Description with tab', head + 'Description: d\n x\n\t\n y\n'
    yield 'Description ends blank', head + 'Description: d\n x\n \n'
    yield 'Description ends dot', head + 'Description: d\n x\n .\n'
    yield 'Description tabbed', head + 'Description: d\n\tx\n\t y\n'
    yield 'blank between', head + ' \n' + tail
    yield 'blank at end', c() + ' \n'
    yield 'blank after empty', c() + '\n \n'
    yield 'no final newline', c()[:-1]
    yield 'no final newline in line', head + 'Description: d'
    yield 'no newline after colon', head + tail + 'X-Y:'
    yield 'empty first', '\n\n' + c()
    yield 'empty last', c() + '\n\n\n'
    yield 'blank first', ' \n' + c()
    yield 'two paragraphs', c() + '\n' + c(Package='qkg')
    yield 'empty between', head + '\n' + tail
    yield 'CRLF', c().replace('\n', '\r\n')
    yield 'CRLF in one', head + 'X-Y: z\r\n' + tail
    yield 'CRLF in relation', head + 'Depends: aa\r\n' + tail
    yield 'CRLF in relation folded', head + 'Depends: aa,\r\n bb\r\n' + tail
    yield 'CR within', head + 'X-Y: a\rb\n' + tail
    yield 'BOM', '\xef\xbb\xbf' + c()
    yield 'NUL', head + 'X-Y: a\0b\n' + tail
    yield 'SUB', head + 'X-Y: a\x1ab\n' + tail
    yield 'form feed', head + 'X-Y: a\fb\n' + tail
    yield 'DEL', head + 'X-Y: a\x7fb\n' + tail
    yield 'Latin-1 value', head + 'X-Y: \xe4\n' + tail
    yield 'UTF-8 value', head + 'X-Y: \xc3\xa4\n' + tail
    yield 'UTF-8 Maintainer', c(Maintainer='J\xc3\xbc <j@x>')
    yield 'no colon', head + 'X-Y z\n' + tail
    yield 'blank before colon', head + 'X-Y : z\n' + tail
    yield 'blank in name', head + 'X Y: z\n' + tail
    yield 'no name', head + ': z\n' + tail
    yield 'no value', head + 'X-Y:\n' + tail
    yield 'hyphen first', head + '-X: z\n' + tail
    yield 'comment', head + '# x\n' + tail
    yield 'comment with colon', head + '#x: y\n' + tail
    yield 'comment in value', head + 'Depends: aa,\n#bb,\n cc\n' + tail
    yield 'dashes', '-----BEGIN PGP SIGNED MESSAGE-----\n\n' + c()
    yield 'name not ASCII', head + 'X-\xc3\xa4: z\n' + tail
    yield 'name with slash', head + 'X/Y: z\n' + tail
    yield 'name with underscore', head + 'X_Y: z\n' + tail
    yield 'name of one letter', head + 'X: z\n' + tail
    yield 'name of digits', head + '00: z\n' + tail
    yield 'name with brackets', head + 'X[1]: z\n' + tail
    yield 'name with tab', head + 'X\tY: z\n' + tail
    yield 'long name', head + 'X' * 300 + ': z\n' + tail
    yield 'long value', head + 'X-Y: ' + 'z' * 50000 + '\n' + tail
    yield 'no blank after colon', c().replace(': ', ':')
    yield 'tabs after colon', c().replace(': ', ':\t \t')
    yield 'blanks at end of lines', c().replace('\n', '  \n', 4)
    yield 'names in capitals', c().replace('Package', 'PACKAGE').replace(
        'Version', 'version')
    yield 'relation in capitals', head + 'DEPENDS: aa |\n' + tail
    for name in MANDATORY[:4] + ['Depends', 'X-Y', 'Essential']:
        first = head if name in BASE else head + line(name, 'no')
        yield name + ' twice', first + line(name, 'no') + tail
        yield name + ' twice, other case', first + line(name.upper(), 'no') + tail
    yield 'Description twice', c() + DESCRIPTION
    yield 'twice under two names', head + 'Recommends: aa\nRecommended: bb\n' + tail
    yield 'many fields', head + ''.join('X-%d: y\n' % n for n in range(200)) + tail


def cases():
    for name in RELATIONS + OTHER_RELATIONS:
        for value in VALUES if name == 'Depends' else FEW:
            yield name + ': ' + value, control(line(name, value))
    for value in MORE_VALUES:
        yield 'Depends: ' + value, control(line('Depends', value))
    for name, values in LINES:
        for value in values:
            yield name + ': ' + value, control(line(name, value))
    for value in NAMES:
        yield 'Package: ' + value, control(Package=value)
    for value in VERSIONS:
        yield 'Version: ' + value, control(Version=value)
    for value in ARCHITECTURES:
        yield 'Architecture: ' + value, control(Architecture=value)
    yield from texts()


def own_name(text, n):
    return re.sub(r'(?im)^(package:\s*)pkg\b', r'\g<1>c%04d' % n, text, count=1)


def tar(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.GNU_FORMAT) as t:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.type = tarfile.REGTYPE if data is not None else tarfile.DIRTYPE
            info.mode = 0o644 if data is not None else 0o755
            info.size = len(data or b'')
            t.addfile(info, io.BytesIO(data or b''))
    return out.getvalue()


def deb(text):
    """An ar archive; nothing in it is packed, which is soonest read."""
    out = b'!<arch>\n'
    for name, data in (('debian-binary', b'2.0\n'),
                       ('control.tar', tar([('./', None), ('./control', text)])),
                       ('data.tar', tar([('./', None)]))):
        out += b'%-16s%-12d%-6d%-6d%-8s%-10d`\n' % (
            name.encode(), 0, 0, 0, b'100644', len(data)) + data
        out += b'\n' * (len(data) % 2)
    return out


def make(top):
    found = [(name, own_name(text, n)) for n, (name, text) in enumerate(cases())]
    with open(top + '/cases', 'w') as f:
        json.dump(found, f)
    for n, (_, text) in enumerate(found):
        put(file_of(top, n), deb(text.encode('latin-1')))


# -------------------------------------------------------------- dpkg, and apt

def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(data)


def run(*command, **env):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False,
                          capture_output=True, env={**os.environ, **env})
    said = (done.stdout + done.stderr).decode('utf-8', 'replace')
    return done.returncode, said


def new_root(root):
    for name in ('info', 'updates', 'triggers'):
        os.makedirs(root + '/var/lib/dpkg/' + name)
    put(root + '/var/lib/dpkg/status', b'')
    put(root + '/var/lib/dpkg/arch', b'amd64\narm64\n')


def dpkg(root, files):
    """Those that dpkg refuses, each with what it says."""
    new_root(root)
    status, said = run('dpkg', '--root=' + root, '--force-not-root',
                       '--force-unsafe-io', '--force-depends', '--abort-after=9999',
                       '--force-architecture', '--log=/dev/null', '--unpack', *files)
    refused = dict(re.findall(
        r'^dpkg: error processing archive (\S+) \(--unpack\):\n (.*(?:\n  .*)*)',
        said, re.M))
    if (status != 0) != bool(refused) or 'processing package' in said:
        sys.exit('dpkg failed:\n' + said[-4000:])
    # what it has installed, it must also be able to tell of
    query = ('dpkg-query', '--admindir=%s/var/lib/dpkg' % root, '-W', '-f',
             '${source:Version} ${source:Upstream-Version}\n')
    if run(*query)[0] == 0:
        return refused
    for file in set(files) - set(refused):
        status, said = run(*query, os.path.basename(file)[:-len('.deb')])
        if status != 0:
            refused[file] = said
    return refused


def stanza(text, n):
    """As an index has it: what apt needs to know follows."""
    return text.strip(b'\n') + (
        '\nFilename: ./c%04d.deb\nSize: 1000\nSHA256: %064d\n\n' % (n, 0)).encode()


def apt_root(root):
    new_root(root)
    for name in ('lists/partial', 'cache/archives/partial'):
        os.makedirs('%s/var/%s' % (root, name))
    for name in ('preferences.d', 'apt.conf.d', 'sources.list.d', 'trusted.gpg.d'):
        os.makedirs('%s/etc/apt/%s' % (root, name))
    put(root + '/etc/apt/sources.list',
        ('deb [trusted=yes] file:%s/repo ./\n' % root).encode())
    put(root + '/apt.conf', (APT_CONF % (root, root)).encode())


APT_CONF = '''Dir "%s/"; Dir::State "var"; Dir::Cache "var/cache";
Dir::State::status "%s/var/lib/dpkg/status";
Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
Dir::Bin::methods "/usr/lib/apt/methods";
#clear APT::Architectures; APT::Architecture "amd64";
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root"; Acquire::Languages "none"; Debug::NoLocking "true";
'''


def apt_reads(root, index):
    """Exit status, and what it says: as after an `apt-get update`."""
    put('%s/var/lists/%s_repo_._Packages' % (root, root.replace('/', '_')),
        index)
    status, said = run('apt-get', 'check', APT_CONFIG=root + '/apt.conf')
    if status == 0 and re.search('^[WE]: ', said, re.M):
        status = 1
    return status, said


def apt(root, stanzas, refused):
    """Halves the index until it is good, or one stanza is the bad one."""
    status, said = apt_reads(root, b''.join(s for _, s in stanzas))
    if status != 0 and len(stanzas) == 1:
        refused[stanzas[0][0]] = '%d: %s' % (status, said[-300:])
    elif status != 0:
        half = len(stanzas) // 2
        apt(root, stanzas[:half], refused)
        apt(root, stanzas[half:], refused)


def file_of(top, n):
    """`build` prints a hundred errors, so no more are in one directory."""
    return '%s/debs/%d/c%04d.deb' % (top, n // 90, n)


def batches(found):
    """Of one field each: what one provides, another may conflict with."""
    groups = {}
    for n, (name, _) in enumerate(found):
        groups.setdefault(name.split(':')[0] if ':' in name else '', []).append(n)
    rest = [groups.pop(k) for k in list(groups)
            if k not in RELATIONS and k not in ('Package',)]
    return list(groups.values()) + [sum(rest, [])]


def judge(top):
    with open(top + '/cases') as f:
        found = json.load(f)
    by_dpkg, by_apt = {}, {}

    def one(numbered):
        i, group = numbered
        by_dpkg.update(dpkg('%s/d%d' % (top, i), [file_of(top, n) for n in group]))
        root = '%s/a%d' % (top, i)
        apt_root(root)
        # what dpkg refuses is refused
        apt(root, [(file_of(top, n), stanza(found[n][1].encode('latin-1'), n))
                   for n in group if file_of(top, n) not in by_dpkg], by_apt)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(one, enumerate(batches(found))))
    with open(top + '/verdicts', 'w') as f:
        json.dump([by_dpkg, by_apt], f, indent=1)


# ----------------------------------------------------------------- comparing

# What we refuse although dpkg and apt take it: what we say of it, and why.
MEANT = [
    ('lacks the field', 'Policy 5.3; dpkg warns'),
    ('bad package name', 'Policy 5.6.1; dpkg folds names, a pool does not'),
    ('bad version', 'Policy 5.6.12; versions are part of file names'),
    ('bad architecture', 'Policy 5.6.8; architectures are part of file names'),
    ('which belongs to an index', 'it would speak for another file'),
    ("Conffiles, which belongs to dpkg's database", 'dpkg replaces it'),
    ('(Static-)?Built-Using: ', 'deb-control(5): what dak and britney read'),
    ('Obsoletes: ', 'apt reads it as a relation'),
    ('field (Important|Build-Essential): ', 'deb-control(5): yes or no'),
    ('field Source: ', 'deb-control(5); apt-get source looks for it'),
    ('control character', 'terminals, and other readers of an index'),
    ('bad field name', 'other readers of an index'),
    ('is not a field', 'a comment, for other readers of an index'),
    ('allow-essential', 'an essential package is for good'),
    ('which is obsolete', 'newer releases of dpkg refuse it'),
]
# It has been judged, and found right.
NOT_OF_CONTROL = re.compile("is not one of the suite's|is not on the list")


def ours(report):
    """What `build` says of each file that it refuses."""
    refused = {}
    with open(report, encoding='utf-8', errors='replace') as f:
        for said in f:
            file = re.search(r'(c\d{4})\.deb: (.*)', said)
            if file and not NOT_OF_CONTROL.search(said):
                refused.setdefault(file.group(1), file.group(2))
    return refused


def compare(top, report):
    with open(top + '/cases') as f:
        found = json.load(f)
    with open(top + '/verdicts') as f:
        by_dpkg, by_apt = json.load(f)
    refused, wrong, counts = ours(report), 0, [0, 0, 0]
    for n, (name, _) in enumerate(found):
        file, own = file_of(top, n), refused.get('c%04d' % n)
        theirs = by_dpkg.get(file) or by_apt.get(file)
        if theirs and not own:
            complaint = 'is accepted, but: ' + theirs
        elif own and not theirs and not any(re.search(r, own) for r, _ in MEANT):
            complaint = 'is refused, but neither dpkg nor apt does: ' + own
        else:
            counts[0 if not own else 1 if theirs else 2] += 1
            continue
        wrong += 1
        print('# %r %s' % (name, complaint.replace('\n', ' ')))
    print('# %d are right, %d are wrong, %d are meant to differ; of wrong ones '
          'dpkg refuses %d, apt %d more' % (*counts, len(by_dpkg), len(by_apt)))
    # a judge that judged nothing would agree with everybody
    sys.exit(bool(wrong) or min(counts) < 20 or len(by_apt) < 5)


if __name__ == '__main__':
    {'make': make, 'judge': judge, 'compare': compare}[sys.argv[1]](*sys.argv[2:])
