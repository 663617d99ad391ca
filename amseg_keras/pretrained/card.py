"""The model card (`README.md`) of a preset, from its description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import huggingface_hub

CARD = """# {name}

A network of [amseg-keras](https://pypi.org/project/amseg-keras/) that segments X-ray frames of
melt pools. Architecture: Li et al. 2024, AM-SegNet, doi 10.1080/17452759.2024.2325572.

**Trained on**: {trained_on}

**Classes**, in the order of the output: {classes}

**Grey levels**: {grey}

**Pixel size of the training frames**: {pixel_size}

## Use

```python
import amseg_keras

segmenter = amseg_keras.from_pretrained("PATH OR owner/{name}")
result = segmenter.segment("frames.tif")
print(result.labels.shape, result.class_names)
```

`import amseg_keras` and `keras.saving.load_model` give the bare Keras model from the same files.
"""


def model_card(name: str, record: Mapping[str, Any]) -> str:
    """A card for a preset whose maker has not written one.

    Args:
        name: of the preset.
        record: contents of `preprocessing.json`.
    """
    grey = record["grey_levels"]
    stretched = (
        f"stretched between the {grey['low_percent']} and {grey['high_percent']} percentiles of "
        f"the stack to 0..{grey['top']:g}"
    )
    size = record["pixel_size_um"]
    metadata = huggingface_hub.ModelCardData(
        library_name="keras",
        pipeline_tag="image-segmentation",
        tags=["amseg-keras", "x-ray", "additive-manufacturing"],
    )
    text = CARD.format(
        name=name,
        trained_on=record["trained_on"],
        classes=", ".join(record["class_names"]),
        grey=stretched
        if grey["method"] == "percentile"
        else f"8-bit frames as they are, 0..{grey['top']:g}; deeper ones {stretched}",
        pixel_size="not known" if size is None else f"{size:g} um",
    )
    return f"---\n{metadata.to_yaml()}\n---\n\n{text}"
