# Mixed precision in float16 with loss scaling; needs a GPU. The same as --amp.
optim_wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic', dtype='float16')
