#!/usr/bin/env bash
# Sets everything up, checks the style and runs the tests: bash tools/run_tests.sh [PYTEST ARGUMENTS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
EXTRAS='tests deploy'
source tools/setup_env.sh

export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
echo "== style"
python -m ruff check .
python -m ruff format --check .
echo "== tests"
python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal "$@"
