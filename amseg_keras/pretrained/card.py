"""The model card (`README.md`) of a preset: what it is, how it was made, what it reaches."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import huggingface_hub

TAGS = ("amseg-keras", "x-ray", "additive-manufacturing")

TASK = "image-segmentation"

CARD = """# {name}

A network of [amseg-keras](https://pypi.org/project/amseg-keras/) that segments X-ray frames of
melt pools into {classes}. Architecture: Li et al. 2024, AM-SegNet, doi
10.1080/17452759.2024.2325572.
{use}{honesty}
## Use

```python
import amseg_keras

segmenter = amseg_keras.from_pretrained("{source}")
result = segmenter.segment("sample:esrf-lpbf")  # or a file, a folder, an array
print(result.labels.shape, result.class_names)
```

or `amseg segment FRAMES --model {source} -o results`. The bare Keras model comes from the same
files by `import amseg_keras, keras; keras.saving.load_model(FOLDER)`.

## Input and output

Grey frames of any size, {grey}{channels}; `Segmenter` does it.
Size of a pixel in the training frames: {pixel_size}.
Output: probabilities of the classes, in the order above.

## Intended use

Research on X-ray frames like those of the training. Not for deciding without a person whether a
part is sound.

## Trained on

{trained_on}.
{training}
## Results

{results}

## Limits

Look at the overlays before you use the numbers. Frames that look otherwise than those of the
training need fine-tuning: `amseg finetune --model {source}`.
"""


@dataclass(frozen=True)
class Measured:
    """Scores on one set of frames, 0 to 1.

    Args:
        data: name of the set, for the Hub's list of results.
        split: `"train"`, `"validation"`, `"test"` or `"all"`.
        iou: IoU of each class; `None` without labels of the class.
        f1: F1 of each class; empty if it was not measured.
        mean_f1: mean F1.
    """

    data: str
    split: str
    about: str
    iou: Mapping[str, float | None]
    f1: Mapping[str, float | None] = field(default_factory=dict)
    mean_iou: float | None = None
    mean_f1: float | None = None

    @classmethod
    def of_evaluation(cls, found: Mapping[str, Any]) -> Measured:
        """Read the `evaluation.json` of `amseg evaluate`."""
        # A few wrong pixels of a class that no label shows are an IoU of 0, which says nothing.
        labelled = {
            name: row if row.get("truth_pixels", 1) else {"iou": None, "f1": None}
            for name, row in found["classes"].items()
        }
        data = (found["origin"] or "frames of no known origin").rstrip(".")
        return cls(
            data=data,
            split=found["split"],
            about=f"On {found['frames']} frames that the training has not seen ({data}), by "
            "`amseg evaluate`",
            iou={name: row["iou"] for name, row in labelled.items()},
            f1={name: row["f1"] for name, row in labelled.items()},
            mean_iou=found["mean_iou"],
            mean_f1=found["mean_f1"],
        )


def model_card(
    name: str,
    record: Mapping[str, Any],
    training: str = "",
    measured: Sequence[Measured] = (),
    licence: str | None = None,
    source: str | None = None,
    use: str = "",
) -> str:
    """Write the card of a preset, with the metadata that the Hub reads.

    Args:
        record: contents of `preprocessing.json`, as of `preset.description`.
        training: Markdown on how it was trained: command, steps, hardware.
        licence: licence of the weights as the Hub names it, such as `"apache-2.0"`, or `None`.
        use: Markdown on what it is good for, and what not, which stands first.
        source: name to load the preset by; by default `owner/NAME`, which `hub.push` replaces.

    Example:
        >>> record = {
        ...     "class_names": ["gas", "melt"],
        ...     "grey_levels": {"method": "as_is", "low_percent": 1, "high_percent": 99, "top": 1},
        ...     "pixel_size_um": 2.0,
        ...     "trained_on": "simulated frames",
        ... }
        >>> import huggingface_hub
        >>> scores = Measured("simulated", "test", "On 8 frames", {"gas": 0.9, "melt": 0.8})
        >>> card = huggingface_hub.ModelCard(model_card("mine", record, measured=[scores]))
        >>> [(one.metric_name, one.metric_value) for one in card.data.eval_results]
        [('IoU, gas', 0.9), ('IoU, melt', 0.8)]
    """
    import huggingface_hub

    size = record["pixel_size_um"]
    honesty = _honesty(record["trained_on"])
    metadata = huggingface_hub.ModelCardData(
        library_name="keras",
        pipeline_tag=TASK,
        license=licence,
        tags=[*TAGS, "simulated-training-data"] if honesty else [*TAGS],
        model_name=name,
        eval_results=[result for one in measured for result in _results(one)] or None,
    )
    text = CARD.format(
        name=_text(name),
        classes=", ".join(map(_text, record["class_names"])),
        use=f"\n{use.strip()}\n" if use else "",
        honesty=f"\n**{honesty}**\n" if honesty else "",
        source=source or f"owner/{re.sub('[^A-Za-z0-9_.-]+', '-', name)}",
        grey=_grey(record["grey_levels"]),
        channels=_channels(record.get("channels", [])),
        pixel_size="not known" if size is None else f"{size:g} um",
        trained_on=_text(record["trained_on"]).rstrip("."),
        training=f"\n{training.strip()}\n" if training else "",
        results="\n\n".join(map(_table, measured)) or "Nothing was measured.",
    )
    return str(huggingface_hub.ModelCard(f"---\n{metadata.to_yaml()}\n---\n\n{text}"))


def for_repository(card: str, repo_id: str) -> str:
    """Replace the name of the preset in a card by the name of the repository.

    Example:
        >>> for_repository('from_pretrained("hub/mine"), `--model hub/mine -o out`', "owner/mine")
        'from_pretrained("owner/mine"), `--model owner/mine -o out`'
    """
    for old in dict.fromkeys(re.findall(r'from_pretrained\("([^"\n]+)"\)', card)):
        card = card.replace(f'from_pretrained("{old}")', f'from_pretrained("{repo_id}")')
        card = re.sub(rf"--model {re.escape(old)}(?![\w./-])", f"--model {repo_id}", card)
    return card


def _honesty(trained_on: str) -> str:
    """Return the warning in bold for simulated frames."""
    if "simulated" not in trained_on.lower():
        return ""
    tuned = " and fine-tuned on real ones" if "real frames of" in trained_on.lower() else ""
    return (
        f"These weights were trained on simulated frames{tuned}. "
        "They are not the authors' weights, and their results are not those of the paper."
    )


def _grey(levels: Mapping[str, Any]) -> str:
    stretched = (
        f"stretched between the {levels['low_percent']} and {levels['high_percent']} percentiles "
        f"of the stack to 0..{levels['top']:g}"
    )
    if levels["method"] == "percentile":
        return stretched
    if levels["method"] == "specimen":
        return (
            "stretched so that the specimen gets most of "
            f"0..{levels['top']:g}, however bright the gas is"
        )
    return f"8-bit ones as they are, 0..{levels['top']:g}, deeper ones {stretched}"


def _channels(described: Sequence[Mapping[str, str]]) -> str:
    if "motion" not in [channel["name"] for channel in described]:
        return ""
    return (
        ", and a second channel, the motion: the change of each pixel against the background, "
        "which is a median of other frames of the movie. The motion of a single frame is blank"
    )


def _results(measured: Measured) -> list[huggingface_hub.EvalResult]:
    import huggingface_hub

    scores = {
        ("mean_iou", "mean IoU"): measured.mean_iou,
        ("f1", "mean F1"): measured.mean_f1,
        **{("mean_iou", f"IoU, {name}"): value for name, value in measured.iou.items()},
        **{("f1", f"F1, {name}"): value for name, value in measured.f1.items()},
    }
    return [
        huggingface_hub.EvalResult(
            task_type=TASK,
            dataset_type="x-ray-frames",
            dataset_name=measured.data,
            dataset_split=measured.split,
            metric_type=kind,
            metric_name=name,
            metric_value=round(value, 4),
        )
        for (kind, name), value in scores.items()
        if value is not None
    ]


def _table(measured: Measured) -> str:
    columns = {"IoU": {**measured.iou, "mean": measured.mean_iou}}
    if measured.f1:
        columns["F1"] = {**measured.f1, "mean": measured.mean_f1}
    names = [*measured.iou, *(["mean"] if measured.mean_iou is not None else [])]
    rows = [
        " | ".join([_text(name), *(_number(scores.get(name)) for scores in columns.values())])
        for name in names
    ]
    lines = [" | ".join(["class", *columns]), "|".join(["---"] * (1 + len(columns))), *rows]
    table = f"{_text(measured.about)}:\n\n" + "\n".join(f"| {line} |" for line in lines)
    if measured.mean_f1 is not None and not measured.f1:
        table += f"\n\nMean F1: {measured.mean_f1:.3f}."
    return table


def _number(score: float | None) -> str:
    return "not there" if score is None else f"{score:.3f}"


def _text(value: str) -> str:
    """Escape text from elsewhere, which must not become markup or a column of its own."""
    import html

    return html.escape(value, quote=False).replace("|", "&#124;").replace("](", "] (")
