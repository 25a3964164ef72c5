"""The operations that augmentation policies are made of: whole batches of uint8 images, on their device.

Every operation maps (B, H, W, 3) uint8 to the same, and draws its random choices, one per image, from a CPU generator:
the choices do not depend on the device, and a resumed run replays them. They act on the images as stored, before the
backbone's resize, so that a crop means the same at every input size.
"""

import torch
import torch.nn.functional as F

from ftbench.machine.upload import upload
from ftbench.pixels import transforms

MAX_DEGREES = 15.0  # of rotation, either way


def crop(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Random crop of the image padded with zeros by an eighth of its side: the textbook's 4 pixels at 32."""
    count, height, width, _ = images.shape
    pad = max(1, height // 8)
    top, left = upload(torch.randint(0, 2 * pad + 1, (2, count), generator=generator), images.device)
    padded = F.pad(images, (0, 0, pad, pad, pad, pad))
    rows = top[:, None] + torch.arange(height, device=images.device)
    columns = left[:, None] + torch.arange(width, device=images.device)
    index = torch.arange(count, device=images.device)
    return padded[index[:, None, None], rows[:, :, None], columns[:, None, :]]


def flip(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mirror left and right, each image with probability 1/2."""
    mirrored = upload(torch.rand(len(images), generator=generator) < 0.5, images.device)
    return torch.where(mirrored[:, None, None, None], images.flip(2), images)


def rotate(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Rotate about the centre by an angle uniform in ±15 degrees, bilinear, zeros outside."""
    degrees = (torch.rand(len(images), generator=generator) * 2 - 1) * MAX_DEGREES
    return transforms.rotate(images, upload(degrees, images.device))
