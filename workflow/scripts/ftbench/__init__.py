"""finetune-bench: which pretrained backbone, fine-tuned by which strategy, at which cost, for these images.

The package is built in floors, and a module imports only from floors below its own (tests/unit/test_floors.py holds
this). See `FLOORS` in that test for the list.
"""

__version__ = "0.1.0"
