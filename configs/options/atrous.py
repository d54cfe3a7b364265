# C5 at stride 16 by a dilated last stage, as in setting L: nearly twice the macs of setting S.
light_head = dict(backbone=dict(output_stride=16, last_dilation=2))
