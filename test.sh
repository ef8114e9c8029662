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

make_venv
install dev -e '.[dev,metrics]'
[ -z "$slow" ] || install slow -e '.[slow]'
install_scripts
install_native

bin=.venv/bin
# Without compiled files each of the many child processes of the tests would compile what it imports.
unset PYTHONDONTWRITEBYTECODE
if [ -n "$only_pytest" ]; then
  exec $bin/pytest "$@"
fi

in_page() { (cd frontend && "$@"); }
in_client() { (cd clients/js && "$@"); }

page_checks() {
  in_client npm run --silent types && in_client npm run --silent schema -- --check &&
    in_client npm run --silent test && in_client npm run --silent build &&
    in_page npm run --silent types && in_page npm run --silent test && build_page
}

# The page's checks and Python's use a core each. Those of the page print when they have ended.
unchecked='' page_pid=''
page_log=$(mktemp)
trap 'rm -f "$page_log"; [ -z "$page_pid" ] || kill "$page_pid" 2>/dev/null || true' EXIT
if ! has_node; then
  unchecked="there is no $node_wanted"
elif ! install_page || ! install_client; then
  unchecked="npm ci failed"
else
  say "page: types, vitest and build, beside the next checks"
  page_checks > "$page_log" 2>&1 & page_pid=$!
fi

say "ruff";         $bin/ruff check . && $bin/ruff format --check .
say "mypy";         $bin/mypy
say "import rules"; $bin/lint-imports
say "shell";        for script in start.sh test.sh scripts/*.sh .ci/run; do bash -n "$script"; done
if [ -n "$page_pid" ]; then
  wait "$page_pid" && page_failed='' || page_failed=1
  page_pid=''
  cat "$page_log" >&2
  [ -z "$page_failed" ] || die "the web page's checks failed"
fi
say "pytest";       $bin/pytest -n auto --dist worksteal $slow

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
