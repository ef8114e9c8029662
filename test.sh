#!/usr/bin/env bash
# Sets up what is missing and runs every check. Arguments go on to pytest: ./test.sh -k grounding
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/environment.sh

make_venv
install dev -e '.[dev]'
install_native

bin=.venv/bin
say "ruff";         $bin/ruff check . && $bin/ruff format --check .
say "mypy";         $bin/mypy
say "import rules"; $bin/lint-imports
say "shell";        for script in start.sh test.sh scripts/*.sh .ci/run; do bash -n "$script"; done
say "pytest";       $bin/pytest "$@"
