# Validate and save an exponential moving average of the weights, with RTMDet's settings.
default_hooks = dict(
    ema=dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.0002, update_buffers=True)
)
