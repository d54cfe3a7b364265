# Sourced by the other scripts, from any folder: `EXTRAS='tests deploy'; source tools/setup_env.sh`.
# Leaves `python` with this project, the extra "lite" and those in $EXTRAS. It reuses an active
# virtual or conda environment, else .venv of the project, which it makes when missing. Its status
# is not 0 where that failed.

REPO="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11 python3.10 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "error: no Python >= 3.10 on PATH (python3 is: $(python3 --version 2>&1));" \
        "install one, or activate an environment that has it" >&2
    return 1
}

find_environment() {
    local folder="${VIRTUAL_ENV:-${CONDA_PREFIX:-$REPO/.venv}}" python
    PYTHON="$folder/bin/python"
    if [ ! -x "$PYTHON" ]; then
        python="$(find_python)" || return 1
        echo "== making a virtual environment in $folder ($("$python" --version))"
        if ! "$python" -m venv "$folder"; then
            echo "error: $python cannot make environments (Debian: apt install python3-venv)" >&2
            return 1
        fi
    fi
    if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        echo "error: $PYTHON is $("$PYTHON" --version); Python >= 3.10 is needed:" \
            "deactivate this environment, or activate a newer one" >&2
        return 1
    fi
}

# True when this environment was last set up from this checkout, unchanged, with these extras.
is_installed() {
    [ "$(cat "$1" 2>/dev/null)" = "$2" ] && "$PYTHON" -c '
from importlib.metadata import version
version("shufflenet_det"), version("torch"), version("mmdet"), version("mmengine")' 2>/dev/null
}

has_compiled_mmcv() {
    "$PYTHON" -c 'from importlib.metadata import version; version("mmcv")' 2>/dev/null
}

install_project() {
    local extras="lite ${EXTRAS:-}" stamp state
    if has_compiled_mmcv; then
        extras="train ${EXTRAS:-}" # mmcv-lite would overwrite it
    fi
    extras="$(echo $extras | tr ' ' ',')"
    stamp="$("$PYTHON" -c 'import sys; print(sys.prefix)')/.shufflenet_det_${extras//,/_}"
    state="$REPO $(cat "$REPO/setup.py" "$REPO/shufflenet_det/version.py" \
        "$REPO"/shufflenet_det/integration/shufflenet_det{.pth,_startup.py} | cksum)"
    if is_installed "$stamp" "$state"; then
        return
    fi
    echo "== installing shufflenet_det[$extras] with its dependencies into $(dirname "$stamp")"
    echo "   (the first time several GB, PyTorch above all; some minutes)"
    "$PYTHON" -m pip install -e "$REPO${extras:+[$extras]}" || return 1
    echo "$state" >"$stamp"
}

# Threads that wait for each other by spinning lose most of a machine that others use too.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
find_environment && install_project && export PATH="$(dirname "$PYTHON"):$PATH"
