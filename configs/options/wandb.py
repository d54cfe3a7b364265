# Curves on Weights & Biases (pip install wandb; WANDB_MODE=offline keeps them on this machine).
append = {
    'visualizer.vis_backends': [
        dict(type='WandbVisBackend', init_kwargs=dict(project='shufflenet_det'))
    ]
}
