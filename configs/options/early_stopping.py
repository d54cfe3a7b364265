# Stop when 5 validations in a row bring no 0.001 of mAP. For Pascal VOC:
# --cfg-options default_hooks.early_stopping.monitor=pascal_voc/mAP
default_hooks = dict(
    early_stopping=dict(
        type='EarlyStoppingHook', monitor='coco/bbox_mAP', rule='greater', min_delta=0.001,
        patience=5, strict=True,
    )
)  # fmt: skip
