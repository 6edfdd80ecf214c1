#!/usr/bin/python3
"""Makes .rpms that are odd or wrong in one thing each, and asks rpm of them.

    judge_rpms.py make DIR          one for each case: NAME.rpm, NAME is the
                                    package's
    judge_rpms.py ask DIR ROOT      what librpm makes of each: read, verified,
                                    installed below ROOT. A line each: NAME
                                    and "ok", or NAME and the step that failed

A case is the usual package with one change. Nothing here knows which cases
are right: rpm does.
"""

import ctypes
import gzip
import hashlib
import os
import pathlib
import struct
import sys

CHAR, INT8, INT16, INT32, INT64, STRING, BIN, STRINGS, I18N = range(1, 10)
TEXT = (STRING, STRINGS, I18N)
SIZE = {CHAR: 1, INT8: 1, INT16: 2, INT32: 4, INT64: 8, BIN: 1}

# ---------------------------------------------------------------- one rpm


def numbers(kind, *values):
    """An entry: type, number of items, bytes."""
    code = {CHAR: "B", INT8: "B", INT16: "H", INT32: "I", INT64: "Q"}[kind]
    return (kind, len(values), struct.pack(f">{len(values)}{code}", *values))


def strings(*values, kind=STRINGS):
    data = b"".join(v if isinstance(v, bytes) else v.encode()
                    for v in (part for value in values
                              for part in (value, b"\0")))
    return (kind, len(values), data)


def string(value):
    return strings(value, kind=STRING)


def header(entries, region, order=None):
    """entries: [(tag, (type, count, data))], in the order of the data; order:
    that of the index."""
    index, data = [], b""
    for tag, (kind, count, value) in entries:
        data += b"\0" * (-len(data) % {INT16: 2, INT32: 4, INT64: 8}.get(
            kind, 1))
        index.append(struct.pack(">IIII", tag, kind, len(data), count))
        data += value
    if order is not None:
        index = order(index)
    n = len(index) + 1
    return (b"\x8e\xad\xe8\1\0\0\0\0" +
            struct.pack(">IIIIII", n, len(data) + 16, region, BIN, len(data),
                        16) +
            b"".join(index) + data +
            struct.pack(">IIiI", region, BIN, -16 * n, 16))


def member(name, mode, data=b"", nlink=1, inode=1, magic=b"070701"):
    name = (name if isinstance(name, bytes) else name.encode()) + b"\0"
    fields = (inode, mode, 0, 0, nlink, 1700000000, len(data), 0, 0, 0, 0,
              len(name), 0)
    head = magic + b"".join(b"%08x" % f for f in fields) + name
    return (head + b"\0" * (-len(head) % 4) + data +
            b"\0" * (-len(data) % 4))


TRAILER = member("TRAILER!!!", 0)


class File:
    """As the header lists it; path is split at its last slash."""

    def __init__(self, path, mode=0o100644, data=b"", **more):
        self.path, self.mode, self.data = path, mode, data
        self.size = more.pop("size", len(data))
        self.flags = more.pop("flags", 0)
        self.link = more.pop("link", "")
        self.digest = more.pop("digest", None)
        self.inode = more.pop("inode", None)
        self.user = more.pop("user", "root")
        self.rdev = more.pop("rdev", 0)
        self.base = more.pop("base", None)
        self.directory = more.pop("directory", None)
        self.name = more.pop("name", None)		# in the cpio
        self.is_packed = more.pop("is_packed", not self.flags & 0x40)
        assert not more


class Rpm:
    """The usual package; a case changes what it likes, then it is written."""

    def __init__(self, name):
        self.name = name
        self.files = self.usual_files()
        self.prefix = "."
        self.extra = b""		# members of the cpio that no file is
        self.trailer = TRAILER
        self.set = {}			# entries of the main header
        self.drop = set()
        self.sign = {}			# of the signature header
        self.unsign = set()
        self.order = None		# of the index, not of the data
        self.doubled = []
        self.shuffle = self.sign_shuffle = False	# the order of tags
        self.provides = [(name, 8, "0.3.4-1")]
        self.depends = {}		# tag of the names: [(name, flags, version)]
        self.pack = gzip_of
        self.spoil = None		# (digest tag, value)

    def usual_files(self):
        top = f"/usr/share/{self.name}"
        return [File(top, 0o040755),
                File(top + "/data", data=b"some bytes\n"),
                File(top + "/link", 0o120777, b"data", link="data")]

    # ------------------------------------------------- the main header

    def file_entries(self):
        f = self.files
        if not f:
            return {}
        split = [(x.directory if x.directory is not None
                  else x.path.rpartition("/")[0] + "/",
                  x.base if x.base is not None else x.path.rpartition("/")[2])
                 for x in f]
        dirs = list(dict.fromkeys(d for d, _ in split))
        return {
            1028: numbers(INT32, *(x.size for x in f)),
            1030: numbers(INT16, *(x.mode for x in f)),
            1033: numbers(INT16, *(x.rdev for x in f)),
            1034: numbers(INT32, *(1700000000 for x in f)),
            1035: strings(*(digest_of(x) for x in f)),
            1036: strings(*(x.link for x in f)),
            1037: numbers(INT32, *(x.flags for x in f)),
            1039: strings(*(x.user for x in f)),
            1040: strings(*("root" for x in f)),
            1045: numbers(INT32, *(0xffffffff for x in f)),
            1095: numbers(INT32, *(1 for x in f)),
            1096: numbers(INT32, *(x.inode or i + 1
                                   for i, x in enumerate(f))),
            1097: strings(*("" for x in f)),
            1116: numbers(INT32, *(dirs.index(d) for d, _ in split)),
            1117: strings(*(b for _, b in split)),
            1118: strings(*dirs),
        }

    def depend_entries(self):
        companions = {1047: (1112, 1113), 1049: (1048, 1050),
                      1054: (1053, 1055), 1090: (1114, 1115),
                      5046: (5048, 5047), 5049: (5051, 5050),
                      5052: (5054, 5053), 5055: (5057, 5056),
                      5035: (5037, 5036), 1156: (1158, 1157),
                      1159: (1161, 1160)}
        entries = {}
        for tag, items in {**self.depends, 1047: self.provides}.items():
            flags, versions = companions[tag]
            if items:
                entries[tag] = strings(*(n for n, _, _ in items))
                entries[flags] = numbers(INT32, *(f for _, f, _ in items))
                entries[versions] = strings(*(v for _, _, v in items))
        return entries

    def main_entries(self, payload):
        size = sum(x.size for x in self.files)
        entries = {
            100: strings("C"), 1000: string(self.name),
            1001: string("0.3.4"), 1002: string("1"),
            1004: strings("A case", kind=I18N),
            1005: strings("A case.", kind=I18N),
            1006: numbers(INT32, 1700000000),
            1007: string("build.example.org"),
            1009: numbers(INT32, size & 0xffffffff), 1014: string("MIT"),
            1016: strings("Unspecified", kind=I18N), 1021: string("linux"),
            1022: string("x86_64"),
            1044: string(self.name + "-0.3.4-1.src.rpm"),
            1064: string("4.18.0"), 1124: string("cpio"),
            1125: string("gzip"), 1126: string("9"),
            5011: numbers(INT32, 8), 5062: string("utf-8"),
            5092: strings(hashlib.sha256(payload).hexdigest()),
            5093: numbers(INT32, 8),
        }
        entries.update(self.file_entries())
        entries.update(self.depend_entries())
        entries.update(self.set)
        return sorted([(t, v) for t, v in entries.items()
                       if t not in self.drop] + self.doubled,
                      key=lambda item: item[0])

    # ----------------------------------------------------- all of it

    def cpio(self):
        out = b""
        for i, f in enumerate(self.files):
            if f.is_packed:
                name = f.name if f.name is not None else self.prefix + f.path
                out += member(name, f.mode, f.data,
                              inode=f.inode or i + 1)
        return out + self.extra + self.trailer

    def sign_entries(self, main, payload):
        entries = {
            269: string(hashlib.sha1(main).hexdigest()),
            273: string(hashlib.sha256(main).hexdigest()),
            1000: numbers(INT32, len(main) + len(payload)),
            1004: (BIN, 16, hashlib.md5(main + payload).digest()),
            1007: numbers(INT32, len(self.cpio())),
            1008: (BIN, 4128, bytes(4128)),
        }
        entries.update(self.sign)
        return sorted((t, v) for t, v in entries.items()
                      if t not in self.unsign)

    def write(self, path):
        payload = self.pack(self.cpio())
        main = header(mixed(self.main_entries(payload), self.shuffle), 63,
                      self.order)
        signature = header(mixed(self.sign_entries(main, payload),
                                 self.sign_shuffle), 62)
        lead = (b"\xed\xab\xee\xdb\3\0\0\0\0\1" +
                self.name.encode()[:65].ljust(66, b"\0") + b"\0\1\0\5" +
                bytes(16))
        path.write_bytes(lead + signature + b"\0" * (-len(signature) % 8) +
                         main + payload)


def mixed(entries, is_mixed):
    return entries[1::2] + entries[::2] if is_mixed else entries


def gzip_of(data):
    return gzip.compress(data, 1, mtime=0)


def digest_of(f):
    if f.digest is not None:
        return f.digest
    if f.mode & 0o170000 != 0o100000 or f.flags & 0x40:
        return ""
    return hashlib.sha256(f.data).hexdigest()


# --------------------------------------------------------------- the cases

CASES = {}


def case(name, change):
    assert name not in CASES, name
    CASES[name] = change


def known_tags():
    """{tag: type} of rpm's own table, without those of regions."""
    rpm = ctypes.CDLL("librpm.so.9")
    return {tag: rpm.rpmTagGetTagType(tag) for tag in range(100, 6000)
            if rpm.rpmTagGetTagType(tag) != 0}


def value_of(kind, count):
    if kind in TEXT:
        return strings(*("0" for _ in range(count)), kind=kind)
    return (kind, count, bytes(SIZE[kind] * count))


def kinds_of(tag, right, is_usual):
    """Other types for a tag: all classes where rpm reads the tag, else two."""
    others = [k for k in (*TEXT, BIN, INT32, tag % 11) if k != right]
    if right not in TEXT:
        others = [k for k in others if k not in (STRINGS, I18N)]
    return set(others if is_usual or tag in UNPACKING else
               (others[tag % len(others)], others[(tag + 1) % len(others)]))


def cases_of_types():
    """Every tag with other types, and with none, one and four items."""
    usual = dict(Rpm("usual").main_entries(b""))
    for tag, right in known_tags().items():
        n = usual[tag][1] if tag in usual else 1
        for kind in kinds_of(tag, right, tag in usual):
            value = (kind, n, usual[tag][2] if tag in usual else bytes(8))
            if right not in TEXT and kind in TEXT:
                value = value_of(kind, n)
            elif tag not in usual and 0 < kind < 10:
                value = value_of(kind, n)
            case(f"type-{tag}-{kind}", lambda r, t=tag, v=value:
                 r.set.update({t: v}))
        if tag in usual or tag % 5 == 0:
            case(f"count-{tag}-0", lambda r, t=tag, k=right, u=usual:
                 r.set.update({t: (k, 0, u[t][2] if t in u else bytes(8))}))
        for count in (1, 4):
            if right == STRING and count > 1:
                value = (STRING, count, b"0\0" * count)
            else:
                value = value_of(right, count)
            if tag in usual and usual[tag][1] == count:
                continue
            case(f"count-{tag}-{count}", lambda r, t=tag, v=value:
                 r.set.update({t: v}))
        if tag in usual:
            case(f"none-{tag}", lambda r, t=tag: r.drop.add(t))


def cases_of_order():
    case("order-reversed", lambda r: setattr(r, "order", lambda v: v[::-1]))
    # the index is not sorted, the data are in its order
    case("order-of-tags", lambda r: setattr(r, "shuffle", True))
    case("order-of-tags-sign", lambda r: setattr(r, "sign_shuffle", True))
    case("order-swapped", lambda r: setattr(
        r, "order", lambda v: v[:3] + [v[4], v[3]] + v[5:]))
    for tag in (1000, 1004, 1014, 1022, 1117, 1047):
        case(f"twice-{tag}", lambda r, t=tag: r.doubled.append(
            (t, dict(r.main_entries(b""))[t])))
    case("unknown-tag", lambda r: r.set.update({9999: string("x")}))
    case("low-tag", lambda r: r.set.update({64: string("x")}))
    case("tag-101", lambda r: r.set.update({101: string("x")}))


RICH = """
(one or two)|(one and two and one)|(one if two)|(one if two else one)
(one unless nothing)|(one unless nothing else two)|(one with one)
(one without nothing)|((one or two) and (two or one))|(one)|(nothing or one)
(one >= 0.3 and two < 9)|((one))|( one or two )|(one  or  two)|(one,or,two)
(one or (two if (one and two)))|(a(b) or one)|(one(x) or one)
(one = 0:0.3.4-1 or nothing)|(one or two)x|(one or two) |(one or two|one or two)
()|( )|(one or)|(or one)|(one two)|(one foo two)|(one and two or one)
(one if two if one)|(one >= or two)|(one >= )|(one ~ 1 or two)|((one or two)
(one or two))|(one else two)|(one with (two and one))|(one with (two or one))
(one with (two if one))|(one without (two and one))|(one without one without two)
((one if two) or two)|((one if two) and two)|((one unless two) and two)
((one unless nothing) or two)|(one if (two or one))|(one if (two and one))
(one unless (two and one))|(one and (two if one))|(one or (two if one))
(one => 0.1 or two)|(one == 0.3.4-1 or two)|(one or two and)|(one OR two)
(one < > 2 or two)|(one or\\two)
(one or two)(one or two)|(,one or two)|((((((((one))))))))
""".split("\n")


def cases_of_rich():
    items = [x for line in RICH if line for x in line.split("|")]
    for i, text in enumerate(items):
        for tag in (1049, 1054, 5046, 5052, 1047, 1090):
            if tag != 1049 and i % 3:
                continue
            case(f"rich-{tag}-{i}", lambda r, t=tag, x=text:
                 add_depend(r, t, x, 0, ""))
    for i, text in enumerate(("(one or two\t)", "(one\tor two)")):
        case(f"rich-tab-{i}", lambda r, x=text: add_depend(r, 1049, x, 0, ""))
    deep = "(" * 60 + "one" + ")" * 60
    case("rich-deep", lambda r: add_depend(r, 1049, deep, 0, ""))
    case("rich-versioned", lambda r: add_depend(r, 1049, "(one or two)", 8,
                                                "1"))


def add_depend(r, tag, name, flags, version):
    if tag == 1047:
        r.provides.append((name, flags, version))
    else:
        r.depends.setdefault(tag, []).append((name, flags, version))


def cases_of_depends():
    odd = {"control": "x\1y", "newline": "x\ny", "tab": "x\ty", "blank": "x y",
           "empty": "", "delete": "x\x7fy", "utf8": "x\u00e9", "latin": b"x\xe9",
           "c1": "x\u0085y", "fffe": "x\ufffey", "comma": "x,y", "comparison":
           "x>=1", "paren": "x(y", "close": "x)", "slash": "/x", "dash": "-x",
           "percent": "%{x}", "escape": "x\x1b[31m", "bang": "!x", "at": "@x",
           "cr": "x\ry", "trailing": "x ", "surrogate": b"x\xed\xa0\x80"}
    for word, name in odd.items():
        for tag in (1047, 1090, 5046):
            case(f"name-{word}-{tag}", lambda r, t=tag, n=name:
                 add_depend(r, t, n, 0, ""))
        case(f"both-{word}", lambda r, n=name: (
            add_depend(r, 1047, n, 0, ""), add_depend(r, 1049, n, 0, "")))
    versions = ["", "1", "1-2", "1:1-2", "x:1", ":1", "1:", "1:-2", "1-", "-1",
                "1-2-3", "1 2", "1_2", "1/2", "1:2:3", "4294967295:1",
                "4294967296:1", "99999999999999999999:1", "0x1:1", "-1:1",
                "1\1", "1\n", "1~rc1", "1^git", "1+b", "%1", "1\u00e9",
                "()", "1,2", "a", "-", ":", "~", "1\x7f"]
    for i, version in enumerate(versions):
        case(f"version-{i}-provided", lambda r, v=version:
             add_depend(r, 1047, "x-" + r.name, 8, v))
        case(f"version-{i}-conflict", lambda r, v=version:
             add_depend(r, 1054, "x-" + r.name, 2, v))
        case(f"version-{i}-without", lambda r, v=version:
             add_depend(r, 1047, "x-" + r.name, 0, v))
        case(f"version-{i}-both", lambda r, v=version: (
            add_depend(r, 1047, "x-" + r.name, 8, v),
            add_depend(r, 1049, "x-" + r.name, 8, v)))
    for bit in list(range(32)):
        case(f"sense-{bit}", lambda r, b=bit:
             add_depend(r, 1049, "one", 1 << b, "0.1"))
    for flags in range(0, 16, 2):
        case(f"compare-{flags}", lambda r, f=flags:
             add_depend(r, 1047, "x-" + r.name, f, "1"))
        case(f"compare-{flags}-required", lambda r, f=flags: (
             add_depend(r, 1047, "x-" + r.name, 8, "1"),
             add_depend(r, 1049, "x-" + r.name, f, "1")))
    case("rpmlib-known", lambda r: add_depend(
        r, 1049, "rpmlib(CompressedFileNames)", 0x100000a, "3.0.4-1"))
    case("rpmlib-unknown", lambda r: add_depend(
        r, 1049, "rpmlib(NoSuchThing)", 0x100000a, "3.0.4-1"))
    case("rpmlib-unflagged", lambda r: add_depend(
        r, 1049, "rpmlib(NoSuchThing)", 10, "1"))
    case("rpmlib-newer", lambda r: add_depend(
        r, 1049, "rpmlib(CompressedFileNames)", 0x100000a, "99"))
    case("rpmlib-missing-ok", lambda r: add_depend(
        r, 1049, "rpmlib(NoSuchThing)", 0x108000a, "1"))
    case("no-provides", lambda r: r.provides.clear())
    case("provides-one", lambda r: r.provides.extend(
        (name, 8, "0.3.4-1") for name in ("one", "two")))
    for name in ("FileDigests)", "FileDigest)", "FileDigests", "FileDigests))",
                 "ShortCircuited)", "LargeFiles)", ")"):
        for flags in (0x100000a, 0x1000008, 0x1000000, 0x108000a, 10):
            case(f"rpmlib-{name.translate({41: 'c'}).lower()}-{flags:x}",
                 lambda r, n=name, f=flags: add_depend(
                     r, 1049, f"rpmlib({n}", f, "4.12.0-1"))
    for i, version in enumerate(("", "4.6.0", "4.6.0-1", "4.6.0-2", "4.6",
                                 "4.6.0-", "1:4.6.0-1", "0:4.6.0-1", "5")):
        for flags in (2, 4, 8, 10, 12):
            case(f"rpmlib-version-{i}-{flags}",
                 lambda r, v=version, f=flags: add_depend(
                     r, 1049, "rpmlib(FileDigests)", 1 << 24 | f, v))
    case("itself-conflicts", lambda r: add_depend(r, 1054, r.name, 0, ""))
    case("itself-obsoletes", lambda r: add_depend(r, 1090, r.name, 0, ""))


def cases_of_text():
    texts = {"control": "x\1y", "escape": "x\x1by", "newline": "x\ny",
             "latin": b"x\xe9", "empty": "", "fffe": "x\ufffe", "utf8":
             "\u20ac", "colon": "a:b", "slash": "a/b", "dots": "..", "blank":
             "a b", "dash": "-a", "long": "x" * 300, "tilde": "~", "at": "a@b"}
    for word, text in texts.items():
        for tag in (1000, 1001, 1002, 1004, 1007, 1011, 1014, 1016, 1020, 1021,
                    1022, 1044, 1064, 1124, 1125, 1126, 1132, 5062):
            kind = I18N if tag in (1004, 1016) else STRING
            case(f"text-{tag}-{word}", lambda r, t=tag, x=text, k=kind:
                 r.set.update({t: strings(x, kind=k)}))
    for arch in ("i386", "aarch64", "noarch", "sparc"):
        case(f"arch-{arch}", lambda r, a=arch: r.set.update({1022: string(a)}))
    for os_name in ("Linux", "hpux", "LINUX"):
        case(f"os-{os_name}", lambda r, o=os_name:
             r.set.update({1021: string(o)}))
    case("epoch", lambda r: r.set.update({1003: numbers(INT32, 7)}))
    case("epoch-largest", lambda r: r.set.update(
        {1003: numbers(INT32, 0xffffffff)}))
    case("no-source", lambda r: r.drop.add(1044))
    case("source", lambda r: r.set.update({1106: numbers(INT32, 1)}))
    case("encoding", lambda r: r.set.update({5062: string("latin-1")}))


def cases_of_files():
    def add(r, *more, **how):
        r.files.append(File(*more, **how))
        r.files.sort(key=lambda f: f.path)
    for kind in range(16):
        for bits in (0o644, 0o7777):
            case(f"mode-{kind}-{bits:o}", lambda r, m=kind << 12 | bits: add(
                r, f"/usr/share/{r.name}/mode", m,
                b"data" if m >> 12 == 10 else b"",
                link="data" if m >> 12 == 10 else "", rdev=0x10a))
    # null, which rpm 4.18.0 can open, as it does with what it has made
    case("device", lambda r: add(r, f"/usr/share/{r.name}/null", 0o020666,
                                 rdev=0x103))
    for bit in range(32):
        case(f"flag-{bit}", lambda r, b=bit: add(
            r, f"/usr/share/{r.name}/flag", data=b"x", flags=1 << b))
    case("ghost-packed", lambda r: add(
        r, f"/usr/share/{r.name}/ghost", data=b"x", flags=64, is_packed=True))
    for word, base in {"control": "x\1", "newline": "x\n", "tab": "x\t",
                       "blank": "x y", "latin": b"x\xe9", "utf8": "\u20ac",
                       "empty": "", "dot": ".", "dots": "..", "slash": "a/b",
                       "long": "x" * 256, "escape": "\x1b", "delete": "\x7f",
                       "fffe": "\ufffe", "backslash": "\\", "glob": "*",
                       "percent": "%s", "c1": "\u0085", "quote": "\"'<&>",
                       "dash": "-x"}.items():
        def change(r, b=base):
            raw = b if isinstance(b, bytes) else b.encode()
            top = f"/usr/share/{r.name}/"
            add(r, top + "zz", data=b"x", base=b,
                name=b"." + top.encode() + raw)
        case(f"base-{word}", change)
    for word, tail in {"control": "x\1/", "no-end": "x", "double": "x//",
                       "dots": "../", "dot": "./", "blank": "x y/",
                       "newline": "x\n/", "latin": b"x\xe9/"}.items():
        def change(r, t=tail):
            raw = t if isinstance(t, bytes) else t.encode()
            where = f"/usr/share/{r.name}/".encode() + raw
            add(r, f"/usr/share/{r.name}/zz", data=b"x", base="zz",
                directory=where, name=b"." + where + b"zz")
        case(f"directory-{word}", change)
    for word, where in {"relative": "usr/share/judge/", "empty": "",
                        "root": "/", "double": "//usr/share/judge/",
                        "climbs": "/../judge/"}.items():
        case(f"top-{word}", lambda r, w=where: add(
            r, f"/usr/share/{r.name}/zz", data=b"x", base="f-" + r.name,
            directory=w, name="." + w + "f-" + r.name))
    for word, link in {"absolute": "/etc/passwd", "climbs": "../../../../x",
                       "empty": "", "control": "x\1", "long": "y" * 4096,
                       "latin": b"\xe9", "newline": "x\n"}.items():
        case(f"link-{word}", lambda r, t=link: add(
            r, f"/usr/share/{r.name}/zz", 0o120777,
            t if isinstance(t, bytes) else t.encode(), link=t))
    case("link-other", lambda r: add(r, f"/usr/share/{r.name}/zz", 0o120777,
                                     b"this", link="that"))
    case("link-size", lambda r: add(r, f"/usr/share/{r.name}/zz", 0o120777,
                                    b"this", link="this", size=3))
    case("link-larger", lambda r: add(r, f"/usr/share/{r.name}/zz", 0o120777,
                                      b"this", link="this", size=9))
    for word, user in {"control": "x\1", "empty": "", "nobody": "no-such-user",
                       "blank": "a b", "number": "1000", "latin": b"\xe9"
                       }.items():
        case(f"user-{word}", lambda r, u=user: add(
            r, f"/usr/share/{r.name}/zz", data=b"x", user=u))
    for word, size in {"less": 3, "more": 300, "none": 0}.items():
        case(f"size-{word}", lambda r, s=size: add(
            r, f"/usr/share/{r.name}/zz", data=b"12345", size=s))
    for word, digest in {"none": "", "short": "ab", "md5": "0" * 32, "wrong":
                         "0" * 64, "no-hex": "g" * 64, "upper": hashlib.sha256(
                             b"12345").hexdigest().upper()}.items():
        case(f"digest-{word}", lambda r, d=digest: add(
            r, f"/usr/share/{r.name}/zz", data=b"12345", digest=d))
    case("digest-of-directory", lambda r: setattr(
        r.files[0], "digest", "0" * 64))
    for algorithm, name in {1: "md5", 2: "sha1", 9: "sha384", 10: "sha512",
                            11: "sha224", 99: "md5"}.items():
        def change(r, a=algorithm, n=name):
            r.set[5011] = numbers(INT32, a)
            r.files[1].digest = hashlib.new(n, r.files[1].data).hexdigest()
        case(f"file-algorithm-{algorithm}", change)

    def without_algorithm(r):
        r.drop.add(5011)
        r.files[1].digest = hashlib.md5(r.files[1].data).hexdigest()
    case("file-algorithm-none", without_algorithm)
    case("twice-a-file", lambda r: r.files.append(
        File(r.files[1].path, data=r.files[1].data, is_packed=False)))
    case("twice-a-file-packed", lambda r: r.files.append(
        File(r.files[1].path, data=r.files[1].data)))
    case("unsorted-files", lambda r: r.files.reverse())
    case("below-a-file", lambda r: add(
        r, f"/usr/share/{r.name}/data/x", data=b"x"))
    case("file-on-link", lambda r: add(
        r, f"/usr/share/{r.name}/link/x", data=b"x"))

    def hard(r, packed, inode=77, size=5):
        top = f"/usr/share/{r.name}/"
        r.files += [File(top + "m1", data=b"", inode=inode, size=size,
                         digest=hashlib.sha256(b"12345").hexdigest()),
                    File(top + "m2", data=b"12345", inode=inode,
                         is_packed=packed)]
    case("hard-links", lambda r: hard(r, True))
    case("hard-link-missing", lambda r: hard(r, False))
    case("hard-link-empty", lambda r: hard(r, True, size=0))
    case("no-files", lambda r: r.files.clear())
    case("index-beyond", lambda r: r.set.update(
        {1116: numbers(INT32, 0, 1, 99)}))
    case("index-same", lambda r: r.set.update(
        {1116: numbers(INT32, 0, 0, 0)}))
    case("long-sizes-too", lambda r: r.set.update(
        {5008: numbers(INT64, *(f.size for f in r.files))}))

    def long_sizes(r):
        r.set[5008] = numbers(INT64, *(f.size for f in r.files))
        r.drop.add(1028)
    case("long-sizes", long_sizes)
    case("old-names", lambda r: r.set.update(
        {1027: strings(*(f.path for f in r.files))}))


def cases_of_payload():
    for word, prefix in {"none": "", "double": "./.", "slashes": "/",
                         "two": "./"}.items():
        case(f"prefix-{word}", lambda r, p=prefix: setattr(r, "prefix", p))

    def bare(r):
        for f in r.files:
            f.name = f.path[1:]
    case("prefix-bare", bare)
    case("unlisted", lambda r: setattr(r, "extra", member(
        "./usr/share/unlisted", 0o100644, b"x")))
    case("unlisted-climbs", lambda r: setattr(r, "extra", member(
        "../../unlisted", 0o100644, b"x")))
    case("missing", lambda r: setattr(r.files[1], "is_packed", False))
    case("missing-directory", lambda r: setattr(r.files[0], "is_packed", False))
    case("no-trailer", lambda r: setattr(r, "trailer", b""))
    case("after-trailer", lambda r: setattr(r, "trailer", TRAILER + b"more"))
    case("zeros-after", lambda r: setattr(r, "trailer", TRAILER + bytes(400)))
    case("no-cpio", lambda r: setattr(r, "cpio", lambda: b"no cpio"))
    case("empty-payload", lambda r: setattr(r, "cpio", lambda: b""))
    case("crc-magic", lambda r: setattr(r, "cpio", lambda c=r.cpio:
                                        c().replace(b"070701", b"070702")))
    case("not-packed", lambda r: setattr(r, "pack", bytes))
    case("two-gzips", lambda r: setattr(r, "pack", lambda d:
                                        gzip_of(d[:200]) + gzip_of(d[200:])))
    case("cut-gzip", lambda r: setattr(r, "pack", lambda d: gzip_of(d)[:-9]))
    case("junk-after-gzip", lambda r: setattr(r, "pack", lambda d:
                                              gzip_of(d) + b"junk"))
    case("zeros-after-gzip", lambda r: setattr(r, "pack", lambda d:
                                               gzip_of(d) + bytes(64)))
    case("other-mode", lambda r: setattr(r, "cpio", lambda c=r.cpio: c().replace(
        b"000081a4", b"000081ff")))
    case("other-kind", lambda r: setattr(r, "cpio", lambda c=r.cpio: c().replace(
        b"000081a4", b"0000a1a4")))


def cases_of_digests():
    def alternative(r, word, primary=None):
        cpio = r.cpio()
        value = {"unpacked": cpio, "packed": r.pack(cpio)}.get(word)
        text = (hashlib.sha256(value).hexdigest() if value is not None else
                word)
        r.set[5097] = strings(text)
        if primary == "none":
            r.drop.add(5092)
        elif primary is not None:
            r.set[5092] = strings(primary)
    wrong = "0" * 64
    for word in ("unpacked", "packed", wrong, "no hex", ""):
        for primary in (None, wrong, "none"):
            label = {wrong: "wrong", "": "empty"}.get(word, word).replace(
                " ", "-")
            how = {wrong: "wrong", None: "right"}.get(primary, primary)
            case(f"alternative-{label}-{how}", lambda r, w=word, p=primary:
                 alternative(r, w, p))
    case("payload-digest-upper", lambda r: r.set.update({5092: strings(
        hashlib.sha256(r.pack(r.cpio())).hexdigest().upper())}))
    case("payload-digest-twice", lambda r: r.set.update({5092: strings(
        hashlib.sha256(r.pack(r.cpio())).hexdigest(), wrong)}))
    case("payload-digest-absent", lambda r: r.drop.update({5092, 5093}))
    for algorithm, name in {2: "sha1", 9: "sha384", 10: "sha512", 8: "sha512",
                            99: "sha256", 0: "sha256", 1: "md5"}.items():
        case(f"payload-algorithm-{algorithm}-{name}",
             lambda r, a=algorithm, n=name: r.set.update({
                 5092: strings(hashlib.new(n, r.pack(r.cpio())).hexdigest()),
                 5093: numbers(INT32, a)}))


def cases_of_signatures():
    """The signature header, of packages that are not signed."""
    for tag in (257, 259, 261, 262, 264, 266, 267, 268, 269, 270, 271, 273, 274,
                275, 276, 277, 278, 279, 999, 1000, 1001, 1002, 1003, 1004,
                1005, 1006, 1007, 1008, 1009, 5000):
        for kind in (INT32, INT64, STRING, BIN, STRINGS):
            case(f"sign-{tag}-{kind}", lambda r, t=tag, k=kind:
                 r.sign.update({t: value_of(k, 1)}))
        case(f"unsign-{tag}", lambda r, t=tag: r.unsign.add(t))
    case("sign-md5-wrong", lambda r: r.sign.update({1004: (BIN, 16, bytes(16))}))
    case("sign-size-wrong", lambda r: r.sign.update({1000: numbers(INT32, 9)}))
    case("sign-archive-wrong", lambda r: r.sign.update(
        {1007: numbers(INT32, 9)}))
    case("sign-sha1-wrong", lambda r: r.sign.update({269: string("0" * 40)}))
    case("sign-sha256-wrong", lambda r: r.sign.update({273: string("0" * 64)}))
    case("sign-sha3-wrong", lambda r: r.sign.update({279: string("0" * 64)}))
    case("sign-no-digest", lambda r: r.unsign.update({269, 273, 1004}))
    case("sign-md5-alone", lambda r: r.unsign.update({269, 273}))
    case("sign-sha1-alone", lambda r: r.unsign.update({273}))
    case("sign-reserved-9000", lambda r: r.sign.update(
        {1008: (BIN, 9000, bytes(9000))}))
    case("sign-reserved-full", lambda r: r.sign.update(
        {1008: (BIN, 4128, b"x" * 4128)}))
    case("sign-no-reserve", lambda r: r.unsign.add(1008))
    case("sign-ima", lambda r: r.sign.update({
        274: strings(*("03" * 300 for _ in range(3))),
        275: numbers(INT32, 300)}))
    case("sign-ima-large", lambda r: r.sign.update({
        274: strings(*("03" * 4000 for _ in range(3))),
        275: numbers(INT32, 4000)}))
    case("archive-size-in-main", lambda r: (
        r.set.update({1046: numbers(INT32, 9)}), r.unsign.add(1007)))


def all_cases():
    cases_of_types()
    cases_of_order()
    cases_of_rich()
    cases_of_depends()
    cases_of_text()
    cases_of_files()
    cases_of_payload()
    cases_of_digests()
    cases_of_signatures()


def main():
    verb, *arguments = sys.argv[1:]
    if verb == "make":
        where = pathlib.Path(arguments[0])
        all_cases()
        for name, change in CASES.items():
            r = Rpm("judge-" + name)
            change(r)
            r.write(where / f"{r.name}.rpm")
        return
    ask(pathlib.Path(arguments[0]).absolute(), arguments[1])


# ---------------------------------------------------------------- asking rpm


# Nothing of these is unpacked, so that they are asked of without that: of
# devices, which not everybody can make; of fifos, for which rpm 4.18.0 waits
# until somebody writes to them.
UNPACKED_ALIKE = ("judge-type-", "judge-count-", "judge-none-", "judge-sense-",
                  "judge-rich-", "judge-version-", "judge-compare-",
                  "judge-text-", "judge-name-", "judge-both-",
                  "judge-mode-1-", "judge-mode-2-", "judge-mode-6-",
                  "judge-device")
# Tags of files, and what else the unpacking looks at.
UNPACKING = {*range(1027, 1046), *range(1095, 1099), *range(1116, 1127),
             *range(1140, 1150), *range(5007, 5012), 5045, *range(5090, 5100)}


def is_test(name):
    """Will rpm's --test do?"""
    words = name.split("-")
    return name.startswith(UNPACKED_ALIKE) and (
        words[1] in ("mode", "device") or not (words[2].isdigit() and
                                   int(words[2]) in UNPACKING))


NAMES_OF_DEPENDS = (1047, 1049, 1054, 1090, 5035, 5046, 5049, 5052, 5055)


def is_rich(rpm, lib, name):
    """By rpm's own parser, which librpm has for itself."""
    ds = ctypes.c_void_p(lib.rpmdsSingle(1049, name, b"", 0))
    parts = [ctypes.c_void_p() for _ in range(4)]
    failed = lib.rpmdsParseRichDep(ds, *(ctypes.byref(p) for p in parts))
    return failed == rpm.RPMRC_OK


def ask_depends(rpm, lib, ts, h):
    """What is refused wherever: a dependency is not written as it must be, or
    it is one that rpm itself does not meet. Others may be met elsewhere."""
    for tag in NAMES_OF_DEPENDS:
        for name in h[tag] or []:
            name = name.encode("utf-8", "surrogateescape")
            if name.startswith(b"(") and not is_rich(rpm, lib, name):
                return name
    ts.addInstall(h, "", "i")
    wanted = {n for n, f in zip(h[1049] or [], h[1048] or [])
              if f & rpm.RPMSENSE_RPMLIB}
    problem = next((p for p in ts.check() or [] if p[1][0] in wanted), None)
    ts.clear()
    return problem


def ask_one(rpm, lib, ts, path):
    """None, or the step at which rpm refuses the package."""
    ts.clear()
    fd = os.open(path, os.O_RDONLY)
    try:
        h = ts.hdrFromFdno(fd)
    except rpm.error as error:
        return f"read: {error}"
    finally:
        os.close(fd)

    def opened(reason, amount, total, key, data):
        if reason == rpm.RPMCALLBACK_INST_OPEN_FILE:
            opened.fd = os.open(key, os.O_RDONLY)
            return opened.fd
        if reason == rpm.RPMCALLBACK_INST_CLOSE_FILE:
            os.close(opened.fd)
        return None

    ts.setFlags(rpm.RPMTRANS_FLAG_NOSCRIPTS | rpm.RPMTRANS_FLAG_NOTRIGGERS |
                (rpm.RPMTRANS_FLAG_TEST if is_test(pathlib.Path(path).stem)
                 else 0))
    # another machine may be of that architecture
    ts.setProbFilter(rpm.RPMPROB_FILTER_IGNOREARCH)
    try:
        problem = ask_depends(rpm, lib, ts, h)
        if problem is not None:
            return f"depends: {problem}"
        ts.addInstall(h, path, "i")
    except rpm.error as error:
        return f"add: {error}"
    ts.order()
    problems = ts.run(opened, None)
    if problems is not None:
        return f"install: {problems}"
    return None


def ask_some(paths, root):
    import rpm
    answers = open("/dev/stdout", "w", encoding="utf-8", errors="replace")
    rpm.addMacro("_flush_io", "0")
    rpm.addMacro("_dbpath", "/rpmdb")
    log = open("/dev/null", "w", encoding="utf-8")
    rpm.setLogFile(log)
    lib = ctypes.CDLL("librpm.so.9")
    lib.rpmdsSingle.restype = ctypes.c_void_p
    ts = rpm.TransactionSet(root)
    for path in paths:
        print(path.stem, end="\t", file=answers, flush=True)
        print(ask_one(rpm, lib, ts, str(path)) or "ok", file=answers,
              flush=True)


def ask(where, root):
    paths = sorted(where.glob("*.rpm"))
    # librpm takes "/" for a root that is no whole path
    root = os.path.abspath(root)
    n = 0
    while paths:
        # What kills librpm is refused, too; the rest is asked of another, with
        # a root of its own: the first may have locks, or a part of a package.
        n += 1
        below = os.path.join(root, str(n))
        os.makedirs(below)
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.dup2(write, 1)
            os.close(read)
            try:
                ask_some(paths, below)
                sys.stdout.flush()
                os._exit(0)
            finally:
                os._exit(1)
        os.close(write)
        lines = os.fdopen(read, encoding="utf-8", errors="replace").read()
        _, status = os.waitpid(pid, 0)
        done = lines.count("\n")
        sys.stdout.write(lines)
        if os.WIFSIGNALED(status):
            print(f"killed: {os.WTERMSIG(status)}")
            done += 1
        elif status:
            sys.exit("cannot ask librpm")
        paths = paths[done:]


if __name__ == "__main__":
    main()
