# Sourced by start.sh and test.sh: the web page in frontend/ and its client in clients/js/. Needs node; says so where there is none.

node_wanted='node 20.19 or newer with npm'

has_node() {
  command -v npm >/dev/null && node -e '
    const [major, minor] = process.versions.node.split(".").map(Number)
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null
}

install_page() { install_packages frontend "the web page's"; }
install_client() { install_packages clients/js "the JavaScript client's"; }

# npm ci, only when the lock file changed since the last time.
install_packages() { # FOLDER, WHOSE
  local stamp=$1/node_modules/.installed wanted
  wanted=$(cksum < "$1/package-lock.json")
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return
  say "Installing $2 packages: first time a minute"
  (cd "$1" && npm ci --no-audit --no-fund >&2) || return 1
  printf '%s' "$wanted" > "$stamp"
}

# vite build, only when something it is made of is newer than what was built.
build_page() {
  local built=frontend/dist/index.html
  [ -f "$built" ] && [ -z "$(find frontend/src frontend/public frontend/index.html \
    frontend/package-lock.json frontend/vite.config.ts clients/js/src -newer "$built" -print -quit)" ] && return
  say "Building the web page"
  (cd frontend && npm run --silent build >&2)
}

# A Chromium for the browser tests; Debian's, where we may install it.
has_chromium() {
  [ -x "${CHROMIUM:-/usr/bin/chromium}" ] && return
  command -v apt-get >/dev/null || return 1
  local sudo=
  [ "$(id -u)" -eq 0 ] || { sudo='sudo -n'; sudo -n true 2>/dev/null || return 1; }
  say "Installing chromium for the browser tests"
  $sudo apt-get update -qq >&2 && $sudo apt-get install -qqy --no-install-recommends chromium >&2
  [ -x /usr/bin/chromium ]
}
