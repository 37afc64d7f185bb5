#!/bin/sh
# Prepares a machine: `hack/setup.sh node` (npm packages), `hack/setup.sh system` (what the local
# cluster, the images and the tests need) or both. Says what it does, does nothing twice, and takes
# well under a second when there is nothing to do. On Debian as root it installs what is missing;
# anywhere else it names what is missing and stops.
set -eu
cd "$(dirname "$0")/.."

say() { printf '  %s\n' "$*" >&2; }
die() { printf 'set-up: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

is_debian_root() { [ -f /etc/debian_version ] && have apt-get && [ "$(id -u)" = 0 ]; }

# Packages whose services must not start: ours run with their own folders and ports.
apt_install() {
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT INT TERM
  fi
  say "installing Debian packages: $*"
  mkdir -p .stamps
  log=.stamps/apt.log
  # The package lists may be days old or missing: try as it is, and once more with fresh ones.
  if ! DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >"$log" 2>&1; then
    apt-get update >>"$log" 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1 || {
      tail -n 20 "$log" >&2
      die "apt-get could not install: $* (all of it: $log)"
    }
  fi
}

# need COMMAND-OR-FILE PACKAGE: collects the packages of what is not there.
missing=''
need() {
  case $1 in
    /*) [ -e "$1" ] && return 0 ;;
    *) have "$1" && return 0 ;;
  esac
  case " $missing " in *" $2 "*) ;; *) missing="$missing $2" ;; esac
}

go_is_new_enough() {
  go=go
  [ -x /usr/local/go/bin/go ] && go=/usr/local/go/bin/go
  have "$go" || return 1
  # From 1.21 on, Go fetches the version that a go.mod asks for.
  minor=$("$go" env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
  [ -n "$minor" ] && [ "$minor" -ge 21 ]
}

system() {
  PATH=$PATH:/usr/sbin:/sbin
  [ "$(uname -s)" = Linux ] || [ "${CLUSTER:-}" = existing ] || have kind ||
    die "the native cluster needs Linux; install Docker and kind, or set CLUSTER=existing with a KUBECONFIG"
  need redis-server redis-server
  need promtool prometheus
  need openssl openssl
  need git git
  if [ "${CLUSTER:-}" != existing ] && [ "$(uname -s)" = Linux ]; then
    need setpriv util-linux
    need unzip unzip
    need ip iproute2
    need containerd containerd
    need runc runc
    need /usr/lib/cni/bridge containernetworking-plugins
    need iptables iptables
    need conntrack conntrack
    need buildah buildah
    need debootstrap debootstrap
  fi
  # It builds the native cluster, and the peer of the tests of cron expressions.
  go_is_new_enough || need golang-go-1.21-or-newer golang-go
  [ -z "$missing" ] && return 0
  is_debian_root || die "these are missing (names of Debian packages):$missing"
  # shellcheck disable=SC2086
  apt_install $missing
  case $missing in
    *golang-go*) go_is_new_enough || die "Go 1.21 or newer is needed for the local cluster and the tests, and this Debian's is older: $(go version 2>/dev/null)" ;;
  esac
}

node_packages() {
  if ! have npm; then
    is_debian_root || die "npm is missing (Debian package: npm)"
    apt_install npm
  fi
  wanted=$(cksum <package-lock.json)
  [ -d node_modules ] && [ "$(cat .stamps/npm 2>/dev/null)" = "$wanted" ] && return 0
  say 'installing npm packages (about 20 s)'
  npm ci --no-progress --loglevel=error >&2
  mkdir -p .stamps
  printf '%s\n' "$wanted" >.stamps/npm
}

# Sources run as they are, so Node 24 is the floor: the system's, or the one from the lockfile.
node_version() {
  [ -e node_modules/.bin/node ] && return 0
  have node && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 24 ] && return 0
  binary=$(ls -d "$PWD"/node_modules/node-linux-*/bin/node 2>/dev/null | head -n 1)
  [ -n "$binary" ] || die 'Node 24 or newer is missing; install it (nodejs.org)'
  ln -sf "$binary" node_modules/.bin/node
}

for part in "${@:-all}"; do
  case $part in
    node) node_packages; node_version ;;
    system) system ;;
    all) node_packages; node_version; system ;;
    *) die "unknown part $part (node, system)" ;;
  esac
done
