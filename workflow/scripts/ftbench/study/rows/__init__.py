"""Images that are listed in rows, in a table or inside of shards, instead of lying in class folders."""
