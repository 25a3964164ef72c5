"""Pages of docs/ and config/ whose tables are written by the code itself."""
