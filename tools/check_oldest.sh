#!/usr/bin/env bash
# Runs the tests with the oldest versions that setup.py allows: bash tools/check_oldest.sh [PYTEST ARGUMENTS]
# They go into an environment of their own, .venv-oldest, beside .venv; several GB the first time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset VIRTUAL_ENV CONDA_PREFIX
PYTHON="${PYTHON:-python3}"
[ -x .venv-oldest/bin/python ] || "$PYTHON" -m venv .venv-oldest
python="$PWD/.venv-oldest/bin/python"

# Every lower bound of the requirements as a pin: torch>=2.6 is torch==2.6.*, mmdet>=3.3.0,<3.4 is 3.3.0.
pins="$("$python" - <<'PY'
import re
from pathlib import Path

pins = {}
for name, version in re.findall(r"'([\w-]+)>=([\w.]+)", Path('setup.py').read_text()):
    pins.setdefault(name, version)  # torch of training stands before that of exporting
for name, version in pins.items():
    print(f'{name}=={version}' + ('.*' if version.count('.') < 2 and 'rc' not in version else ''))
PY
)"
echo "== oldest versions:" $pins
"$python" -m pip install --quiet $pins
"$python" -m pip install --quiet --no-deps --no-build-isolation -e .
"$python" -m pip check || true
export PATH="$(dirname "$python"):$PATH" OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal "$@"
