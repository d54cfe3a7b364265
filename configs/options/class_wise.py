# A box for each class in every RoI head.
roi_box_heads = dict(reg_class_agnostic=False)
