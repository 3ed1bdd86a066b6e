"""Prints what instructions.sh counted with the whole plan, without one part of it, and without a plan: plan_parts.py FOLDER."""
import sys
from pathlib import Path

USES = ("on", "no-prefilters", "no-tx-steps", "no-scan-memo", "no-early-bodies", "off")

counts = {}
for use in USES:
    lines = Path(sys.argv[1], f"plan.{use}").read_text().splitlines()
    counts[use] = {name: int(count) for name, count in (line.split() for line in lines)}
print(f"{'case':<24}{'on':>12}" + "".join(f"{use:>18}" for use in USES[1:]))
for case, whole in counts["on"].items():
    others = [f"{counts[use][case] / whole:.2f} x" for use in USES[1:]]
    print(f"{case:<24}{whole:>12,}" + "".join(f"{other:>18}" for other in others))
