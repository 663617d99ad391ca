"""The browser demo: a frame or a stack in; overlay, areas and label maps out.

Runs with `python demo/app.py` and, unchanged, as a Hugging Face Space. It only shows: reading,
segmenting, measuring and writing are the library's.
"""

import os
import tempfile
from itertools import islice
from operator import getitem
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read on import

import gradio as gr
import numpy as np
from gradio.utils import get_upload_folder

from amseg_keras import PresetError, ReadError, Segmenter, from_pretrained
from amseg_keras.quantify import class_areas
from amseg_keras.read import FrameStack, open_stack
from amseg_keras.report.label_files import write_tiff
from amseg_keras.report.overlay import overlay, with_legend
from amseg_keras.samples import sample_names, sample_path

MAX_FRAMES = 50
MAX_PIXELS = 1 << 24
"""Of all segmented frames together: 50 of 512 x 640, 16 of 1024 x 1024."""

FILE_TYPES = (
    *(".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".npy", ".edf"),
    *(".mp4", ".avi", ".mov", ".mkv"),
)
"""No HDF5: such a file can point to other files of the computer that reads it."""
WRONG_TYPE = (
    f"Choose a file of type {', '.join(FILE_TYPES)}, or a sample; for HDF5, install amseg-keras on "
    "your own computer and run amseg segment."
)

HOUR = 3600
LAUNCH_OPTIONS: dict[str, Any] = {
    "max_file_size": "200mb",
    "run_history": False,
    "footer_links": ["api"],
    "ssr_mode": False,
    "state_session_capacity": 16,
    "css": ".overlay img { width: 100%; height: 100%; object-fit: contain }",
}

INTRODUCTION = f"""# Melt pools in X-ray frames, segmented
[amseg-keras](https://pypi.org/project/amseg-keras/) tells background, powder, substrate, keyhole
and pore apart in every frame and measures their areas. **Trained on**: {{trained_on}}. Look at the
overlay before you trust the numbers. Of a stack, the first {MAX_FRAMES} frames are segmented."""


def build_demo(preset: str | os.PathLike[str] = "amsegnet-esrf") -> gr.Blocks:
    """The page; start it with `launch(**LAUNCH_OPTIONS)`.

    Raises:
        PresetError: the preset cannot be found, read, or trusted.
    """
    segmenter = from_pretrained(preset)

    def segment(file: str | None, progress=gr.Progress()) -> tuple[Any, ...]:  # noqa: B008
        if file is None or Path(file).suffix.lower() not in FILE_TYPES:
            raise gr.Error(WRONG_TYPE, print_exception=False)
        try:
            with open_stack(file) as stack:
                return segment_stack(segmenter, stack, progress)
        except ReadError as error:
            raise gr.Error(without_folder(error, file), print_exception=False) from error

    with gr.Blocks(title="amseg-keras", delete_cache=(HOUR, HOUR)) as demo:
        gr.Markdown(INTRODUCTION.format(trained_on=segmenter.info.trained_on))
        pictures = gr.State(time_to_live=HOUR)
        with gr.Row():
            with gr.Column(scale=1):
                file = gr.File(label="A frame or a stack")
                samples = [str(sample_path(name)) for name in sample_names()]
                gr.Examples(samples, file, label="Or a simulated sample")
                button = gr.Button("Segment", variant="primary")
                said = gr.Markdown()
            with gr.Column(scale=2):
                picture = gr.Image(
                    show_label=False,
                    format="png",
                    height=440,
                    buttons=["download", "fullscreen"],
                    elem_classes="overlay",
                )
                number = gr.Slider(step=1, label="Frame", visible=False)
        with gr.Column(visible=False) as results:
            files = gr.File(label="To take along", interactive=False)
            areas = gr.Dataframe(label="Area of every class in every frame", interactive=False)
        outputs = [said, picture, number, files, areas, pictures]
        done = button.click(segment, file, outputs, api_name="segment", show_progress_on=picture)
        done.success(lambda: gr.Column(visible=True), None, results, api_visibility="private")
        turned = {"show_progress": "hidden", "trigger_mode": "always_last"}
        number.input(getitem, [pictures, number], picture, api_visibility="private", **turned)
    return demo.queue(max_size=16, default_concurrency_limit=1)


def segment_stack(
    segmenter: Segmenter, stack: FrameStack, progress: gr.Progress
) -> tuple[Any, ...]:
    """What the page shows of a stack: remarks, overlay, slider, files, areas, all overlays."""
    height, width = stack.shape[1:]
    count = min(len(stack), MAX_FRAMES, MAX_PIXELS // (height * width))
    if not count:
        raise ReadError(f"{stack.source}: its frames of {height} x {width} are too large here")
    names = segmenter.class_names
    grey_range = segmenter.scaling.measure(stack)
    labelled = islice(segmenter.iter_labels(stack, grey_range), count)
    labels = np.empty((count, height, width), np.uint8)
    pictures, problems = [], []
    for result in progress.tqdm(labelled, total=count, unit="frames"):
        frame = np.zeros((height, width)) if result.error else stack[result.index]
        pictures.append(with_legend(overlay(frame, result.labels, names, grey_range), names))
        labels[result.index] = result.labels
        problems += [without_folder(result.error, stack.source)] if result.error else []

    pixel_size = stack.pixel_size_um or segmenter.pixel_size_um
    areas = class_areas(labels, names, pixel_size)
    folder = Path(tempfile.mkdtemp(dir=get_upload_folder()))  # emptied by delete_cache
    write_tiff(folder, labels, labels.shape, names)
    areas.to_csv(folder / "frames.csv", index=False, float_format="%.6g")
    remarks = [f"{count} of {len(stack)} frames of {height} x {width} pixels", *stack.notes]
    if pixel_size is not None:
        origin = "from the file" if stack.pixel_size_um else "assumed, that of the training frames"
        remarks.append(f"pixel size {pixel_size:g} um, {origin}")
    return (
        "; ".join([*remarks, *problems]),
        pictures[0],
        gr.Slider(0, max(count - 1, 1), value=0, visible=count > 1),
        [str(folder / name) for name in ("frames.csv", "labels.tif")],
        areas.filter(regex="frame|_um2" if pixel_size else "").round(1),
        pictures,
    )


def without_folder(sentence: object, file: str) -> str:
    """An error's text with the name of the file as the user knows it."""
    return str(sentence).replace(f"{Path(file).parent}{os.sep}", "")


if __name__ == "__main__":
    try:
        page = build_demo()
    except PresetError as error:
        raise SystemExit(str(error)) from None
    page.launch(**LAUNCH_OPTIONS)
