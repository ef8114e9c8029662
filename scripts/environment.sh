# Sourced by start.sh and test.sh: finds a Python, makes .venv, installs what has changed.
# Nothing is installed outside .venv.

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The first Python >= 3.10 that can make a virtual environment. PYTHON, when set, is the only choice.
find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10 python}; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' \
        >/dev/null 2>&1; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  die "no Python >= 3.10 with venv was found${PYTHON:+ (PYTHON=$PYTHON)}." \
    "Install one (Debian, Ubuntu: apt install python3-venv) or name it: PYTHON=/path/to/python3 $0"
}

make_venv() {
  [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null && return
  local python
  python=$(find_python)
  say "Making .venv with $("$python" --version)"
  rm -rf .venv
  "$python" -m venv .venv
}

# install NAME REQUIREMENT...: pip, only when the project's requirements changed since the last time.
# It gets the options in pip_options, too.
install() {
  local stamp=".venv/installed-$1" name=$1 wanted
  shift
  wanted=$(cat pyproject.toml constraints.txt | cksum)
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return
  say "Installing ($name): first time minutes, later seconds"
  .venv/bin/python -m pip install --disable-pip-version-check --progress-bar on \
    -c constraints.txt ${pip_options:-} "$@" 2>&1 | sed -u -n '/^\(Collecting\|Downloading\|Installing\|ERROR\|error\)/p' >&2
  [ "${PIPESTATUS[0]}" -eq 0 ] || die "the installation failed; see the lines above"
  printf '%s' "$wanted" > "$stamp"
}

has_module() { .venv/bin/python -c "import importlib.util, sys; sys.exit(not importlib.util.find_spec('$1'))"; }

# The native engine's packages. A torch that is there already (a CUDA or ROCm build someone chose)
# is left alone; else the tested version comes.
install_native() {
  if has_module torch; then
    install native safetensors tokenizers
  else
    install native -e '.[native]'
  fi
}

# Tesseract's recognizer for the scripts that PP-OCR does not know. It comes as a wheel; where there
# is none, it is left out, because building it needs a compiler and Tesseract's own files.
install_scripts() {
  has_module tesserocr && return
  local stamp=.venv/without-scripts wanted
  wanted=$(cksum < constraints.txt)
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return
  say "Installing (scripts)"
  .venv/bin/python -m pip install --disable-pip-version-check --quiet --only-binary tesserocr \
    -c constraints.txt 'tesserocr>=2.8' >&2 && return
  printf '%s' "$wanted" > "$stamp"
  say "tesserocr cannot be installed here (see above): pages in Korean, Arabic, Persian, Thai, Hebrew," \
    "Greek, Cyrillic and Hindi are flagged unsupported_script. Everything else works"
}
