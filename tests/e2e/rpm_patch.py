#!/usr/bin/python3
"""Takes an .rpm apart and spoils it, for tests that want it refused.

    rpm_patch.py bounds FILE            where each part begins, a line each:
                                        offset and name
    rpm_patch.py content FILE           main header and payload, on stdout
    rpm_patch.py put FILE OFFSET HEX    these bytes there; -1 is the last one
    rpm_patch.py flip FILE OFFSET       one byte to another
    rpm_patch.py string FILE TAG TEXT   a string of the main header, of the
                                        same length; the digests follow
    rpm_patch.py payload FILE OTHER     the bytes of another file as payload;
                                        size and digests follow

The digests that the signature header has of main header and payload are made
right again by `string` and `payload` alone.
"""

import hashlib
import pathlib
import struct
import sys

LEAD, INTRO, INDEX = 96, 16, 16
SHA1, SHA256, SIZE, MD5 = 269, 273, 1000, 1004
PAYLOADDIGEST = 5092


class Header:
    """A header structure at an offset of the file's bytes."""

    def __init__(self, data, offset):
        self.data, self.offset = data, offset
        self.n, self.size = struct.unpack_from(">II", data, offset + 8)
        self.index = offset + INTRO
        self.store = self.index + self.n * INDEX
        self.end = self.store + self.size

    def find(self, tag):
        """(type, offset in the file, count) of a tag, or None."""
        for i in range(self.n):
            entry = struct.unpack_from(">IIII", self.data,
                                       self.index + i * INDEX)
            if entry[0] == tag:
                return entry[1], self.store + entry[2], entry[3]
        return None

    def put(self, tag, value):
        found = self.find(tag)
        if found is not None:
            self.data[found[1]:found[1] + len(value)] = value


class Package:
    def __init__(self, path):
        self.data = bytearray(pathlib.Path(path).read_bytes())
        self.signature = Header(self.data, LEAD)
        self.main = Header(self.data, (self.signature.end + 7) // 8 * 8)

    def refresh_digests(self):
        header = bytes(self.data[self.main.offset:self.main.end])
        rest = bytes(self.data[self.main.offset:])
        sha256 = hashlib.sha256(header).hexdigest()
        self.signature.put(SHA256, sha256.encode())
        self.signature.put(SHA1, hashlib.sha1(header).hexdigest().encode())
        self.signature.put(MD5, hashlib.md5(rest).digest())

    def bounds(self):
        yield 0, "lead"
        for name, header in (("signature", self.signature),
                             ("main", self.main)):
            yield header.offset, name + "-intro"
            yield header.index, name + "-index"
            yield header.store, name + "-data"
            yield header.end, name + "-end"
        yield len(self.data), "end"

    def set_string(self, tag, text):
        _, at, _ = self.main.find(tag)
        end = self.data.index(0, at)
        if end - at != len(text):
            sys.exit(f"tag {tag} has {end - at} characters")
        self.data[at:end] = text.encode()
        self.refresh_digests()

    def set_payload(self, payload):
        self.data[self.main.end:] = payload
        digest = hashlib.sha256(payload).hexdigest()
        self.main.put(PAYLOADDIGEST, digest.encode())
        size = len(self.data) - self.main.offset
        self.signature.put(SIZE, struct.pack(">I", size))
        self.refresh_digests()


def main():
    verb, path, *arguments = sys.argv[1:]
    package = Package(path)
    if verb == "bounds":
        for offset, name in package.bounds():
            print(offset, name)
        return
    if verb == "content":
        sys.stdout.buffer.write(package.data[package.main.offset:])
        return
    if verb == "payload":
        package.set_payload(pathlib.Path(arguments[0]).read_bytes())
    elif verb == "string":
        package.set_string(int(arguments[0]), arguments[1])
    else:
        at = int(arguments[0]) % len(package.data)
        if verb == "flip":
            package.data[at] ^= 0x55
        else:
            value = bytes.fromhex(arguments[1])
            package.data[at:at + len(value)] = value
    pathlib.Path(path).write_bytes(package.data)


if __name__ == "__main__":
    main()
