"""The commands of `ftbench`, one file each: see tools/command_line.py for what a file holds."""
