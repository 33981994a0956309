#!/bin/sh
# Makes .venv with what the lock names: `venv.sh runtime` for running, `venv.sh dev` for tests and checks as well.
# Does nothing when the stamp of an earlier run fits. Needs Python 3.11 to 3.13 and a package index; nothing else.
set -eu
kind=${1:?runtime or dev}
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
case $kind in
    runtime) lock=requirements.lock ;;
    dev) lock=requirements-dev.lock ;;
    *) echo "error: venv.sh knows runtime and dev, not $kind" >&2; exit 2 ;;
esac
venv=$root/.venv
python=$venv/bin/python

fits() { # the stamp of this lock, or of the larger one
    [ -x "$python" ] || return 1
    for pair in "$kind:$lock" "dev:requirements-dev.lock"; do
        want=$(sha256sum "${pair#*:}" | cut -c1-64)
        [ "$(cat "$venv/.stamp-${pair%%:*}" 2>/dev/null)" = "$want" ] && "$python" -c '' 2>/dev/null && return 0
    done
    return 1
}

find_python() {
    for name in python3.12 python3.11 python3 python3.13; do
        found=$(command -v "$name" 2>/dev/null) || continue
        # The shim of a version manager may be there without a Python behind it.
        "$found" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null || continue
        echo "$found"
        return 0
    done
    echo "error: no Python 3.11, 3.12 or 3.13 found (looked for python3.12, python3.11, python3, python3.13)." >&2
    echo "       On Debian or Ubuntu: apt-get install python3 python3-venv" >&2
    return 1
}

make_venv() {
    base=$(find_python)
    echo "making .venv with $("$base" --version) ($base)"
    rm -rf "$venv"
    if "$base" -c 'import ensurepip' 2>/dev/null; then
        "$base" -m venv "$venv"
        return
    fi
    # Debian's python3 without python3-venv has no ensurepip.
    if "$base" -m pip --version >/dev/null 2>&1; then
        "$base" -m venv --without-pip "$venv"
        "$base" -m pip --python "$python" install --quiet pip
        return
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "this Python has no ensurepip: installing python3-venv"
        apt-get install -y -qq python3-venv >/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; }
        "$base" -m venv "$venv" && return
    fi
    echo "error: $base cannot make a virtual environment: its ensurepip module is missing." >&2
    echo "       On Debian or Ubuntu: apt-get install python3-venv" >&2
    rm -rf "$venv"
    return 1
}

fits && exit 0
mkdir -p "$venv"
# Two makes at once: the second waits and finds the work done.
if command -v flock >/dev/null; then
    exec 9>"$root/.venv.lock"
    flock 9
    fits && exit 0
fi

if ! { [ -x "$python" ] && "$python" -c 'import pip' 2>/dev/null; }; then
    make_venv
fi

echo "installing $lock"
export UV_PYTHON_DOWNLOADS=never PIP_DISABLE_PIP_VERSION_CHECK=1
if ! "$python" -c 'import uv' 2>/dev/null; then
    # uv's own entry of the lock, hashes included.
    awk '/^[a-z]/ { take = /^uv==/ } take' "$lock" >"$venv/uv.lock"
    "$python" -m pip install --quiet --no-deps --require-hashes -r "$venv/uv.lock" || echo "no uv, so pip does it (slower)"
fi
if ! "$python" -m uv pip install --quiet --python "$python" --require-hashes --no-deps --compile-bytecode -r "$lock"; then
    echo "uv did not succeed, trying pip"
    "$python" -m pip install --quiet --require-hashes --no-deps -r "$lock"
fi
# The project itself is importable from anywhere with this Python (pytest plugins load before any path is set).
"$python" -c 'import sys, sysconfig; open(sysconfig.get_path("purelib") + "/loyalty-campaigns.pth", "w").write(sys.argv[1] + "\n")' "$root"
sha256sum "$lock" | cut -c1-64 >"$venv/.stamp-$kind"
