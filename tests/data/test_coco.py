import numpy as np

from shufflenet_det.data.coco import coco_results


def test_boxes_get_width_and_height_and_classes_without_category_are_left_out():
    boxes = np.array([[1, 2, 4, 7], [0, 0, 5, 5]], np.float32)
    results = coco_results(7, boxes, np.array([0.5, 0.25]), np.array([1, 0]), [None, 3])
    assert results == [dict(image_id=7, category_id=3, bbox=[1, 2, 3, 5], score=0.5)]
