"""A local page and a JSON endpoint for one model: `ftbench serve`."""
