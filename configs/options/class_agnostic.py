# One box for all classes in every RoI head.
roi_box_heads = dict(reg_class_agnostic=True)
