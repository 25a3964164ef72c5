"""What Snakemake's main process does around a study: its folder is held, its command noted, its records looked for, Ctrl-C one line."""
