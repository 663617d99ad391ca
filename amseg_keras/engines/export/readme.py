"""The README beside an exported network: what goes in, what comes out, an example that runs."""

from __future__ import annotations

from amseg_keras.engines.export.formats import Format
from amseg_keras.engines.graph import Output, Size
from amseg_keras.models.ends import MULTIPLE
from amseg_keras.pretrained import PresetInfo

_README = """# {name} as {format}

A network that segments X-ray frames of melt pools, written by
[amseg-keras](https://pypi.org/project/amseg-keras/) {version}, rewritten to one that computes the
same with less: batch norms are folded into convolutions, convolutions moved before upsampling.

**Trained on**: {trained_on}

- **In**: `frames`, float32 `(batch, height, width, 1)`: grey levels {grey}.
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

{scaling}
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

_PADDING = """\
height, width = frames.shape[1:]
padded = np.pad(scaled, ((0, 0), (0, -height % 16), (0, -width % 16)), mode="symmetric")
found = run(padded[..., None].astype(np.float32))[:, :height, :width]
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
    as_is = scaling.method == "as_is"
    sides = [f"{side}" if side else f"any multiple of {MULTIPLE}" for side in size]
    labels = output == "labels"
    return _README.format(
        name=info.name,
        format=kind,
        version=version,
        trained_on=info.trained_on,
        grey=f"of 8-bit frames as they are, others {stretched}" if as_is else stretched,
        size=f"Height: {sides[0]}; width: {sides[1]}. Pad smaller frames by their mirror image.",
        out="class ids, uint8 `(batch, height, width)`"
        if labels
        else "class probabilities, float32 `(batch, height, width, classes)`",
        classes=", ".join(f"{number} {name}" for number, name in enumerate(info.class_names)),
        packages=written.packages,
        example=written.example.rstrip(),
        shape=(2, size[0] or 250, size[1] or 500),
        scaling=_AS_IS if as_is else _STRETCH,
        padding=_PADDING,
        result="labels = found" if labels else "labels = found.argmax(axis=-1)",
    )
