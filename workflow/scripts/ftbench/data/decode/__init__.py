"""From one encoded image to its pixels, in the shape, range and size that a study stores."""
