"""An image folder as people keep them: where its parts and classes are, and what is no image of it."""
