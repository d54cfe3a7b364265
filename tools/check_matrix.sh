#!/usr/bin/env bash
# Tries the package with other versions: bash tools/check_matrix.sh [CELL ...] [--run COMMAND]
# Each cell of tests/harness/matrix/cells.py gets an environment, several GB for one of an own Python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
EXTRAS='deploy'
source tools/setup_env.sh
export PYTHONPATH="$PWD:$PWD/tests:$PWD/tools" OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec python -m harness.matrix "$@"
