"""Judges the simulator by IBM's own published SDKs.

    python conformance.py --url http://127.0.0.1:9090 --account ACCT --key KEY

KEY is the API key of the owner of ACCT, a fresh account. Every call is made by IBM's SDK, unchanged;
only the simulator's clock and its inventory are reached past it. Prints one line per check, leaves the
account as it found it, and exits with 1 if a check failed.
"""

import argparse
import os
import sys
import traceback

import access
import identity
import infrastructure
import keeping
import networking
import quirks
import resources
import rights
import services
from cloud import Cloud

MODULES = (
    identity, access, resources, rights, infrastructure, networking, services, quirks, keeping,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default=os.environ.get("SIMULATOR_URL"))
    parser.add_argument("--account", default=os.environ.get("SIMULATOR_ACCOUNT"))
    parser.add_argument("--only", metavar="MODULE", help="the checks of one module")
    parser.add_argument("--key", default=os.environ.get("SIMULATOR_KEY"))
    arguments = parser.parse_args()
    if not (arguments.url and arguments.account and arguments.key):
        parser.error("--url, --account and --key must be given")

    cloud = Cloud(arguments.url, arguments.account, arguments.key)
    before = cloud.inventory()
    failed = 0
    for module in MODULES:
        if arguments.only not in (None, module.__name__):
            continue
        for check in module.CHECKS:
            name = f"{module.__name__}: {check.__name__.replace('_', ' ')}"
            try:
                check(cloud)
                print(f"ok    {name}", flush=True)
            except Exception:  # pylint: disable=broad-except
                failed += 1
                print(f"FAIL  {name}\n{traceback.format_exc()}", flush=True)

    cloud.advance(3600)
    after = cloud.inventory()
    if after == before:
        print("ok    the account is as it was before")
    else:
        failed += 1
        print(f"FAIL  the account is as it was before\n{sorted(set(after) ^ set(before))}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
