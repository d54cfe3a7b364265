# The convs of the thin map learn at the rate of all others, not three times as fast.
light_head = dict(roi_head=dict(thin_map=dict(gradient_factor=1.0)))
