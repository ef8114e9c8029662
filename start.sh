#!/usr/bin/env bash
# Sets up what is missing and starts dsocr. The first start installs; later ones take seconds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. scripts/environment.sh
. scripts/page.sh

usage() {
  cat <<'TEXT'
Usage: ./start.sh [--host HOST] [--port PORT] [--engine auto|native|ppocr] [--prod]

  --host    address the backend listens on       (127.0.0.1; 0.0.0.0 for every network)
  --port    port of the backend                  (8000)
  --engine  auto takes native when its weights and torch are there, else ppocr
  --prod    build the web page once and serve it from the backend; without it Vite's
            development server runs beside the backend, on port 5173

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

# Before minutes of installing
case $port in '' | *[!0-9]*) die "--port takes a number, not '$port'" ;; esac
case $engine in
  auto | native | ppocr | rapidocr) ;;
  *) die "--engine takes auto, native or ppocr, not '$engine'" ;;
esac

# Whether the native engine should be installed: asked for, or its GPU or its weights are here.
wants_native() {
  [ "$engine" = native ] && return
  [ "$engine" = auto ] || return 1
  nvidia-smi -L 2>/dev/null | grep -q '^GPU' && return
  .venv/bin/python - <<'PYTHON'
import sys
from dsocr.config import Settings
from dsocr.engines.deepseek.weights import find_weights
sys.exit(find_weights(Settings.from_environment().runtime.model_path) is None)
PYTHON
}

make_venv
install base -e '.[metrics]'
install_scripts
if wants_native; then install_native; fi

serve=(.venv/bin/dsocr serve --host "$host" --port "$port" --engine "$engine")

if ! has_node; then
  say "The web page needs $node_wanted, which is not here: starting the backend alone"
  exec "${serve[@]}"
elif ! install_page || { [ -n "$prod" ] && ! build_page; }; then
  say "The web page could not be made (see above): starting the backend alone"
  exec "${serve[@]}"
elif [ -n "$prod" ]; then
  exec "${serve[@]}" # Ctrl-C and kill reach the server itself, which stops its own children
fi

# Job control gives each a process group of its own: Ctrl-C reaches this script alone, which tells
# both to stop, once.
set -m
"${serve[@]}" & backend=$!
reach=$host
[ "$reach" = 0.0.0.0 ] && reach=127.0.0.1
(cd frontend && DSOCR_BACKEND="http://$reach:$port" exec node_modules/.bin/vite --host "$host") \
  < /dev/null & page=$!
set +m
stop() { kill "$page" "$backend" 2>/dev/null || true; }
trap stop INT TERM HUP
status=0
while kill -0 "$backend" 2>/dev/null; do wait "$backend" && status=0 || status=$?; done
stop
wait
exit "$status"
