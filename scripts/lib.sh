# Sourced by the scripts beside it: the project's virtual environment, made and kept up to date.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# use_venv EXTRAS GROUP...: put .venv first on PATH, with the project, its extras and dependency groups.
use_venv() {
    local extras=$1 wanted
    shift
    wanted=$(python3 - "$extras" "$@" <<'PY'
import hashlib, pathlib, sys
print(hashlib.sha256(" ".join(sys.argv[1:]).encode() + pathlib.Path("pyproject.toml").read_bytes()).hexdigest()[:16])
PY
    ) || { echo "Python 3.11 or newer is needed as python3." >&2; exit 1; }
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        { echo "Python 3.11 or newer is needed; python3 is $(python3 --version)." >&2; exit 1; }
    [ -x .venv/bin/python ] || python3 -m venv .venv ||
        { echo "python3 -m venv failed: install your system's python3-venv." >&2; exit 1; }
    export PATH="$PWD/.venv/bin:$PATH"
    if [ ! -e ".venv/.has-$wanted" ]; then
        echo "Installing what ${0##*/} needs into .venv ..." >&2
        local groups=()
        for group in "$@"; do groups+=(--group "$group"); done
        python -m pip install --quiet --upgrade 'pip>=25.1' &&
            python -m pip install --quiet --editable ".[$extras]" "${groups[@]}" ||
            { echo "The installation failed; what pip says stands above." >&2; exit 1; }
        touch ".venv/.has-$wanted"
    fi
}

# use_browser: in CI, where a missing browser fails the tests, install Debian's Chromium if we may.
use_browser() {
    [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    command -v chromium >/dev/null && command -v chromedriver >/dev/null && return 0
    echo "Installing Chromium for the test of the sandbox's console ..." >&2
    apt-get update -qq >&2 &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium chromium-driver >/dev/null ||
        { echo "Chromium could not be installed; what apt-get says stands above." >&2; exit 1; }
}

# install_peers ROOM [PIP_ARGUMENT...]: the clients that others wrote, for tests and benchmarks, in ROOM.
# Fails when one of them is missing in the end.
install_peers() {
    local room=$1 complete=0
    shift
    if [ ! -e "$room/venv/.has-all" ]; then
        echo "Installing tiktok-shop-api into $room ..." >&2
        python3 -m venv "$room/venv" &&
            "$room/venv/bin/python" -m pip install --quiet "$@" 'tiktok-shop-api==0.1.0' &&
            touch "$room/venv/.has-all" ||
            { echo "The PyPI package tiktok-shop-api could not be installed, and is left out." >&2; complete=1; }
    fi
    if [ ! -d "$room/node/node_modules/tiktok-shop-sdk" ]; then
        mkdir -p "$room/node"
        command -v npm >/dev/null &&
            npm install --silent --no-audit --no-fund --prefix "$room/node" tiktok-shop-sdk@1.0.3 ||
            { echo "The npm package tiktok-shop-sdk could not be installed, and is left out." >&2; complete=1; }
    fi
    return $complete
}
