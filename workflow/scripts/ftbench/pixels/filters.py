"""Filters and warps of image batches (B, C, H, W) float: what the blurs and the elastic transform are made of."""

import math

import torch
import torch.nn.functional as F


def blur(pixels: torch.Tensor, sigma: float, truncate: float = 4.0, mode: str = "replicate") -> torch.Tensor:
    """Gaussian blur, cut off at `truncate` sigmas; borders are repeated (or reflected, by `mode`)."""
    radius = min(int(truncate * sigma + 0.5), min(pixels.shape[-2:]) - 1)
    if radius < 1:
        return pixels
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2).to(pixels.device)
    kernel /= kernel.sum()
    channels = pixels.shape[1]
    across = F.pad(pixels, (radius, radius, 0, 0), mode=mode)
    across = F.conv2d(across, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    down = F.pad(across, (0, 0, radius, radius), mode=mode)
    return F.conv2d(down, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)


def disk_kernel(radius: float, rim: float) -> torch.Tensor:
    """(K, K) kernel of sum 1: a disk of `radius` pixels whose rim a 3×3 Gaussian of sigma `rim` softens."""
    reach = math.floor(radius) + 1
    line = torch.arange(-reach, reach + 1).float()
    disk = (line[:, None] ** 2 + line**2 <= radius**2).float()
    soft = torch.exp(-0.5 * (torch.arange(-1.0, 2.0) / rim) ** 2)
    soft /= soft.sum()
    return F.conv2d((disk / disk.sum())[None, None], (soft[:, None] * soft)[None, None], padding=1)[0, 0]


def filter_with(pixels: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Each channel filtered with a (K, K) kernel; borders are repeated."""
    reach, channels = len(kernel) // 2, pixels.shape[1]
    padded = F.pad(pixels, (reach,) * 4, mode="replicate")
    return F.conv2d(padded, kernel.to(pixels.device).expand(channels, 1, -1, -1), groups=channels)


def trail(pixels: torch.Tensor, radius: float, sigma: float, degrees: torch.Tensor) -> torch.Tensor:
    """Motion blur: a one-sided Gaussian trail of 2 · radius + 1 pixels, in each image's own direction, (B,) degrees."""
    height, width = pixels.shape[-2:]
    length = 2 * max(1, round(radius)) + 1
    weights = torch.exp(-0.5 * (torch.arange(length) / sigma) ** 2)
    weights /= weights.sum()
    angle = torch.deg2rad(degrees)
    batch = torch.arange(len(pixels), device=pixels.device)[:, None, None]
    result = torch.zeros_like(pixels)
    for number, weight in enumerate(weights.tolist()):
        down, right = ((number * f(angle)).round().long().to(pixels.device) for f in (torch.sin, torch.cos))
        rows = (torch.arange(height, device=pixels.device) + down[:, None]).clamp(0, height - 1)
        columns = (torch.arange(width, device=pixels.device) + right[:, None]).clamp(0, width - 1)
        # Indices around a slice: the channels come last.
        moved = pixels[batch, :, rows[:, :, None], columns[:, None, :]]
        result += weight * moved.permute(0, 3, 1, 2)
    return result


def zoomed(pixels: torch.Tensor, factor: float) -> torch.Tensor:
    """The centre magnified by `factor`, bilinear."""
    if factor == 1:
        return pixels
    matrix = torch.tensor([[1 / factor, 0, 0], [0, 1 / factor, 0]], device=pixels.device, dtype=pixels.dtype)
    grid = F.affine_grid(matrix.expand(len(pixels), -1, -1), list(pixels.shape), align_corners=True)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=True)


def shrunk(pixels: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Resized to (height, width), no larger than before: each new pixel is the mean of the area that it covers."""

    def overlaps(old: int, new: int) -> torch.Tensor:
        edges = torch.arange(new + 1) * (old / new)
        low = torch.maximum(edges[:-1, None], torch.arange(old).float())
        high = torch.minimum(edges[1:, None], torch.arange(1, old + 1).float())
        return ((high - low).clamp(min=0) * new / old).to(pixels.device)

    rows, columns = overlaps(pixels.shape[2], height), overlaps(pixels.shape[3], width)
    return rows @ pixels @ columns.T


def shuffled(pixels: torch.Tensor, reach: int, passes: int, generator: torch.Generator) -> torch.Tensor:
    """Pixels swapped with a random one up to `reach` before (or reach - 1 after) on both axes, one after another, in place order."""
    height, width = pixels.shape[-2:]
    batch = torch.arange(len(pixels), device=pixels.device)
    pixels = pixels.clone()
    for _ in range(passes):
        steps = torch.randint(-reach, reach, (2, height, width, len(pixels)), generator=generator).to(pixels.device)
        for row in range(height - reach, reach, -1):
            for column in range(width - reach, reach, -1):
                there = row + steps[0, row - 1, column - 1], column + steps[1, row - 1, column - 1]
                kept = pixels[:, :, row, column].clone()
                pixels[:, :, row, column] = pixels[batch, :, there[0], there[1]]
                pixels[batch, :, there[0], there[1]] = kept
    return pixels


def elastic(pixels, strength: float, sigma: float, affine: float, generator: torch.Generator) -> torch.Tensor:
    """A random affine map, then a smooth random displacement; lengths in pixels, borders reflected (Simard et al. 2003).

    Three points around the centre move by up to `affine` pixels; each pixel by noise in ±1, blurred by `sigma`, times `strength`.
    """
    count, _, height, width = pixels.shape
    middle, arm = torch.tensor([width // 2, height // 2]).float(), min(height, width) // 3
    points = middle + arm * torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    moved = points + affine * (2 * torch.rand((count, 3, 2), generator=generator) - 1)
    noise = 2 * torch.rand((count, 2, height, width), generator=generator) - 1
    ones = torch.ones(count, 3, 1)
    # Where each output pixel comes from: the map that takes the moved points back.
    back = torch.linalg.solve(torch.cat([moved, ones], 2), points.expand(count, 3, 2))
    shift = strength * (blur(noise, sigma, truncate=3.0, mode="reflect") if sigma > 0 else 0 * noise)
    rows, columns = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    places = torch.stack([columns + shift[:, 0], rows + shift[:, 1], torch.ones(count, height, width)], 3)
    source = torch.einsum("bhwk,bkd->bhwd", places, back)
    # grid_sample's coordinates run over [-1, 1] from the first pixel's centre to the last one's
    scaled = 2 * source / torch.tensor([width - 1, height - 1]) - 1
    return F.grid_sample(
        pixels, scaled.to(pixels.device), mode="bilinear", padding_mode="reflection", align_corners=True
    )
