#!/bin/sh
# Pins every dependency with hashes, for every supported Python and platform. Needs `uv` on PATH.
set -eu
cd "$(dirname "$0")/.."
compile() { uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header "$1" -o "$2"; }
compile requirements.in requirements.lock
compile requirements-test.in requirements-test.lock
