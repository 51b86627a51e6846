#!/bin/sh
# Make a virtual environment in $1 with $PYTHON; as root on Debian, install what that needs first. Never asks anything.
set -eu
python=${PYTHON:-python3}

as_root_install() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "make: $2" >&2
        echo "make: on Debian: sudo apt-get install $1" >&2
        exit 1
    fi
    echo "installing $1 …"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -q --no-install-recommends $1 >/dev/null 2>&1 ||
        { apt-get update -q >/dev/null && apt-get install -y -q --no-install-recommends $1 >/dev/null; }
}

command -v "$python" >/dev/null || as_root_install "python3 python3-venv" "there is no $python"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "make: $("$python" --version) is too old: Python 3.11 or newer is needed (make PYTHON=python3.12 …)" >&2
    exit 1
}
"$python" -c 'import ensurepip, venv' 2>/dev/null || as_root_install python3-venv "$python cannot make virtual environments"
"$python" -m venv "$1"
