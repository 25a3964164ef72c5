"""finetune-bench: which pretrained backbone, fine-tuned by which strategy, at which cost, for these images.

Its folders have an order, and a module imports only from its own folder and from those before it: docs/architecture.md has
the order, and tests/unit/test_floors.py holds it.
"""

__version__ = "0.1.0"
