# PSRoIAlign takes the largest of a bin's samples, without a shift, as the authors' code does.
light_head = dict(roi_head=dict(bbox_roi_extractor=dict(roi_layer=dict(mode='max'))))
