# Sourced by the scripts beside it: the project's virtual environment, made and kept up to date.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# Images for containers set this. The tests start hundreds of processes, and each would compile the package again.
unset PYTHONDONTWRITEBYTECODE

# use_venv EXTRAS GROUP...: put .venv first on PATH, with the project, its extras and dependency groups,
# in the versions of constraints.txt.
use_venv() {
    local extras=$1 wanted
    shift
    wanted=$(python3 - "$extras" "$@" <<'PY'
import hashlib, pathlib, sys
files = (pathlib.Path(name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
print(hashlib.sha256(b"".join([" ".join(sys.argv[1:]).encode(), *files])).hexdigest()[:16])
PY
    ) || { echo "Python 3.11 or newer is required as python3." >&2; exit 1; }
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        { echo "Python 3.11 or newer is required; python3 is $(python3 --version)." >&2; exit 1; }
    [ -x .venv/bin/python ] || python3 -m venv .venv ||
        { echo "python3 -m venv failed: install your system's python3-venv." >&2; exit 1; }
    export PATH="$PWD/.venv/bin:$PATH"
    if [ ! -e ".venv/.has-$wanted" ]; then
        echo "Installing what ${0##*/} needs into .venv ..." >&2
        local groups=()
        for group in "$@"; do groups+=(--group "$group"); done
        python -m pip install --quiet --upgrade 'pip>=25.1' &&
            python -m pip install --quiet --constraint constraints.txt --editable ".[$extras]" "${groups[@]}" ||
            { echo "The installation failed; see pip's errors above." >&2; exit 1; }
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
        { echo "Chromium could not be installed; see the errors of apt-get above." >&2; exit 1; }
}

# install_from_pypi ENVIRONMENT PACKAGE [PIP_ARGUMENT...]: install a third-party client, verified by its hash,
# and its dependencies.
install_from_pypi() {
    local environment=$1 package=$2
    shift 2
    [ ! -e "$environment/.has-all" ] || return 0
    echo "Installing $package into $environment ..." >&2
    python3 -m venv "$environment" &&
        "$environment/bin/python" -m pip install --quiet --no-deps --only-binary :all: --require-hashes \
            --requirement "tests/foreign/$package.txt" &&
        "$environment/bin/python" -m pip install --quiet "$package" "$@" &&
        touch "$environment/.has-all" ||
        { echo "The PyPI package $package could not be installed; it is skipped." >&2; return 1; }
}

# install_from_npm FOLDER: install the npm packages that tests/foreign/package-lock.json pins by hash.
install_from_npm() {
    local folder=$1
    ! cmp --silent tests/foreign/package-lock.json "$folder/.has-all" || return 0
    echo "Installing npm packages into $folder ..." >&2
    mkdir -p "$folder" && cp tests/foreign/package.json tests/foreign/package-lock.json "$folder" &&
        command -v npm >/dev/null &&
        (cd "$folder" && npm ci --silent --ignore-scripts --no-audit --no-fund) &&
        cp tests/foreign/package-lock.json "$folder/.has-all" ||
        { echo "The npm packages could not be installed; they are skipped." >&2; return 1; }
}

# install_peers FOLDER: install the third-party clients that tests/foreign runs; fail if one is missing.
install_peers() {
    local folder=$1 complete=0
    install_from_pypi "$folder/venv" tiktok-shop-api || complete=1
    install_from_pypi "$folder/mcp" tiktok-shop-mcp 'mcp==2.3.0' || complete=1
    install_from_npm "$folder/node" || complete=1
    return $complete
}
