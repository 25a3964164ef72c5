"""The Hugging Face Trainer by the recipe of its guide to image classification.

AdamW at 5e-5, linear decay after a warm-up of a tenth, batches of 16 accumulated over 4, 3 epochs, RandomResizedCrop; float32, as the guide has
it on a processor. The network is timm's under the two names that the Trainer asks for, pixel_values and labels.
"""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision import transforms
from transformers import Trainer, TrainerCallback, TrainingArguments

from accuracy.race import WORKERS, Race

EPOCHS = 3
RECIPE = "its image-classification guide: AdamW 5e-5, linear, a tenth of warm-up, batch 16 x 4 accumulated, RandomResizedCrop, 3 epochs"


class Classifier(torch.nn.Module):
    def __init__(self, network: torch.nn.Module):
        super().__init__()
        self.network = network

    def forward(self, pixel_values, labels=None):
        logits = self.network(pixel_values)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


class Rows(torch.utils.data.Dataset):
    def __init__(self, race: Race, rows, transform):
        self.images, self.labels, self.transform = race.images[rows], race.labels[rows], transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> dict:
        pixels = self.transform(Image.fromarray(self.images[row]).convert("RGB"))
        return {"pixel_values": pixels, "labels": int(self.labels[row])}


class Stop(TrainerCallback):
    over = False

    def on_evaluate(self, args, state, control, **_):
        control.should_training_stop = self.over


def prepare(race: Race):
    last = [transforms.ToTensor(), transforms.Normalize(race.mean, race.std)]
    training = transforms.Compose([transforms.RandomResizedCrop(race.size), *last])
    judged = transforms.Compose([transforms.Resize(race.size), transforms.CenterCrop(race.size), *last])
    stop = Stop()

    def told(prediction) -> dict:
        stop.over = race.validated(np.asarray(prediction.predictions))
        return {}

    arguments = TrainingArguments(
        output_dir=str(race.folder / "out"),
        remove_unused_columns=False,
        eval_strategy="epoch",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        learning_rate=5e-5,
        per_device_train_batch_size=race.batch or 16,
        gradient_accumulation_steps=4 if race.batch is None else 1,
        per_device_eval_batch_size=race.batch or 16,
        num_train_epochs=race.epochs,
        warmup_steps=0.1,  # below 1 a share of all steps
        dataloader_num_workers=WORKERS,
        disable_tqdm=True,
        use_cpu=True,
        seed=race.seed,
    )
    trainer = Trainer(
        model=Classifier(race.network()),
        args=arguments,
        train_dataset=Rows(race, race.train, training),
        eval_dataset=Rows(race, race.validation, judged),
        compute_metrics=told,
        callbacks=[stop],
    )
    return trainer.train
