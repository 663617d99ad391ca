"""The page: what is on it, and which action follows when it is touched."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.demo.actions import Actions
from amseg_keras.demo.limits import Limits
from amseg_keras.demo.networks import LONGEST_S, Networks
from amseg_keras.demo.pictures import viewer_value
from amseg_keras.demo.visitors import Visitors
from amseg_keras.read.formats import SUPPORTED
from amseg_keras.samples import sample_names

TITLE = "Melt pools in X-ray frames, segmented"

KEPT_S = 3600
"""How long files and results of a page are kept that nobody touches."""

WAITING = 16
"""Visitors who may wait for the network at a time."""

_PRIVATE: dict[str, Any] = {"api_visibility": "private"}

_NETWORK: dict[str, Any] = {"concurrency_id": "network", "concurrency_limit": 1}
"""One at a time: two would be slower together, and take the memory of both."""

_QUIET: dict[str, Any] = {**_PRIVATE, "show_progress": "hidden", "concurrency_limit": None}

_LATEST: dict[str, Any] = {**_QUIET, "trigger_mode": "always_last"}
"""What comes while an earlier one is on its way must not be lost."""

_HEAD = f"""<header class="head"><h1>{TITLE}</h1>
<p>AM-SegNet tells background, powder, substrate, keyhole and pore apart in every frame and measures
keyhole and pores. Look at the overlay before you trust a number.</p>
<p class="soft">Method: <a href="https://doi.org/10.1080/17452759.2024.2325572" rel="noreferrer"
target="_blank">Li et al. 2024, AM-SegNet</a>. {{speed}}</p></header>"""


def build_page(networks: Networks, limits: Limits, longest_s: float = LONGEST_S) -> gr.Blocks:
    """The page, to be started by `serve`.

    Args:
        networks: What a visitor can choose from.
        limits: What a visitor can send.
        longest_s: Seconds for a frame from which on the smaller network is offered first.

    Raises:
        PresetError: The network that is offered first cannot be read.
    """
    offered, speed = networks.choose(longest_s)
    actions = Actions(networks, limits, Visitors())
    with gr.Blocks(title=TITLE, delete_cache=(KEPT_S // 6, KEPT_S)) as page:
        gr.HTML(_HEAD.format(speed=escape(speed)), elem_classes="amseg")
        shown = gr.State(time_to_live=KEPT_S)
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                uploaded = gr.File(
                    label="Frames, a stack or a video",
                    file_count="multiple",
                    file_types=list(SUPPORTED),
                    height=170,
                )
                with gr.Row():
                    samples = {
                        name: gr.Button(f"Sample {name}", size="sm") for name in sample_names()
                    }
                told = gr.HTML(actions.takes(), elem_classes="amseg")
                preset = gr.Dropdown(networks.names, value=offered, label="Network")
                trained_on = gr.HTML(actions.trained_on(offered), elem_classes="amseg")
                with gr.Row():
                    size = gr.Number(
                        None,
                        label="Pixel size (µm)",
                        minimum=0,
                        min_width=120,
                    )
                    rate = gr.Number(None, label="Frame rate (Hz)", minimum=0, min_width=120)
                with gr.Row():
                    start = gr.Button("Segment", variant="primary", min_width=120)
                    stop = gr.Button("Stop", min_width=80)
            with gr.Column(scale=2, min_width=320):
                with gr.Tabs():
                    with gr.Tab("Overlay"):
                        viewer = gr.HTML(
                            viewer_value(CLASS_NAMES),
                            html_template=_asset("viewer.html"),
                            js_on_load=_asset("viewer.js"),
                            elem_classes="amseg",
                            min_height=320,
                        )
                    with gr.Tab("Compare"):
                        both = gr.ImageSlider(
                            show_label=False,
                            type="filepath",
                            interactive=False,
                            buttons=["fullscreen"],
                        )
                    with gr.Tab("Explain"):
                        gr.Markdown(
                            "What in the frame speaks for a class (Grad-CAM), and how sure the "
                            "network is of every pixel."
                        )
                        explained = gr.Dropdown(list(CLASS_NAMES), value="keyhole", label="Class")
                        explain = gr.Button("Explain this frame", size="md")
                        heat, sure = (
                            gr.Image(
                                show_label=False,
                                format="png",
                                interactive=False,
                                buttons=["download", "fullscreen"],
                            )
                            for _ in range(2)
                        )
                number = gr.Slider(0, 1, 0, step=1, label="Frame", visible=False)
                cards = gr.HTML(elem_classes="amseg")
                remarks = gr.HTML(elem_classes="amseg")
        with gr.Tabs(visible=False) as results:
            with gr.Tab("Over time"):
                plots = gr.HTML(elem_classes="amseg")
            with gr.Tab("Pores"):
                pores = gr.HTML(elem_classes="amseg")
            with gr.Tab("Histogram"):
                histogram = gr.HTML(elem_classes="amseg")
            with gr.Tab("Downloads"):
                downloads = gr.File(
                    label="Label maps, overlay, report, tables; all of it as a ZIP",
                    file_count="multiple",
                    interactive=False,
                )

        chosen = [uploaded, preset, size, rate]
        fields = [told, size, rate]
        # In the order of `OUTPUTS`.
        outputs = [
            *(shown, viewer, both, number, remarks, cards),
            *(explained, heat, sure),
            *(plots, pores, histogram, downloads, results),
        ]
        run: dict[str, Any] = {
            **{"fn": actions.analyse, "inputs": chosen, "outputs": outputs},
            **{"show_progress_on": [viewer], "scroll_to_output": True, **_PRIVATE, **_NETWORK},
        }
        runs: list[dict[str, Any]] = []
        began = [start.click]
        for name, button in samples.items():
            taken = button.click(actions.sample(name), None, uploaded, **_QUIET)
            looked = taken.success(actions.look_at, [uploaded, preset], fields, **_QUIET)
            began.append(looked.success)
        for begin in began:
            ended = begin(**run)
            # Apart, so that the next recording can begin while the report is written.
            ended.success(actions.pack, shown, downloads, **_QUIET)
            runs.append(ended)
        stop.click(actions.stop, cancels=runs, **_QUIET)
        gr.on(
            [uploaded.upload, uploaded.clear, uploaded.delete],
            actions.look_at,
            [uploaded, preset],
            fields,
            **_LATEST,
        )
        preset.input(actions.choose, [uploaded, preset], [trained_on, *fields], **_LATEST)
        number.change(actions.turn_to, [shown, number], [viewer, both, cards], **_LATEST)
        number.change(None, number, None, js=_asset("cursor.js"), **_PRIVATE)
        explain.click(
            actions.explain, [shown, number, explained], [heat, sure], **_PRIVATE, **_NETWORK
        )
        page.unload(actions.visitors.leave)
        _take_no_addresses(uploaded)
        _add_api(actions, networks.names, offered)
    queued: gr.Blocks = page.queue(max_size=WAITING)
    return queued


def _add_api(actions: Actions, presets: list[str], offered: str) -> None:
    """`/segment` for programs; its components are never seen, but checked like those that are."""
    with gr.Column(visible=False):
        inputs = [
            gr.File(label="file"),
            gr.Dropdown(presets, value=offered, label="preset"),
            gr.Number(0, label="pixel_size_um"),
            gr.Number(0, label="frame_rate_hz"),
        ]
        outputs = [gr.File(label="labels"), gr.File(label="table")]
        _take_no_addresses(inputs[0])
        gr.Button().click(actions.segment, inputs, outputs, api_name="segment", **_NETWORK)


def _take_no_addresses(upload: gr.components.Component) -> None:
    """Let a component take what was sent to this server, and not fetch anything for a caller."""
    take = upload.async_move_resource_to_block_cache

    async def take_upload(path: str | Path | None) -> str | None:
        if str(path).lower().startswith(("http:", "https:")):
            raise gr.Error("Upload the file; addresses are not followed.", print_exception=False)
        return await take(path)

    # Of this one alone: for a class of its own Gradio would write a stub beside this module.
    upload.async_move_resource_to_block_cache = take_upload  # type: ignore


def _asset(name: str) -> str:
    return (files("amseg_keras.demo") / "assets" / name).read_text("utf-8")
