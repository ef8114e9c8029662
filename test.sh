#!/usr/bin/env bash
# Sets up what is missing and runs every check.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/environment.sh
. scripts/page.sh

usage() {
  cat <<'TEXT'
Usage: ./test.sh                every check of a commit, tests on all cores
       ./test.sh --slow         these, and soaks, long fuzzing and tests with heavy parts
       ./test.sh ARGUMENT...    only pytest, with these arguments: ./test.sh -k grounding
TEXT
}

slow='' only_pytest=''
case ${1:-} in
  -h | --help) usage; exit ;;
  --slow) [ $# -eq 1 ] && slow=--slow || only_pytest=1 ;;
  '') ;;
  *) only_pytest=1 ;;
esac

make_venv
install dev -e '.[dev,metrics]'
install_scripts
install_native

bin=.venv/bin
if [ -n "$only_pytest" ]; then
  exec $bin/pytest "$@"
fi

say "ruff";         $bin/ruff check . && $bin/ruff format --check .
say "mypy";         $bin/mypy
say "import rules"; $bin/lint-imports
say "shell";        for script in start.sh test.sh scripts/*.sh .ci/run; do bash -n "$script"; done
say "pytest";       $bin/pytest -n auto --dist loadfile $slow

# What cannot be had is skipped with a message on a developer's machine and is a failure in CI.
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
