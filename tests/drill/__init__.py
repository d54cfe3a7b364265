"""The fault drill: every row of `faults.py` as experiments, run by `tools/fault_drill.sh`."""
