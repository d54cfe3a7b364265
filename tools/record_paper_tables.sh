#!/usr/bin/env bash
# Records Table 8, its headline and the guidelines with one thread, as the paper's ARM chip computes,
# and Table 8 with two threads beside it; then the pages. On a machine without other work.
set -euo pipefail
cd "$(dirname "$0")/.."
results=data/results
headline=(snv2_2.0x snv1_2.0x xception_2.0x mobilenetv2_1.4)

python tools/latency.py --arch table8 --classifier --forms eager folded-channels-last deploy \
    --threads 1 --out $results/table8_cpu.json --plot $results/table8_cpu.png
python tools/latency.py --arch table8 --classifier --forms eager folded-channels-last deploy \
    --threads 2 --out $results/table8_2threads_cpu.json
for batch in 1 4 8; do
    python tools/latency.py --arch "${headline[@]}" --classifier --batch $batch --threads 1 \
        --forms eager folded-channels-last deploy --out $results/headline_batch${batch}_cpu.json
done
python tools/guidelines.py --threads 1 --out $results/guidelines_cpu.json \
    --plot $results/guidelines_cpu.png
for page in README.md shufflenet_det/bench/README.md shufflenet_det/deploy/README.md; do
    python tools/report.py --readme $page
done
