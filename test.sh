#!/usr/bin/env bash
# Sets up what is missing and runs every check. Arguments go on to pytest: ./test.sh -k grounding
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/environment.sh
. scripts/page.sh

make_venv
install dev -e '.[dev]'
install_native

bin=.venv/bin
say "ruff";         $bin/ruff check . && $bin/ruff format --check .
say "mypy";         $bin/mypy
say "import rules"; $bin/lint-imports
say "shell";        for script in start.sh test.sh scripts/*.sh .ci/run; do bash -n "$script"; done
say "pytest";       $bin/pytest "$@"

# Somebody who names tests wants those alone.
[ $# -eq 0 ] || exit 0

# What cannot be had is skipped aloud on a developer's machine and is a failure in CI.
skip() {
  [ "${CI:-}" != true ] || die "$1 skipped in CI: $2"
  say "SKIPPED: $1, because $2"
  exit 0
}

has_node || skip "the web page's checks" "there is no $node_wanted"
install_page || skip "the web page's checks" "npm ci failed"
in_page() { (cd frontend && "$@"); }
say "page: types";    in_page npm run --silent types && in_page npm run --silent schema -- --check
say "page: vitest";   in_page npm run --silent test
build_page
has_chromium || skip "the browser tests" "there is no chromium and it cannot be installed here"
say "page: browser";  in_page npm run --silent e2e
