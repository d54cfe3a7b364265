# Train on scales around the config's own, one drawn for each image.
multi_scale = dict(ratios=(0.75, 0.875, 1.0, 1.125, 1.25))
