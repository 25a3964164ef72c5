"""From saved logits to scores, intervals and tests. No network is needed."""
