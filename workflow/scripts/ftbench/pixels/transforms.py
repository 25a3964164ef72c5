"""The operations of TrivialAugment and RandAugment on whole batches of uint8 images, each image with its own strength.

They mean what Pillow's and torchvision's functions of the same names mean; geometry is bilinear about the centre with
black outside. Libraries apply one operation to a whole batch or loop over images; here the images of a batch that drew
the same operation are changed together. `strength` is a tensor (B,), in the unit of each operation.
"""

import torch
import torch.nn.functional as F

from ftbench.machine.upload import upload


def warp(images: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Sample (B, H, W, 3) uint8 at `matrix` (B, 2, 3), which maps output to input pixels, both relative to the centre."""
    height, width = images.shape[1:3]
    # affine_grid's coordinates run over [-1, 1] on both axes, whatever the sides are
    scale = torch.tensor([[1.0, height / width, 2 / width], [width / height, 1.0, 2 / height]], device=images.device)
    pixels = images.permute(0, 3, 1, 2).float()
    grid = F.affine_grid(matrix * scale, list(pixels.shape), align_corners=False)
    warped = F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return warped.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _matrix(a, b, x, c, d, y) -> torch.Tensor:
    return torch.stack([torch.stack([a, b, x], 1), torch.stack([c, d, y], 1)], 1)


def rotate(images: torch.Tensor, degrees: torch.Tensor) -> torch.Tensor:
    angle, zero = torch.deg2rad(degrees), torch.zeros_like(degrees)
    return warp(images, _matrix(angle.cos(), -angle.sin(), zero, angle.sin(), angle.cos(), zero))


def shear_x(images: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    one, zero = torch.ones_like(slope), torch.zeros_like(slope)
    return warp(images, _matrix(one, slope, zero, zero, one, zero))


def shear_y(images: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    one, zero = torch.ones_like(slope), torch.zeros_like(slope)
    return warp(images, _matrix(one, zero, zero, slope, one, zero))


def translate_x(images: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    one, zero = torch.ones_like(pixels), torch.zeros_like(pixels)
    return warp(images, _matrix(one, zero, pixels, zero, one, zero))


def translate_y(images: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    one, zero = torch.ones_like(pixels), torch.zeros_like(pixels)
    return warp(images, _matrix(one, zero, zero, zero, one, pixels))


def _blend(images: torch.Tensor, other: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    """other + (images - other) · (1 + amount): 0 changes nothing, -1 gives `other`."""
    pixels = other + (images.float() - other) * (1 + amount).view(-1, 1, 1, 1)
    return pixels.round().clamp(0, 255).to(torch.uint8)


def _grey(images: torch.Tensor) -> torch.Tensor:
    weights = torch.tensor([0.299, 0.587, 0.114], device=images.device)  # ITU-R 601, as Pillow converts
    return (images.float() @ weights).round().unsqueeze(3)


def brightness(images: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    return _blend(images, torch.zeros_like(images, dtype=torch.float32), amount)


def colour(images: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    return _blend(images, _grey(images), amount)


def contrast(images: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    return _blend(images, _grey(images).mean((1, 2, 3), keepdim=True).round(), amount)


def sharpness(images: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    """Towards or away from the image smoothed by (1 1 1, 1 5 1, 1 1 1) / 13; the border stays."""
    kernel = torch.ones(3, 3, device=images.device)
    kernel[1, 1] = 5
    pixels = images.permute(0, 3, 1, 2).float()
    smooth = pixels.clone()
    if min(pixels.shape[2:]) > 2:
        smooth[:, :, 1:-1, 1:-1] = F.conv2d(pixels, (kernel / 13).expand(3, 1, 3, 3), groups=3).round()
    return _blend(images, smooth.permute(0, 2, 3, 1), amount)


def posterize(images: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    """Keep the upper `bits` of each value."""
    mask = (256 - 2 ** (8 - bits.round().int())).to(torch.uint8)
    return images & mask.view(-1, 1, 1, 1)


def solarize(images: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """Invert the values at or above `threshold`."""
    return torch.where(images >= threshold.view(-1, 1, 1, 1), 255 - images, images)


def autocontrast(images: torch.Tensor, _strength: torch.Tensor) -> torch.Tensor:
    """Stretch each channel to 0..255; one of a single value stays."""
    pixels = images.float()
    low, high = pixels.amin((1, 2), keepdim=True), pixels.amax((1, 2), keepdim=True)
    stretched = (pixels - low) * 255 / (high - low).clamp(min=1)
    return torch.where(high > low, stretched.clamp(0, 255), pixels).to(torch.uint8)


def equalize(images: torch.Tensor, _strength: torch.Tensor) -> torch.Tensor:
    """Spread the values of each channel so that all are about equally frequent, by Pillow's own table."""
    count, height, width, _ = images.shape
    values = images.permute(0, 3, 1, 2).reshape(count * 3, height * width).long()
    histogram = torch.zeros(count * 3, 256, dtype=torch.long, device=images.device)
    histogram.scatter_add_(1, values, torch.ones_like(values))
    last = histogram.gather(1, values.amax(1, keepdim=True))  # how often the highest value occurs
    step = (height * width - last) // 255
    below = histogram.cumsum(1) - histogram
    table = torch.where(step > 0, (below + step // 2) // step.clamp(min=1), torch.arange(256, device=images.device))
    new = table.clamp(0, 255).gather(1, values).to(torch.uint8)
    return new.view(count, 3, height, width).permute(0, 2, 3, 1).contiguous()


def apply(images: torch.Tensor, drawn: torch.Tensor, operations: list, strengths: list[torch.Tensor]) -> torch.Tensor:
    """Change each image by the operation that it drew: `operations[drawn[i]]` with strength `strengths[drawn[i]][i]`.

    None among the operations is the identity. `drawn` (B,) and `strengths` lie on the CPU.
    """
    images = images.clone()
    for number, operation in enumerate(operations):
        own = (drawn == number).nonzero()[:, 0]
        if operation is not None and len(own):
            rows = upload(own, images.device)
            images[rows] = operation(images[rows], upload(strengths[number][own], images.device))
    return images
