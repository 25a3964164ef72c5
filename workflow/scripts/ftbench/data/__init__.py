"""From a source of images to arrays, their split and their statistics."""
