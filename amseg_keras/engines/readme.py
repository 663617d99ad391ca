"""The README beside an exported network: what goes in, what comes out, an example that runs."""

from __future__ import annotations

from amseg_keras.engines.formats import Format
from amseg_keras.engines.graph import Output
from amseg_keras.engines.onnx_file import Size
from amseg_keras.models.ends import MULTIPLE
from amseg_keras.preprocess import background_policy as policy
from amseg_keras.preprocess import grey, inputs
from amseg_keras.pretrained import PresetInfo

_README = """# {name} as {format}

A network that segments X-ray frames of melt pools, written by
[amseg-keras](https://pypi.org/project/amseg-keras/) {version}, rewritten to one that computes the
same with less: batch norms are folded into convolutions, convolutions moved before upsampling.

**Trained on**: {trained_on}

- **In**: `frames`, float32 `(batch, height, width, {channels})`: grey levels {grey}.{motion}
  {size}
- **Out**: {out}
- **Classes**, by id: {classes}

`preprocessing.json` says the same for programs.

## Example

Needs `pip install {packages}`; run it in this folder.

```python
import json
from pathlib import Path

import numpy as np
{example}

about = json.loads(Path("preprocessing.json").read_text())
grey = about["grey_levels"]

# yours: (frames, height, width)
frames = np.random.default_rng(0).integers(0, 4096, {shape})

{scaling}{moved}
{padding}
{result}
for number, name in enumerate(about["class_names"]):
    print(name, (labels == number).sum(axis=(1, 2)))
```
"""

_STRETCH = """\
low, high = np.percentile(frames, [grey["low_percent"], grey["high_percent"]])
scaled = np.clip((frames - low) / (high - low), 0, 1) * grey["top"]
"""

_AS_IS = """\
if frames.dtype == np.uint8:
    scaled = frames
else:
    low, high = np.percentile(frames, [grey["low_percent"], grey["high_percent"]])
    scaled = np.clip((frames - low) / (high - low), 0, 1) * grey["top"]
"""

_SPECIMEN = f"""\
low, high = np.percentile(frames, [grey["low_percent"], grey["high_percent"]])
levels = np.clip(frames.astype(np.float32), low, high)

# Otsu's threshold parts dark pixels from bright ones
counts, edges = np.histogram(levels, 256)
middles = (edges[:-1] + edges[1:]) / 2
below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
mean_below = np.cumsum(counts * middles) / below
mean_above = np.cumsum((counts * middles)[::-1])[::-1] / above
between = below[:-1] * above[1:] * (mean_below[:-1] - mean_above[1:]) ** 2
dark = levels <= middles[between.argmax()]

# the specimen is the part that lies lower in the frame
specimen = levels.ravel()
if dark.any() and not dark.all():
    lower = np.nonzero(dark)[1].mean() - np.nonzero(~dark)[1].mean()
    if abs(lower) >= {grey.LEAST_APART} * frames.shape[1]:
        specimen = levels[dark] if lower > 0 else levels[~dark]
first, median = np.percentile(specimen, [{grey.DARKEST_PERCENT}, 50])
spread = (median - first) or {grey.LEAST_SPREAD} * (high - low)
begin, end = median - spread, median + {grey.TIMES_ABOVE} * spread
ends = [min(low, begin), begin, end, max(high, end)]
scaled = np.interp(frames, ends, [0, {grey.SPECIMEN_INPUT[0]}, {grey.SPECIMEN_INPUT[1]}, 1])
scaled = scaled * grey["top"]
"""

_MOTION = f"""
spread = np.linspace(0, len(frames) - 1, min(len(frames), {policy.BACKGROUND_FRAMES})).astype(int)


def motion(number):
    others = [other for other in spread if abs(other - number) > {policy.LEFT_OUT}]
    background = np.median(frames[others], axis=0) if others else np.zeros(frames.shape[1:])
    darkest = {inputs.DARKEST} * np.maximum(background, 0).mean()
    too_few = len(frames) < {policy.SHORTEST} or len(others) < {policy.FEWEST}
    if too_few or darkest <= {inputs.NO_LIGHT}:
        return np.zeros(frames.shape[1:])
    change = np.log(np.maximum(frames[number], darkest) / np.maximum(background, darkest))
    some = change[::2, ::2][change[::2, ::2] != 0]
    middle = np.median(some) if some.size else 0
    sigma = 1.4826 * np.median(np.abs(some - middle)) if some.size else 1
    return np.clip((change - middle) / ({inputs.SIGMAS} * max(sigma, {inputs.QUIETEST})), -1, 1)


moved = np.stack([motion(number) for number in range(len(frames))])
moved = grey["top"] * (0.5 + 0.5 * moved)
"""

_MOTION_IN_WORDS = f"""
  The second channel is the motion: the logarithm of the ratio of the frame to its background,
  without its median, divided by {inputs.SIGMAS:g} robust standard deviations, from -1 to 1 scaled
  to 0..{{top:g}}. The background is the median of {policy.BACKGROUND_FRAMES} frames spread over the
  movie, without those within {policy.LEFT_OUT} frames of the frame. Movies of fewer than
  {policy.SHORTEST} frames, and single frames, get a motion of {{middle:g}} everywhere."""

_PADDING = """\
height, width = frames.shape[1:]
given = np.stack([{given}], axis=-1).astype(np.float32)
padded = np.pad(given, ((0, 0), (0, -height % 16), (0, -width % 16), (0, 0)), mode="symmetric")
found = run(padded)[:, :height, :width]
"""


def readme(
    info: PresetInfo, kind: str, written: Format, output: Output, size: Size, version: str
) -> str:
    """Text of the README.

    Args:
        info: of the preset.
        kind: name of the format.
        written: the format.
        output: what the network gives.
        size: of the frames that it takes.
        version: of this package.
    """
    scaling = info.scaling
    stretched = (
        f"stretched between the {scaling.low_percent} and {scaling.high_percent} percentiles of "
        f"the whole stack to 0..{scaling.top:g}"
    )
    in_words = {
        "as_is": f"of 8-bit frames as they are, others {stretched}",
        "specimen": (
            "stretched so that the specimen gets "
            f"{grey.SPECIMEN_INPUT[0]:g} to {grey.SPECIMEN_INPUT[1]:g} of 0..{scaling.top:g}, and "
            "gas the rest, however bright it is"
        ),
    }
    code = {"as_is": _AS_IS, "specimen": _SPECIMEN}
    motion = info.channels.has_motion
    sides = [f"{side}" if side else f"any multiple of {MULTIPLE}" for side in size]
    labels = output == "labels"
    return _README.format(
        name=info.name,
        format=kind,
        version=version,
        trained_on=info.trained_on,
        channels=len(info.channels),
        grey=in_words.get(scaling.method, stretched),
        motion=_MOTION_IN_WORDS.format(top=scaling.top, middle=scaling.top / 2) if motion else "",
        size=f"Height: {sides[0]}; width: {sides[1]}. Pad smaller frames by their mirror image.",
        out="class ids, uint8 `(batch, height, width)`"
        if labels
        else "class probabilities, float32 `(batch, height, width, classes)`",
        classes=", ".join(f"{number} {name}" for number, name in enumerate(info.class_names)),
        packages=written.packages,
        example=written.example.rstrip(),
        shape=(20 if motion else 2, size[0] or 250, size[1] or 500),
        scaling=code.get(scaling.method, _STRETCH),
        moved=_MOTION if motion else "",
        padding=_PADDING.format(given="scaled, moved" if motion else "scaled"),
        result="labels = found" if labels else "labels = found.argmax(axis=-1)",
    )
