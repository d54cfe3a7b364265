"""The fault drill: every row of the list of faults as an experiment, `tools/fault_drill.sh`."""
