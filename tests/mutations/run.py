#!/usr/bin/env python3
"""Breaks the code on purpose, once per entry of mutations.toml, and sees whether the test that holds
the promise fails.

Needs git, cargo and nothing beyond Python's own library. Works on a copy of the checkout as it is,
uncommitted changes included, in target/mutations; the checkout itself is only read.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRATCH = ROOT / "target" / "mutations"
TREE = SCRATCH / "tree"
LIST = Path("tests/mutations/mutations.toml")

# Each test runs once per build, so builds are what takes time: nothing is optimised here.
CARGO = ["cargo", "test", "--locked", "--quiet"] + [
    f"--config=profile.dev.package.{package}.opt-level=0"
    for package in ("acctpool-actors", "acctpool-soak")
]
ENVIRONMENT = os.environ | {
    "CARGO_TARGET_DIR": str(SCRATCH / "build"),
    "CARGO_TERM_COLOR": "never",
    # A broken promise is to be found, not to be explained.
    "PROPTEST_MAX_SHRINK_ITERS": "0",
    "PROPTEST_DISABLE_FAILURE_PERSISTENCE": "1",
    "RUST_BACKTRACE": "0",
}

PASSED, FAILED = "passed", "failed"
NOT_BUILT, NOT_RUN, HUNG = "does not compile", "no such test", "hangs"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="only mutations of this promise, or whose file or test contains it: P3, lease.rs",
    )
    arguments.add_argument(
        "--minutes", type=float, default=5, help="how long a test may run (default: %(default)s)"
    )
    options = arguments.parse_args()
    patience = 60 * options.minutes
    copy_checkout()
    mutations = [entry for entry in read_list() if is_wanted(entry, options.words)]
    if not mutations:
        sys.exit("no mutation is called so")

    healthy = True
    for test, fails in dict.fromkeys((entry["test"], entry["fails"]) for entry in mutations):
        verdict, seconds, output = judge(test, fails, patience)
        print(f"unbroken  {fails}: {verdict} ({seconds:.0f} s)", flush=True)
        if verdict != PASSED:
            print(output)
            healthy = False
    if not healthy:
        sys.exit("a test has to pass before it can be seen failing")

    rows = []
    for entry in mutations:
        verdict, seconds, output = try_out(entry, patience)
        found = {FAILED: "found", PASSED: "SURVIVED"}.get(verdict, verdict)
        row = (entry["promise"], entry["breaks"], entry["fails"], found, f"{seconds:.0f}")
        print("  ".join(row), flush=True)
        if verdict in (NOT_BUILT, NOT_RUN, HUNG):
            print(output)
        rows.append(row)
    print()
    print_table(("promise", "mutation", "test", "", "s"), rows)
    verdicts = Counter(row[3] for row in rows)
    print("\n" + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()))
    sys.exit(0 if set(verdicts) == {"found"} else 1)


def read_list():
    with open(TREE / LIST, "rb") as file:
        return tomllib.load(file)["mutations"]


def is_wanted(entry, words):
    # `P1` does not mean `P10`.
    exact = entry["promise"].split()
    within = (entry["file"], entry["fails"])
    return not words or any(
        word in exact or any(word in name for name in within) for word in words
    )


def copy_checkout():
    """Makes the copy equal to the checkout; what is equal already keeps its time stamp."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    # What is deleted and not committed is still listed.
    wanted = {Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for path in [path for path in TREE.rglob("*") if path.is_file()]:
        if path.relative_to(TREE) not in wanted:
            path.unlink()
    for name in wanted:
        source, copy = ROOT / name, TREE / name
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


def try_out(entry, patience):
    """Breaks the copy, runs the test, and mends the copy."""
    path = TREE / entry["file"]
    whole = path.read_text()
    if whole.count(entry["find"]) != 1:
        sys.exit(f"{entry['file']} does not contain exactly once:\n{entry['find']}")
    path.write_text(whole.replace(entry["find"], entry["replace"]))
    try:
        return judge(entry["test"], entry["fails"], patience)
    finally:
        path.write_text(whole)


def judge(test, fails, patience):
    """Builds and runs one test; returns what came of it, the seconds taken, and what was printed."""
    begun = time.monotonic()

    def verdict(word):
        return word, time.monotonic() - begun, output

    code, output = run([*CARGO, *test.split(), "--no-run"])
    if code != 0:
        return verdict(NOT_BUILT)
    code, output = run([*CARGO, *test.split(), "--", "--exact", fails], patience)
    if code is None:
        return verdict(HUNG)
    # Nothing else runs: if the process ends badly, be it by a signal, it was this test.
    if "running 1 test" not in output:
        return verdict(NOT_RUN)
    return verdict(PASSED if code == 0 else FAILED)


def run(command, patience=None):
    """Returns the exit status, or none if patience ran out, and everything printed."""
    process = subprocess.Popen(
        command,
        cwd=TREE,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # So that the test can be ended together with cargo.
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=patience)
        return process.returncode, output
    except BaseException as interruption:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        if isinstance(interruption, subprocess.TimeoutExpired):
            return None, output
        raise


def print_table(header, rows):
    for row in (header, tuple("---" for _ in header), *rows):
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
