#!/usr/bin/python3
"""Compares two repodata directories, ours and createrepo_c's.

    repodata_compare.py [--same-times] OURS THEIRS

Each must first be right in itself: repomd.xml's digests and sizes are those
of its files, and packages="N" is the number of packages. Then primary,
filelists and other are compared package by package, element by element, with
attributes, text and order. --same-times: the files have the times that ours
was published with, so <time file> must be equal too.

Prints each difference. Exit status 1 at any that is not in the table below,
and where nothing was compared.
"""

import argparse
import collections
import gzip
import hashlib
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

# Differences that are meant: name, and why. is_meant has their conditions.
MEANT = {
    "time": "<time file> is the date of publication: a copy of the "
            "repository has other file times, and is the same repository",
    "archive": "a v6 package says the size of its payload in the main "
               "header only, where createrepo_c does not look: 0",
    "control": "createrepo_c leaves out a package with control characters, "
               "we leave out the characters",
    "pre": "createrepo_c 1.2 says pre for what %pretrans and %posttrans need, "
           "as we do; 0.17 does not",
    "database": "the SQLite copies are for yum of Enterprise Linux 7",
    "order": "packages come in an order of our own; no client asks for one",
}
# The packages that hold characters which no XML can: see tests/e2e/rpms.
WITH_CONTROL = {"odd-control"}

# Dependencies of these kinds and no other: see tests/e2e/rpms.
AROUND_TRANSACTIONS = {"in-pretrans", "in-posttrans"}

LISTS = ("primary", "filelists", "other")
REPO = "{http://linux.duke.edu/metadata/repo}"


class Result:
    """What was found: how much, and how much of it is wrong."""

    def __init__(self):
        self.bad = 0
        self.packages = 0
        self.elements = 0
        self.meant = collections.Counter()

    def wrong(self, where, what):
        self.bad += 1
        print(f"{where}: {what}")

    def meant_to(self, name):
        self.meant[name] += 1


def local(tag):
    """The name of an element without its namespace."""
    return tag.rpartition("}")[2]


# ------------------------------------------------------------ one repodata


def child_text(element, name):
    child = element.find(REPO + name)
    return None if child is None else child.text


def open_list(path):
    data = path.read_bytes()
    return data, gzip.decompress(data) if path.suffix == ".gz" else data


def check_data(directory, element, result):
    """One <data> of repomd.xml against its file; returns what is in it."""
    where = f"{directory}: {element.get('type')}"
    href = element.find(REPO + "location").get("href")
    if not href.startswith("repodata/"):
        result.wrong(where, f"lies at '{href}'")
    packed, plain = open_list(directory / pathlib.PurePath(href).name)
    for name, data in (("checksum", packed), ("open-checksum", plain)):
        kind = element.find(REPO + name)
        digest = hashlib.sha256(data).hexdigest()
        if kind is None or kind.get("type") != "sha256":
            result.wrong(where, f"no {name} of type sha256")
        elif kind.text != digest:
            result.wrong(where, f"{name} is {kind.text}, the file's {digest}")
    for name, data in (("size", packed), ("open-size", plain)):
        if child_text(element, name) != str(len(data)):
            result.wrong(where, f"{name} is {child_text(element, name)}, "
                         f"the file's {len(data)}")
    if not (child_text(element, "timestamp") or "").isdigit():
        result.wrong(where, "no timestamp")
    return plain


def read_repomd(directory, result):
    """{type: XML} of the lists, after a check of all data."""
    root = ElementTree.parse(directory / "repomd.xml").getroot()
    if root.tag != REPO + "repomd":
        result.wrong(directory, f"repomd.xml holds <{root.tag}>")
    lists = {}
    for element in root.findall(REPO + "data"):
        kind = element.get("type")
        if kind in lists:
            result.wrong(directory, f"{kind} stands there twice")
        if kind in LISTS:
            lists[kind] = check_data(directory, element, result)
        elif kind.endswith("_db"):
            result.meant_to("database")
        else:
            result.wrong(directory, f"unknown data '{kind}'")
    for kind in LISTS:
        if kind not in lists:
            result.wrong(directory, f"no {kind}")
    return lists


def nevra(package):
    """name-epoch:version-release.arch of a <package> of any list."""
    parts = {local(child.tag): child for child in package}
    name = package.get("name") or parts["name"].text
    arch = package.get("arch") or parts["arch"].text
    version = parts["version"]
    return (f"{name}-{version.get('epoch')}:{version.get('ver')}-"
            f"{version.get('rel')}.{arch}")


def read_packages(directory, kind, xml, result):
    """The root's tag and {NEVRA: <package>}."""
    root = ElementTree.fromstring(xml)
    packages = {}
    for package in root:
        key = nevra(package)
        if key in packages:
            result.wrong(f"{directory}: {kind}", f"{key} twice")
        packages[key] = package
    if root.get("packages") != str(len(packages)):
        result.wrong(f"{directory}: {kind}",
                     f"{len(packages)} packages, but packages="
                     f"\"{root.get('packages')}\"")
    return root.tag, packages


# -------------------------------------------------------------- comparing


def is_meant(element, attribute, theirs, options):
    """The name of the meant difference that this attribute may have."""
    name = local(element.tag)
    if (name, attribute) == ("time", "file") and not options.same_times:
        return "time"
    if (name, attribute, theirs) == ("size", "archive", "0"):
        return "archive"
    if (name, attribute, theirs) == ("entry", "pre", None) and \
            element.get("name") in AROUND_TRANSACTIONS:
        return "pre"
    return None


def compare_attributes(where, ours, theirs, result, options):
    for name in sorted(set(ours.attrib) | set(theirs.attrib)):
        a, b = ours.get(name), theirs.get(name)
        if a == b:
            continue
        meant = is_meant(theirs, name, b, options)
        if meant is None:
            result.wrong(where, f"{name}: ours {a!r}, theirs {b!r}")
        else:
            result.meant_to(meant)


def compare_elements(where, ours, theirs, result, options):
    """False where they are so different that what follows is, too."""
    result.elements += 1
    if ours.tag != theirs.tag:
        result.wrong(where, f"ours <{local(ours.tag)}>, "
                     f"theirs <{local(theirs.tag)}>")
        return False
    compare_attributes(where, ours, theirs, result, options)
    if len(ours) == len(theirs) == 0:
        if (ours.text or "") != (theirs.text or ""):
            result.wrong(where, f"ours {ours.text!r}, theirs {theirs.text!r}")
        return True
    for number, (a, b) in enumerate(zip(ours, theirs), 1):
        inner = f"{where}/{local(b.tag)}[{number}]"
        if not compare_elements(inner, a, b, result, options):
            return True
    longer = ours if len(ours) > len(theirs) else theirs
    for more in longer[min(len(ours), len(theirs)):]:
        result.wrong(where, f"only {'ours' if longer is ours else 'theirs'}: "
                     + ElementTree.tostring(more, "unicode").strip())
    return True


def compare_missing(kind, key, who, result):
    name = key.rsplit("-", 2)[0]
    if who == "theirs" and name in WITH_CONTROL:
        result.meant_to("control")
    else:
        result.wrong(f"{kind} {key}", f"not in {who}")


def compare_list(kind, ours, theirs, result, options):
    our_tag, our_packages = read_packages(options.ours, kind, ours, result)
    tag, packages = read_packages(options.theirs, kind, theirs, result)
    if our_tag != tag:
        result.wrong(kind, f"ours <{our_tag}>, theirs <{tag}>")
    for key in sorted(set(our_packages) | set(packages)):
        if key not in packages:
            compare_missing(kind, key, "theirs", result)
        elif key not in our_packages:
            compare_missing(kind, key, "ours", result)
        else:
            result.packages += 1
            compare_elements(f"{kind} {key}", our_packages[key],
                             packages[key], result, options)
    if [k for k in our_packages if k in packages] != \
            [k for k in packages if k in our_packages]:
        result.meant_to("order")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--same-times", action="store_true")
    parser.add_argument("ours", type=pathlib.Path)
    parser.add_argument("theirs", type=pathlib.Path)
    options = parser.parse_args()
    result = Result()
    try:
        ours = read_repomd(options.ours, result)
        theirs = read_repomd(options.theirs, result)
        for kind in LISTS:
            if kind in ours and kind in theirs:
                compare_list(kind, ours[kind], theirs[kind], result, options)
    except (OSError, EOFError, ElementTree.ParseError, ValueError,
            KeyError, AttributeError) as error:
        result.wrong("cannot be read", repr(error))
    for name, count in sorted(result.meant.items()):
        print(f"meant, {count} times: {MEANT[name]}")
    if result.packages == 0:
        result.wrong("nothing", "was compared")
    print(f"{result.packages} packages, {result.elements} elements compared, "
          f"{result.bad} differences")
    return 1 if result.bad else 0


if __name__ == "__main__":
    sys.exit(main())
