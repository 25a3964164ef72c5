"""The textbook recipe as a baseline row: full fine-tuning by SGD, learning rate 0.001, momentum 0.9, and no tuning.

This is what most tutorials on CIFAR-10 do. It starts from the pretrained weights where the backbone has some, and its
learning rate is nobody's choice: the distance to `finetune` is what tuning is worth.
"""

DECLARES = {
    "start": "any",
    "engine": "loop",
    "tuned": None,
    "stochastic": True,
    "recipe": {
        "optimizer": "sgd",
        "learning_rate": 0.001,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warmup_steps": 0,
        "label_smoothing": 0.0,
        "batch_size": 128,
        "augmentation": "crop_flip",
        "mixup": 0.0,
        "cutmix": 0.0,
        "ema_decay": 0.0,
        "clip_norm": None,
        "class_weights": "none",
        "patience": None,
        "image_sizes": None,
        "norm_statistics": "batch",
    },
}


def trainable(backbone):
    return [name for name, _ in backbone.network.named_parameters()]
