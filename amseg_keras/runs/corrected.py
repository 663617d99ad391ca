"""Write label maps that were corrected by hand into the folder of their run."""

from __future__ import annotations

from pathlib import Path

from amseg_keras.atomic import complete_or_absent
from amseg_keras.corrections import LabelStack
from amseg_keras.outputs import write_json
from amseg_keras.quantify import class_areas
from amseg_keras.read import ReadError
from amseg_keras.report.label_files import LABEL_WRITERS
from amseg_keras.runs.labelled_run import open_labelled_run

RECORD, AREAS = "run.json", "frames.csv"


def write_corrected(folder: Path, labels: LabelStack) -> list[str]:
    """Replace the label maps and the areas of a finished run by corrected ones.

    The record lists the corrected frames. The overlay stays that of the network, and tables of
    `amseg quantify` say by themselves that they are older than the labels.

    Args:
        folder: Folder of `amseg segment`.
        labels: Label maps, those of all frames.

    Returns:
        Names of the files that were written.

    Raises:
        ReadError: The folder is no finished run, or its frames are not those of the labels.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from amseg_keras import from_pretrained
        >>> from amseg_keras.pretrained import find_preset
        >>> from amseg_keras.pretrained.preset import weights_digest
        >>> from amseg_keras.read import open_stack
        >>> from amseg_keras.runs import RunSettings, run_stack
        >>> digest = weights_digest(find_preset("amsegnet-esrf-lite"))
        >>> segmenter, folder = from_pretrained("amsegnet-esrf-lite"), Path(tempfile.mkdtemp())
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     _ = run_stack(stack, segmenter, digest, folder, RunSettings())
        >>> found = np.stack(list(open_labelled_run(folder).frames()))
        >>> labels = LabelStack(found, segmenter.class_names)
        >>> labels.paint(3, np.ones((256, 512), bool), "pore")
        True
        >>> write_corrected(folder, labels)
        ['labels.tif', 'frames.csv', 'run.json']
        >>> open_labelled_run(folder).record["corrected_frames"]
        [3]
    """
    run = open_labelled_run(folder)
    if labels.shape != run.shape or labels.class_names != run.class_names:
        raise ReadError(
            f"{folder}: holds {run.shape[0]} frames with the classes {', '.join(run.class_names)}, "
            "which are not those of the corrected labels; choose the folder that they come from"
        )
    frames = range(len(labels))
    written = LABEL_WRITERS[run.record["label_format"]](
        folder, (labels[number] for number in frames), run.shape, run.class_names
    )
    size = run.record.get("pixel_size_um")
    areas = class_areas((labels[number] for number in frames), run.class_names, size)
    with complete_or_absent(folder / AREAS) as temporary:
        areas.to_csv(temporary, index=False, float_format="%.6g")
    before = set(run.record.get("corrected_frames", ()))
    record = run.record | {"corrected_frames": sorted(before | set(labels.corrected))}
    write_json(folder / RECORD, record)
    return [written, AREAS, RECORD]
