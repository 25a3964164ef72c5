"""Stands in for Slurm's programs: writes down what is submitted, and says of every job that it failed.

Installed under the names sbatch, squeue, scontrol, sinfo and scancel in front of PATH, with the folder of its records in
FAKE_SLURM. So a test sees the command line of every attempt, and no job costs time.
"""

import json
import os
import sys
from pathlib import Path

RECORDS = Path(os.environ["FAKE_SLURM"])


def main() -> None:
    program = Path(sys.argv[0]).name
    if program == "sbatch":
        number = 1
        while True:  # two are submitted at a time
            try:
                with (RECORDS / f"{number}.json").open("x") as stream:
                    json.dump(sys.argv[1:], stream)
                break
            except FileExistsError:
                number += 1
        print(number)
    elif program == "squeue":
        for record in RECORDS.glob("*.json"):
            print(f"{record.stem}|FAILED")
    elif program == "scontrol":
        print("MaxArraySize            = 1001\nMinJobAge               = 300 sec")
    elif program == "sinfo":
        print("PARTITION\ncpu*\ngpu")


main()
