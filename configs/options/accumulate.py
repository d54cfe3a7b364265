# Sum the gradients of 4 batches before a step: four times the batch size in the same memory.
# Another number: --cfg-options optim_wrapper.accumulative_counts=8
optim_wrapper = dict(accumulative_counts=4)
