# Mosaic, affine and MixUp (as in YOLOX) between the config's own loading and augmentation.
mosaic_mixup = dict(affine_scales=(0.5, 1.5), mixup_ratios=(0.8, 1.6))
