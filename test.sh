#!/usr/bin/env bash
# Sets up what is missing and runs every check.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/environment.sh
. scripts/page.sh

usage() {
  cat <<'TEXT'
Usage: ./test.sh                every check of a commit, tests on all cores
       ./test.sh --slow         these, and soaks, long fuzzing, tests with heavy parts, and pictures of all states of the page
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

in_page() { (cd frontend && "$@"); }
in_client() { (cd clients/js && "$@"); }

page_checks() {
  say "page: types, vitest and build"
  in_client npm run --silent types && in_client npm run --silent schema -- --check &&
    in_client npm run --silent test && in_client npm run --silent build &&
    in_page npm run --silent types && in_page npm run --silent test && build_page
}

# Sets the page up and checks it. 3 is the status where its packages cannot be had.
page_job() {
  has_chromium || true # installed here, where the other core installs Python's packages
  install_page && install_client || return 3
  page_checks || return 1
}

# The page's work and Python's use a core each. That of the page prints when it has ended.
unchecked='' page_pid=''
page_log=$(mktemp)
trap 'rm -f "$page_log"; [ -z "$page_pid" ] || kill "$page_pid" 2>/dev/null || true' EXIT
if [ -n "$only_pytest" ]; then
  : # the page is not checked
elif has_node; then
  say "page: set up and checked beside the next steps"
  page_job > "$page_log" 2>&1 & page_pid=$!
else
  unchecked="there is no $node_wanted"
fi

make_venv
# Of 16,000 files the checks import few; these are compiled then, and pip alone would do it on one core.
pip_options=--no-compile
install dev -e '.[dev,metrics]'
[ -z "$slow" ] || install slow -e '.[slow]'
install_scripts
install_native

bin=.venv/bin
# Without compiled files each of the many child processes of the tests would compile what it imports.
unset PYTHONDONTWRITEBYTECODE
if [ -n "$only_pytest" ]; then
  $bin/pytest "$@"
  exit
fi

say "ruff";         $bin/ruff check . && $bin/ruff format --check .
say "mypy, and import rules beside it"
$bin/lint-imports & rules_pid=$!
$bin/mypy
wait "$rules_pid"
say "shell";        for script in start.sh test.sh scripts/*.sh .ci/run; do bash -n "$script"; done
if [ -n "$page_pid" ]; then
  wait "$page_pid" && status=0 || status=$?
  page_pid=''
  cat "$page_log" >&2
  case $status in
    0) ;;
    3) unchecked="npm ci failed" ;;
    *) die "the web page's checks failed" ;;
  esac
fi
clients=tests/server/contracts/test_real_clients.py
say "pytest";       $bin/pytest -n auto --dist worksteal ${slow:+$slow --ignore=$clients}
# In one process, so that all of them have one service; -rP shows their versions.
[ -z "$slow" ] || { say "pytest: real clients"; $bin/pytest -rP $slow $clients; }

# What cannot be had is skipped with a message on a developer's machine and is a failure in CI.
skip() {
  [ "${CI:-}" != true ] || die "$1 skipped in CI: $2"
  say "SKIPPED: $1, because $2"
  exit 0
}

[ -z "$unchecked" ] || skip "the web page's checks" "$unchecked"
has_chromium || skip "the browser tests" "there is no chromium and it cannot be installed here"
[ -z "$slow" ] || export DSOCR_E2E_SLOW=1
say "page: browser";  in_page npm run --silent e2e
