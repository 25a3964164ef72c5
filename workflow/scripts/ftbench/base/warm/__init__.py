"""Jobs that start warm: forked from a process that has imported the heavy libraries already."""
