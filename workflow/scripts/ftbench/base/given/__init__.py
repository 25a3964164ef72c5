"""What people give: their folders, the names and first bytes of their files, and their tables, read in one way everywhere."""
