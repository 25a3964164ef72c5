"""The ground: errors, files, digests, logits, the job around every entry script. Without torch."""
