# What the scripts of this directory start with: the checkout's own Python, and Debian's packages.
# Sourced by them; $0 is the script.  All it says goes to stderr, for stdout is the script's.

CHECKOUT=$(dirname "$(dirname "$(readlink -f "$0")")")
VENV=$CHECKOUT/.venv
PYTHON=$VENV/bin/python

CLOUD_PACKAGES="libvirt-daemon-system libvirt-clients libvirt-dev qemu-utils zstd dnsmasq-base
    dnsmasq-utils iptables iproute2 procps e2fsprogs openssh-client util-linux gcc pkg-config python3-dev
    python3-venv"
case $(dpkg --print-architecture 2>/dev/null) in
arm64) CLOUD_PACKAGES="$CLOUD_PACKAGES qemu-system-arm" ;;
*) CLOUD_PACKAGES="$CLOUD_PACKAGES qemu-system-x86" ;;
esac
TEST_PACKAGES="$CLOUD_PACKAGES rabbitmq-server postgresql mariadb-server openssl curl
    ldap-utils libldap-dev libsasl2-dev python3-glance rclone s3cmd slapd systemd udhcpc unzip zsh"

tell() {
    echo "$*" >&2
}

give_up() {
    tell "$(basename "$0"): $*"
    exit 1
}

# watched LOG COMMAND...: run it with its output in a file; dots for a person, the tail if it fails
watched() {
    log=$1
    shift
    "$@" >"$log" 2>&1 </dev/null &
    job=$!
    while kill -0 "$job" 2>/dev/null; do
        [ ! -t 2 ] || printf . >&2
        sleep 1
    done
    [ ! -t 2 ] || printf '\r\033[K' >&2
    wait "$job" && return 0
    tail -n 15 "$log" >&2
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install_packages NAME...: by apt, those that are missing and that this release has
install_packages() {
    command -v apt-get >/dev/null || return 0
    missing=
    for name in "$@"; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) || state=
        [ "$state" = installed ] || missing="$missing $name"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        give_up "As root, install these packages first: apt-get install$missing"
    fi
    tell "Installing Debian packages:$missing"
    [ "$(id -u)" = 0 ] || sudo -v || give_up "Packages can't be installed without root."
    log=$(mktemp)
    watched "$log" as_root apt-get -q update || tell "apt-get update failed; trying with what apt knows."
    known=
    for name in $missing; do
        if apt-cache show "$name" >/dev/null 2>&1; then known="$known $name"; else
            tell "This release has no package $name; going on without it."
        fi
    done
    # the servers among them are started by our own hand, each in its own directory
    policy=/usr/sbin/policy-rc.d
    ours=
    if [ ! -e "$policy" ]; then
        ours=$policy
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        trap 'as_root rm -f "$policy"' EXIT
        trap 'exit 1' INT TERM
    fi
    # shellcheck disable=SC2086
    code=0
    watched "$log" as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=600 --no-install-recommends install $known || code=$?
    if [ -n "$ours" ]; then
        as_root rm -f "$policy"
        trap - EXIT INT TERM
    fi
    rm -f "$log"
    [ "$code" = 0 ] || give_up "apt-get could not install them."
}

newest_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
        then
            command -v "$name"
            return 0
        fi
    done
    give_up "Python 3.11 or newer, with its module venv (Debian: python3-venv), is needed."
}

# virtual_environment cloud|tests|benchmarks: make it, or bring it up to date when setup.py has changed
virtual_environment() {
    case $1 in
    tests) extras=clients,postgres,mysql,test ;;
    benchmarks) extras=clients,postgres,mysql,test,benchmarks ;;
    *) extras=clients,postgres,mysql ;;
    esac
    if pkg-config --exists libvirt 2>/dev/null; then extras=$extras,libvirt; fi
    if pkg-config --exists ldap libsasl2 2>/dev/null; then extras=$extras,ldap; fi
    want="$extras $(cksum <"$CHECKOUT/setup.py")"
    stamp=$VENV/installed-$1
    [ "$(cat "$stamp" 2>/dev/null)" != "$want" ] || return 0
    (
        flock 9
        [ "$(cat "$stamp" 2>/dev/null)" != "$want" ] || exit 0
        if [ ! -x "$PYTHON" ] || ! "$PYTHON" -m pip --version >/dev/null 2>&1; then
            newest=$(newest_python) || exit 1
            tell "Making the virtual environment $VENV"
            rm -rf "$VENV"
            "$newest" -m venv "$VENV" || exit 1
        fi
        tell "Installing nova_tx[$extras] into $VENV"
        watched "$VENV/install.log" "$PYTHON" -m pip install --disable-pip-version-check \
            --progress-bar off -e "$CHECKOUT[$extras]" || exit 1
        echo "$want" >"$stamp"
    ) 9>"$CHECKOUT/.venv.lock" || give_up "The virtual environment could not be made."
}
