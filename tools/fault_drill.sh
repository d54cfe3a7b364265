#!/usr/bin/env bash
# Tries every fault of the list and says how it was handled: bash tools/fault_drill.sh [--short]
# The short drill takes minutes; the long one is recorded in data/results/fault_drill.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
EXTRAS="${EXTRAS:-deploy}"
source tools/setup_env.sh

export CUDA_VISIBLE_DEVICES= OMP_NUM_THREADS=1
if [[ " $* " == *" --short "* ]]; then
    exec env PYTHONPATH=tests python -m drill "$@"
fi
mkdir -p data/results
exec env PYTHONPATH=tests python -m drill --out data/results/fault_drill.json "$@"
