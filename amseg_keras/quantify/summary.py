"""One recording in a few numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from amseg_keras.quantify.dynamics.fate import STATIC, UNCLEAR
from amseg_keras.quantify.dynamics.fluctuation import fluctuation, oscillation_spectrum
from amseg_keras.quantify.dynamics.tracks import PoreTracks
from amseg_keras.quantify.intervals import interval_of_median
from amseg_keras.quantify.scale import ASSUMED, SIZE_FROM, Scale


def summarise(frames: pd.DataFrame, tracked: PoreTracks, scale: Scale) -> dict[str, Any]:
    """Sum up a recording: what experiments are compared by.

    Args:
        frames: The table of frames, as `measure` makes it.
        scale: Pixel size and frame rate: lengths and areas are given in um and um² too where the
            first is known.

    Returns:
        - `frames`, `keyhole_frames`: how many were read, and have a keyhole.
        - `median_keyhole_depth_px`, `median_keyhole_area_px`: over frames with a keyhole.
        - `low_median_keyhole_depth_px`, `high_median_keyhole_depth_px`, and likewise of the area:
          medians of the ends of the 90 % intervals; absent without bounds.
        - `area_delta_avg`, `area_delta_max`, `depth_delta_avg`, `depth_delta_max`: how much they
          fluctuate (see `fluctuation`).
        - `pores_formed`, `pores_from_keyhole`: pores formed during the recording, and those of
          them that were formed at the keyhole.
        - `pores_static`: places at which a blob rests that was not formed during the recording:
          old pores, or dirt. `pores_unclear`: tracks seen too seldom to tell.
        - `pores_present`: pores of all kinds but the unclear ones, each place once.
        - `largest_pore_equivalent_diameter_px`, `mean_pore_area_px`: over all pores of all frames.
        - `porosity`: mean over the frames.
        - `pixel_size_from`: "assumed" if the pixel size is assumed; else absent.
        - `oscillation_hz`: at which the depth of the keyhole oscillates most (see
          `oscillation_spectrum`); None without a frame rate, or where no frequency stands out.

        Numbers without a keyhole or pores are NaN.

    Example:
        >>> import numpy as np
        >>> from amseg_keras.quantify import measure
        >>> labels = np.zeros((4, 40, 60), np.uint8)
        >>> labels[:, 10:] = 1
        >>> labels[2:, 10:30, 20:30] = 2
        >>> found = measure(labels, ["background", "substrate", "keyhole"])
        >>> found.summary["keyhole_frames"], found.summary["median_keyhole_depth_px"]
        (2, 20.0)
    """
    keyholes = frames[frames["keyhole_area_px"] > 0]
    area, depth = (fluctuation(frames[f"keyhole_{of}_px"]) for of in ("area", "depth"))
    formed = tracked.events[tracked.events["event"] == "pore formed"]
    in_pixels = {
        "frames": len(frames),
        "keyhole_frames": len(keyholes),
        "median_keyhole_depth_px": float(keyholes["keyhole_depth_px"].median()),
        "median_keyhole_area_px": float(keyholes["keyhole_area_px"].median()),
        **interval_of_median(keyholes, "keyhole_depth_px"),
        **interval_of_median(keyholes, "keyhole_area_px"),
        "area_delta_avg": area.delta_avg,
        "area_delta_max": area.delta_max,
        "depth_delta_avg": depth.delta_avg,
        "depth_delta_max": depth.delta_max,
        "pores_formed": len(formed),
        "pores_from_keyhole": int(formed["from_keyhole"].sum()),
        **_counted(tracked.tracks),
        "largest_pore_equivalent_diameter_px": float(tracked.pores["equivalent_diameter_px"].max()),
        "mean_pore_area_px": float(tracked.pores["pore_area_px"].mean()),
        "porosity": float(frames["porosity"].mean()),
    }
    summary: dict[str, Any] = {}
    for name, value in in_pixels.items():
        summary[name] = value
        counterpart = scale.in_units(name)
        if counterpart is not None:
            summary[counterpart[0]] = value * counterpart[1]
    if scale.pixel_size_um is not None and scale.pixel_size_assumed:
        summary[SIZE_FROM] = ASSUMED
    summary["oscillation_hz"] = _oscillation_hz(frames, scale)
    return summary


def _counted(tracks: pd.DataFrame) -> dict[str, int]:
    """Count the pores, and each place of a resting blob once."""
    known = tracks[tracks["origin"] != UNCLEAR]
    return {
        "pores_static": int(known.loc[known["origin"] == STATIC, "place"].nunique()),
        "pores_unclear": len(tracks) - len(known),
        "pores_present": int(known["place"].nunique()),
    }


def _oscillation_hz(frames: pd.DataFrame, scale: Scale) -> float | None:
    if scale.frame_rate_hz is None or frames.empty:
        return None
    depth = frames.set_index("frame")["keyhole_depth_px"]
    # Evenly in time: frames that could not be read have no row.
    depth = depth.reindex(np.arange(depth.index[0], depth.index[-1] + 1))
    return oscillation_spectrum(depth, scale.frame_rate_hz).peak_hz
