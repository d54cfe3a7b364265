#!/usr/bin/env bash
# Tests every runtime, those too that CI leaves out: bash tools/check_runtimes.sh [PYTEST ARGUMENTS]
# They go into an environment of their own, .venv-runtimes, beside .venv; several GB the first time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset CONDA_PREFIX
export VIRTUAL_ENV="$PWD/.venv-runtimes"
EXTRAS='tests executorch litert'
PYTHON="${PYTHON:-python3}"
[ -x "$VIRTUAL_ENV/bin/python" ] || "$PYTHON" -m venv "$VIRTUAL_ENV"
"$VIRTUAL_ENV/bin/python" -m pip install --quiet --upgrade pip # an older one searches for hours
source tools/setup_env.sh
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec python -m pytest -rs tests/deploy/test_formats.py tests/deploy/test_archives_refused.py "$@"
