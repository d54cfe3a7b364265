# Mixed precision in bfloat16, on GPUs that have it and on CPUs; needs no loss scaling.
optim_wrapper = dict(type='BFloat16OptimWrapper')
