#!/usr/bin/env bash
# Set up, generate the demo data, train, evaluate and draw detections. Run again at will: what is
# there is reused. QUICKSTART_DIR moves the results (work_dirs/quickstart).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/setup_env.sh

config=configs/demo/lighthead_snv2_demo.py
out=${QUICKSTART_DIR:-work_dirs/quickstart}

echo '== 1/4 demo data'
python tools/make_demo_data.py --root data/demo
echo '== 2/4 train'
python tools/train.py "$config" --work-dir "$out" "$@"
checkpoint=$(cat "$out/last_checkpoint")
echo '== 3/4 evaluate'
python tools/test.py "$config" "$checkpoint" --work-dir "$out/test" --classwise
echo '== 4/4 draw detections'
python tools/detect.py data/demo/val "$config" "$checkpoint" --out-dir "$out/detections"

echo
echo "checkpoint:  $checkpoint"
echo "config, log: $out"
echo "pictures:    $out/detections/*.png, detections.json beside them"
echo "demo data:   data/demo"
