"""From the host's memory to a device, without waiting for it.

A plain copy to a GPU waits until the GPU has done all that it was given before, so that nothing is queued while the next step
is prepared. A copy that is queued behind that work costs no wait. Where the device is the CPU, nothing is copied.
"""

import torch


def upload(tensor: torch.Tensor, device: torch.device, large: bool = False) -> torch.Tensor:
    """The CPU tensor `tensor`, which nobody writes to any more, on `device`. A `large` one goes through pinned memory to CUDA."""
    if device.type != "cuda":
        return tensor.to(device)
    return (tensor.pin_memory() if large else tensor).to(device, non_blocking=True)
