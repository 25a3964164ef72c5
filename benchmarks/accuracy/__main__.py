"""`python -m accuracy FOLDER NAME EPOCHS`: see race.py."""

from accuracy.race import main

main()
