"""Write the README's table of results on real frames: `python docs/make_results.py`.

The numbers are those of the presets' cards. With `--check` nothing is written, and it fails where
the README has others.
"""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import ModelCard
from tables import fill, table

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PRESETS = ("amsegnet-movie", "amsegnet-esrf", "amsegnet-esrf-lite", "amsegnet-aps", "amsegnet-hpdc")
CLASSES = ("background", "substrate", "keyhole", "pore")
FRAMES = {
    "real frames of APS, Ti-6Al-4V": (
        "APS, welding of Ti-6Al-4V, 25 frames; no real frame in the training",
        "`python benchmarks/accuracy {name} --real DATA -o OUT`",
    ),
    "real frames of APS": (
        "8 later frames of the recording that 15 were fine-tuned on",
        "`amseg evaluate --split test`",
    ),
    "Real frames of high-pressure die casting": (
        "die casting, 4 later slices of the video that 9 were fine-tuned on",
        "`amseg evaluate --split test`",
    ),
}
"""What a card calls them, what they are, and how it was measured."""


def rows() -> list[list[str]]:
    """A row of the table for each preset and set of real frames."""
    found = []
    for name in PRESETS:
        results: dict[str, dict[str, float]] = {}
        for one in ModelCard.load(ROOT / "hub" / name / "README.md").data.eval_results:
            if "real" in one.dataset_name.lower():
                of_frames = results.setdefault(one.dataset_name, {})
                of_frames[one.metric_name.removeprefix("IoU, ")] = one.metric_value
        for frames, iou in results.items():
            known = next(key for key in sorted(FRAMES, reverse=True) if frames.startswith(key))
            what, how = FRAMES[known]
            cells = [f"{iou[c]:.3f}" if c in iou else "" for c in CLASSES]
            card = f"[{name}](hub/{name}/README.md)"
            found.append([what, card, *cells, how.format(name=name)])
    return found


head = ["real frames", "network", *CLASSES, "measured by"]
fill(README, {"results": table(head, rows())}, "python docs/make_results.py")
