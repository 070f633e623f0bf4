#!/bin/sh
# System packages: `tools/system.sh java venv chromium kcat` checks the ones named. What is missing is installed where this
# is Debian and root; anywhere else it is named, with the way to get it. Exit status 0: all of them are there.
set -eu

PYTHON=${PYTHON:-python3}

has_java() {
    for java in "${JAVA_HOME:+$JAVA_HOME/bin/java}" "$(command -v java || true)" "${CONDA_PREFIX:+$CONDA_PREFIX/lib/jvm/bin/java}"; do
        [ -n "$java" ] && [ -x "$java" ] || continue
        case "$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')" in 17 | 21 | 25) return 0 ;; esac
    done
    return 1
}
has_venv() { "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; }
has_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null
has_kcat() { command -v kcat; } >/dev/null

package() {
    case $1 in
    java) echo openjdk-17-jre-headless ;;
    venv) echo python3-venv ;;
    *) echo "$1" ;;
    esac
}
advice() {
    case $1 in
    java) echo "Java 17, 21 or 25, in JAVA_HOME, on PATH or in the conda prefix (conda install openjdk=17)" ;;
    venv) echo "Python's venv and ensurepip modules for $PYTHON (with conda: conda env create -f environment.yml)" ;;
    chromium) echo "Chromium, for the browser tests only" ;;
    kcat) echo "kcat, a Kafka client, for one of the tests only" ;;
    esac
}

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Python 3.11 or later is needed; '$PYTHON' is $("$PYTHON" --version 2>&1 || true). Fix: make PYTHON=python3.12 ..." >&2
    exit 1
fi

missing=
for need in "$@"; do "has_$need" || missing="$missing $need"; done
[ -n "$missing" ] || exit 0

packages=
for need in $missing; do packages="$packages $(package "$need")"; done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing the system packages$packages ..."
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # a list of words
    if ! { apt-get -q update && apt-get -q install -y --no-install-recommends $packages; } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        echo "Could not install$packages; the whole log is $log" >&2
        exit 1
    fi
    rm -f "$log"
fi

failed=0
for need in $missing; do
    "has_$need" && continue
    echo "Missing: $(advice "$need"). On Debian: sudo apt-get install $(package "$need")" >&2
    failed=1
done
exit $failed
