"""Which images show the same picture: candidates, their comparison in pixels, and the clusters that they form."""
