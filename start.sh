#!/usr/bin/env bash
# Sets up what is missing and starts dsocr. The first start installs; later ones take seconds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/environment.sh

usage() {
  cat <<'TEXT'
Usage: ./start.sh [--host HOST] [--port PORT] [--engine auto|native|rapidocr] [--prod]

  --host    address the backend listens on       (127.0.0.1; 0.0.0.0 for every network)
  --port    port of the backend                  (8000)
  --engine  who reads: auto takes native when weights and torch are there, else rapidocr
  --prod    serve the built web page from the backend alone

Settings are environment variables: docs/configuration.md. Ctrl-C stops everything.
TEXT
}

host=127.0.0.1 port=8000 engine=${DEEPSEEK_OCR_ENGINE:-auto} prod=
while [ $# -gt 0 ]; do
  case $1 in
    --host | --port | --engine)
      [ $# -ge 2 ] || die "$1 needs a value (./start.sh --help)"
      declare "${1#--}=$2"
      shift 2 ;;
    --host=* | --port=* | --engine=*)
      option=${1%%=*}
      declare "${option#--}=${1#*=}"
      shift ;;
    --prod) prod=1; shift ;;
    -h | --help) usage; exit ;;
    *) usage >&2; die "unknown option: $1" ;;
  esac
done

# Whether the native engine should be installed: asked for, or its GPU or its weights are here.
wants_native() {
  [ "$engine" = native ] && return
  [ "$engine" = auto ] || return 1
  nvidia-smi -L 2>/dev/null | grep -q '^GPU' && return
  .venv/bin/python - <<'PYTHON'
import sys
from dsocr.config import Settings
from dsocr.engines.weights import find_weights
sys.exit(find_weights(Settings.from_environment().runtime.model_path) is None)
PYTHON
}

make_venv
install base -e .
if wants_native; then install_native; fi

# exec: Ctrl-C and kill reach the server itself, which stops its own children.
exec .venv/bin/dsocr serve --host "$host" --port "$port" --engine "$engine"
