#!/bin/bash
# A source tree like Veilid's, as far as the crates job and the Python job look
# at it: a cargo workspace of veilid-tools and veilid-core, which needs it, and
# veilid-python, built by poetry-core. Nothing in it comes from elsewhere.
#
#   tests/world/sample.sh DIR VERSION
#
# The build script of veilid-core refuses to run where it could see a token.
set -eu
dir=$1 version=$2
mkdir -p "$dir"/veilid-tools/src "$dir"/veilid-core/src "$dir"/veilid-python/veilid
cd "$dir"

cat >Cargo.toml <<'END'
[workspace]
members = ["veilid-tools", "veilid-core"]
END

# crate NAME DESCRIPTION: the head of its Cargo.toml.
crate() {
    cat <<END
[package]
name = "$1"
version = "$version"
edition = "2021"
description = "$2"
license = "MPL-2.0"
repository = "https://example.org/veilid"
readme = "README.md"
include = ["src/**", "build.rs", "README.md"]

END
}

crate veilid-tools 'What the other crates share' >veilid-tools/Cargo.toml
echo '# veilid-tools' >veilid-tools/README.md
cat >veilid-tools/src/lib.rs <<'END'
//! What the other crates share.

/// The version of the release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
END

{
    crate veilid-core 'The core of the framework'
    cat <<END
[dependencies]
veilid-tools = { version = "$version", path = "../veilid-tools" }
END
} >veilid-core/Cargo.toml
echo '# veilid-core' >veilid-core/README.md
cat >veilid-core/src/lib.rs <<'END'
//! The core of the framework.

/// Whether both are of one release.
pub fn is_of_one_release() -> bool {
    veilid_tools::VERSION == env!("CARGO_PKG_VERSION")
}
END
cat >veilid-core/build.rs <<'END'
fn main() {
    for (key, value) in std::env::vars() {
        if key.ends_with("TOKEN") || key.ends_with("PASSWORD") {
            assert!(value.is_empty(), "{} is in the environment", key);
        }
    }
}
END

cat >veilid-python/pyproject.toml <<END
[tool.poetry]
name = "veilid"
version = "$version"
description = "Veilid for Python"
authors = ["Veilid <veilid@example.org>"]
license = "MPL-2.0"
readme = "README.md"
packages = [{ include = "veilid" }]

[tool.poetry.dependencies]
python = "^3.9"

[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
END
echo '# veilid' >veilid-python/README.md
echo "__version__ = '$version'" >veilid-python/veilid/__init__.py

printf '/target\n/Cargo.lock\n' >.gitignore
