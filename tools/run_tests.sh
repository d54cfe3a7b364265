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
run() { python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal "$@"; }
for argument in "$@"; do
    if [ -e "${argument%%::*}" ]; then # of these files alone
        run "$@"
        exit
    fi
done
# Trainings in processes of their own: behind all runtimes of detectors one of them crashed.
rest=0 trainings=0
run --ignore tests/training "$@" || rest=$?
run tests/training "$@" || trainings=$?
[ $rest != 5 ] || rest=$trainings # 5: -k chose no test there
[ $trainings != 5 ] || trainings=$rest
exit $((rest > trainings ? rest : trainings))
