"""Attacks on a study: kills, power cuts, damaged files. `make stress` runs them all and prints what came of each.

    python tests/stress/attacks.py [--kills 100] [--power-cuts 20] [--seed 0] [--folder FOLDER]

An attack begins a study, breaks something at a random moment, and finishes the study as docs/reliability.md says. What
comes out must be what an untouched study gives: the same models, logits, scores and tables, seconds and dates aside. Power cuts copy
the image of a loop-mounted ext4 file system while the study writes to it, and go on in the copy: they need root.
"""

import argparse
import contextlib
import csv
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in (".", "workflow", "unit", "../workflow/scripts")]

import tiny_archives  # noqa: E402
from studies import WEIGHTS, Clone, environment, tiny, write_weights  # noqa: E402

from ftbench.study.driver import interrupt  # noqa: E402

EXACT = (".safetensors", ".npz", ".npy", "metrics.json", "classes.json", "normalization.json", "recipe.json")
MEASURED = ("seconds", "memory", "latency", "images_per_second", "device", "threads", "wh", "minutes", "flops_per")
TABLE = "results/tiny/tables/comparison.csv"
PATIENCE = 900  # seconds for a start that nobody disturbs, beside other work
KILLS = ("job KILL", "driver KILL", "all KILL", "job TERM", "driver TERM", "all TERM", "job INT", "driver INT", "all INT",
         "job STOP KILL", "all STOP KILL")  # fmt: skip
WHOLE = 60  # seconds of an undisturbed study that the moments of attacks are made for; a slower machine has later ones
DAMAGES = ("emptied", "halved", "one byte changed")


def small_study(root: Path, quick: bool = False, mirror: Path | None = None) -> Clone:
    """A study of every stage: download, weights, features, trials, runs, tables. A quick one has no pretrained weights and features.

    `mirror` is the folder that it downloads from, beside `root` if not given; it must outlast the disk that the study lies on.
    """
    config = tiny()
    archive = mirror or root.parent / "mirror"
    archive.mkdir(parents=True, exist_ok=True)
    tiny_archives.TRAIN, tiny_archives.TEST = [0, 1] * 20, [0, 1] * 8
    tiny_archives.build("CIFAR10", archive)
    (packed,) = archive.glob("*.tar.gz")
    config["datasets"] = {
        "digits": config["datasets"]["digits"],
        "cifar": {"source": "torchvision", "name": "CIFAR10", "validation_fraction": 0.25, "urls": [f"{archive.as_uri()}/"],
                  "md5": hashlib.md5(packed.read_bytes()).hexdigest()},
    }  # fmt: skip
    config["strategies"] = {name: config["strategies"][name] for name in ("linear_probe", "lp_ft", "scratch")}
    config["strategies"]["scratch"]["epochs"] = 150  # some seconds each: long enough to be hit
    config["exclude"] = [
        {"backbone": "pretrained", "strategy": "scratch"},
        {"dataset": "cifar", "backbone": "pretrained"},
        {"dataset": "digits", "backbone": "small"},
    ]
    if quick:
        del config["datasets"]["digits"], config["backbones"]["pretrained"]
        del config["strategies"]["linear_probe"], config["strategies"]["lp_ft"], config["exclude"]
        config["strategies"]["scratch"]["epochs"] = 60
    clone = Clone.of_repository(root, config)
    write_weights(clone.root / WEIGHTS)
    return clone


def fingerprint(clone: Clone) -> dict[str, str]:
    """{file: digest} of what must not depend on any attack."""
    found = {}
    for path in sorted((clone.root / "results").rglob("*")):
        name = str(path.relative_to(clone.root))
        if path.is_file() and path.name.endswith(EXACT) and ".resume" not in name:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    with (clone.root / TABLE).open(newline="") as stream:
        rows = [
            {key: value for key, value in row.items() if not any(word in key for word in MEASURED)}
            for row in csv.DictReader(stream)
        ]
    return found | {TABLE: hashlib.sha256(repr(rows).encode()).hexdigest()}


def start(clone: Clone) -> subprocess.Popen:
    with (clone.root / "driver.txt").open("w") as log:
        return subprocess.Popen(clone.command(TABLE), cwd=clone.root, env=environment(), stdout=log, stderr=subprocess.STDOUT,
                                start_new_session=True)  # fmt: skip


def finish(clone: Clone) -> str:
    """Start until all is done, unlocking where Snakemake asks for it. Returns what the last start said if it failed, else ""."""
    for _ in range(3):
        driver = start(clone)
        driver.wait(PATIENCE)
        said = (clone.root / "driver.txt").read_text(errors="replace")
        if driver.returncode == 0:
            return ""
        if "cannot be locked" not in said:
            return said
        unlock(clone)
    return said


def unlock(clone: Clone) -> None:
    subprocess.run(clone.command("--unlock"), cwd=clone.root, env=environment(), capture_output=True, timeout=PATIENCE)


def jobs(driver: subprocess.Popen) -> list[psutil.Process]:
    """The processes that run a rule's script."""
    found = []
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(driver.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if any(".snakemake/scripts" in part for part in process.cmdline()):
                    found.append(process)
    return found


def send(driver: subprocess.Popen, attack: str, chance: random.Random) -> str:
    """Carry out one of KILLS; returns what was hit."""
    target, *signals = attack.split()
    running = jobs(driver)
    hit = chance.choice(running) if running and target == "job" else None
    what = next((Path(part).stem for part in hit.cmdline() if ".snakemake/scripts" in part), "?") if hit else target
    for name in signals:
        number = getattr(signal, f"SIG{name}")
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if hit:
                hit.send_signal(number)
            elif target == "driver":
                driver.send_signal(number)
            else:
                os.killpg(driver.pid, number)
        time.sleep(0.2)
    return what


def settle(driver: subprocess.Popen) -> None:
    """Until the driver has ended; one that goes on with its other jobs is stopped after some seconds."""
    try:
        driver.wait(15)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(driver.pid, signal.SIGKILL)
        driver.wait(PATIENCE)


def kills(
    folder: Path, count: int, seed: int, expected: dict[str, str], quick: bool = False, pace: float = 1.0
) -> dict:
    """Kill a study `count` times at random moments, each finished study compared and begun anew.

    `pace` is how much slower than usual this machine is. What Ctrl-C said beside its one line is counted, and is not wrong.
    """
    chance, done, studies, hits, wrong, chatty = random.Random(seed), 0, 0, Counter(), [], []
    while done < count:
        clone = small_study(folder / f"killed{studies}", quick)
        finished, own = False, 0
        while not finished and done < count:
            driver, own = start(clone), own + 1
            try:
                # Each attack on one study may come a little later than the last: a machine that others slow down gets on as well.
                finished = driver.wait(pace * chance.uniform(2, 12 + own / 4)) == 0
                if not finished:
                    unlock(clone)
            except subprocess.TimeoutExpired:
                attack = KILLS[done % len(KILLS)]
                hits[f"{attack}: {send(driver, attack, chance)}"] += 1
                settle(driver)
                done += 1
                if attack == "all INT" and (said := beside_the_line(clone)):
                    chatty.append(said)
        studies += 1
        wrong += compare(clone, expected, f"killed{studies - 1}")
        shutil.rmtree(clone.root)
    told = {"said beside Ctrl-C's one line": chatty}
    return {"kills": done, "studies": studies, "hits": dict(sorted(hits.items())), **told, "wrong": wrong}


def beside_the_line(clone: Clone) -> str:
    """The end of what a study that Ctrl-C ended said after its one line, or instead of it; "" if nothing."""
    said = (clone.root / "driver.txt").read_text(errors="replace")
    return said.rpartition(interrupt.LINE)[2].strip()[-200:]


def compare(clone: Clone, expected: dict[str, str], name: str) -> list[str]:
    """Finish the study; what was not as expected, in words."""
    if said := finish(clone):
        return [f"{name}: the documented restart failed: {said[-1500:]}"]
    got = fingerprint(clone)
    return [f"{name}: {path}" for path in sorted(got.keys() | expected.keys()) if got.get(path) != expected.get(path)]


def power_cuts(
    folder: Path, count: int, seed: int, expected: dict[str, str], quick: bool = False, pace: float = 1.0
) -> dict:
    """Cut the power `count` times at random moments: a copy of the file system's image, as the disk had it, is gone on with."""
    chance, wrong, moments = random.Random(seed), [], []
    for number in range(count):
        with mounted(folder, "disk", make=True) as disk:
            clone = small_study(disk / "clone", quick, folder / "mirror")
            subprocess.run(["sync"], check=True)
            driver = start(clone)
            with contextlib.suppress(subprocess.TimeoutExpired):
                driver.wait(pace * chance.uniform(1, 45))
            moments.append(_state(clone))
            subprocess.run(["cp", "--sparse=always", folder / "disk.img", folder / "cut.img"], check=True)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(driver.pid, signal.SIGKILL)
            driver.wait(PATIENCE)
            time.sleep(0.5)
        with mounted(folder, "cut") as disk:
            wrong += compare(Clone(disk / "clone"), expected, f"cut{number}")
    return {"power cuts": count, "moments": moments, "wrong": wrong}


def _state(clone: Clone) -> str:
    """How far a study was: the youngest file below its results."""
    files = [path for path in (clone.root / "results").rglob("*") if path.is_file()]
    return (
        str(max(files, key=lambda path: path.stat().st_mtime).relative_to(clone.root / "results"))
        if files
        else "nothing"
    )


@contextlib.contextmanager
def mounted(folder: Path, name: str, make: bool = False, size: str = "400M"):
    """The folder where the ext4 image `name`.img is mounted; `make` makes an empty one first."""
    image, place = folder / f"{name}.img", folder / name
    place.mkdir(parents=True, exist_ok=True)
    if make:
        image.unlink(missing_ok=True)
        subprocess.run(["truncate", "-s", size, image], check=True)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    try:
        yield place
    finally:
        for _ in range(50):
            if subprocess.run(["umount", place], capture_output=True).returncode == 0:
                break
            time.sleep(0.2)


def damage(path: Path, how: str, chance: random.Random) -> None:
    size = path.stat().st_size
    if how == "one byte changed":
        content = bytearray(path.read_bytes())
        content[chance.randrange(size)] ^= 0x55
        path.write_bytes(content)
    else:
        os.truncate(path, 0 if how == "emptied" else size // 2)


def damages(clone: Clone, seed: int) -> dict:
    """Damage every file of a finished study in every way: `verify`, and with it every job that reads it, must name it."""
    from ftbench.base import verified
    from ftbench.base.errors import InputError
    from ftbench.tools.verify import verify

    chance, outcome, unnamed, unread = random.Random(seed), Counter(), [], []
    found = list(verify(clone.root / "results" / "tiny"))
    for each in found:
        if each.state != "right":
            unread.append(f"{each.path.relative_to(clone.root)} ({each.state})")
            continue
        content = each.path.read_bytes()
        for how in DAMAGES:
            if not content:
                continue
            damage(each.path, how, chance)
            try:
                verified.check([each.path])
                unnamed.append(f"{each.path.relative_to(clone.root)}: {how}")
            except InputError as error:
                outcome[how] += str(each.path) in str(error)
            each.path.write_bytes(content)
    return {"files": len(found), "refused": dict(outcome), "not refused": unnamed, "without a note": unread}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--power-cuts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("results/stress"))
    options = parser.parse_args()
    folder = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    whole, begun = small_study(folder / "whole"), time.monotonic()
    if said := finish(whole):
        print(said)
        return 1
    pace = max(1.0, (time.monotonic() - begun) / WHOLE)
    print(f"undisturbed: {time.monotonic() - begun:.0f} s; attacks come {pace:.1f} times as late as usual")
    expected, wrong = fingerprint(whole), []
    print(f"{len(expected)} files are compared after every attack", flush=True)
    for attack in (
        lambda: damages(whole, options.seed),
        lambda: kills(folder, options.kills, options.seed, expected, pace=pace),
        lambda: power_cuts(folder, options.power_cuts, options.seed, expected, pace=pace),
    ):
        begun = time.monotonic()
        result = attack()
        wrong += result.get("wrong", []) + result.get("not refused", [])
        for key, value in result.items():
            print(f"{key}: {value}", flush=True)
        print(f"({time.monotonic() - begun:.0f} s)", flush=True)
    print("nothing was lost or wrong" if not wrong else f"{len(wrong)} WRONG")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
