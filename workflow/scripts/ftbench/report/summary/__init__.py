"""The summary: a study's answer on one page, from saved tables and figures alone."""
