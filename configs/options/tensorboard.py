# Curves for TensorBoard in WORK_DIR/TIME/vis_data (pip install tensorboard).
append = {'visualizer.vis_backends': [dict(type='TensorboardVisBackend')]}
