"""What tables and figures share: columns, formats, pages, frames, style."""
