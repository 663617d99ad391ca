"""Measure the signs by which a familiar recording differs from a foreign one.

Every sign is a number with a meaning that can be said in a sentence. All of them together take a
few milliseconds a frame. They need the frame, its labels and the grey range of its recording, and
so work with every engine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from amseg_keras.preprocess import GreyRange

MOST_PIXELS = 1 << 15
"""Pixels of a frame that are looked at: of larger ones every n-th row, and every n-th column."""

_LAGS = (1, 2, 4, 8)

_LEAST_SHARE = 0.01
"""Share of the frame that a class must have for its texture to be measured."""

OF_PIXELS = ("noise", "texture", "lean", "detail", "edge", "skewness", "counting", "speckle")
"""Beginnings of the names of signs that change when frames are resampled."""

_BLOCKS = 16
"""Parts of a frame along each side."""

_FLOOR = 1e-3
"""Grey levels, as a share of the stretch, below which differences are rounding."""


def measure_signs(
    frame: np.ndarray, labels: np.ndarray, class_names: Sequence[str], levels: GreyRange
) -> dict[str, float]:
    """Measure the signs of one frame.

    Args:
        frame: Grey levels, any real dtype, `(height, width)`.
        labels: Class ids, uint8 of the same shape.
        class_names: Name of each class id.
        levels: Grey levels of the recording that become the ends of the network's input.

    Returns:
        Values by the name of the sign; NaN where the frame lacks what it is measured on.

        - `share_CLASS`: share of the frame's pixels.
        - `row_CLASS`, `column_CLASS`: mean place, 0 at the top or left, 1 at the bottom or right.
        - `changes_down`, `changes_across`: changes of the class in a column, in a row.
        - `speckle`: share of pixels whose class the second pixel on either side does not have.
        - `metal_above_gas`: share of the columns in which gas lies below metal.
        - `buried_keyhole`: share of the keyhole's columns above which there is metal.
        - `keyhole_shape`: depth of the keyhole by its width, as a logarithm.
        - `grey_CLASS`: median grey level, 0 and 1 at the ends of the stretch.
        - `levels_CLASS`: stretch between the 2nd and 98th percentile of its grey levels.
        - `white`, `black`: share of the pixels at the largest and smallest value of the frame.
        - `edge`: grey levels of gas over metal, by the noise of the metal.
        - `noise_CLASS`: mean difference of neighbours, as a logarithm of the share of the stretch.
        - `texture_CLASS_2`, `_4`, `_8`: growth of that difference from half that distance on.
        - `lean_CLASS_1`, `_4`: that difference downwards by that to the right.

        - `height_0` to `height_7`: grey level of an eighth of the rows, from the top, above that
          of the frame; `detail_0` to `detail_7`: its noise by that of the frame, as a logarithm.
        - `layers`: how far grey levels differ from row to row by how far from column to column.
        - `skewness`: whether small things are brighter (above 0) or darker than what is around.
        - `counting`: how noise goes with brightness, as a correlation: light is counted.
        - `bright_spots_frame`, `bright_spots_CLASS`: how much farther the brightest pixels are from
          the median than the darkest, from -1 to 1.
        - `keyhole_narrows`: width of the upper half of the keyhole by that of the lower.

        CLASS is also `frame`, for all pixels.

    Example:
        >>> labels = np.zeros((64, 64), np.uint8)
        >>> labels[20:] = 1
        >>> frame = np.where(labels, 100, 200).astype(np.uint8)
        >>> found = measure_signs(frame, labels, ["background", "substrate"], GreyRange(0, 255, 1))
        >>> found["share_substrate"], found["changes_down"], found["metal_above_gas"]
        (0.6875, 1.0, 0.0)
    """
    grey = stretched(frame, levels)
    step = max(int(np.ceil(np.sqrt(labels.size / MOST_PIXELS))), 1)
    coarse, coarse_grey = labels[::step, ::step], grey[::step, ::step]
    found: dict[str, float] = {}
    present = {}
    for number, name in enumerate(class_names):
        mask = coarse == number
        share = float(mask.mean())
        found[f"share_{name}"] = share
        if share < _LEAST_SHARE and name not in ("keyhole", "pore"):
            continue
        if share == 0:
            continue
        present[name] = mask
        found[f"row_{name}"] = float(mask.mean(axis=1) @ _places(mask.shape[0]) / share)
        found[f"column_{name}"] = float(mask.mean(axis=0) @ _places(mask.shape[1]) / share)
        values = coarse_grey[mask]
        low, middle, high = np.percentile(values, (2, 50, 98))
        found[f"grey_{name}"], found[f"levels_{name}"] = float(middle), float(high - low)
        found[f"bright_spots_{name}"] = float((high + low - 2 * middle) / (high - low + _FLOOR))
    found |= _of_labels(labels, class_names, step) | _of_blocks(grey)
    found["white"] = float((frame[::step, ::step] >= frame.max()).mean())
    found["black"] = float((frame[::step, ::step] <= frame.min()).mean())
    textures = {"frame": None}
    for name in ("background", "substrate", "powder"):
        if name in class_names and found[f"share_{name}"] >= _LEAST_SHARE:
            textures[name] = labels == class_names.index(name)
    for name, mask in textures.items():
        found |= _texture(name, grey, mask, step)
    if "background" in present and "substrate" in present:
        noise = np.exp(found.get("noise_substrate", np.nan))
        apart = found["grey_background"] - found["grey_substrate"]
        found["contrast"] = apart
        found["edge"] = float(np.arcsinh(apart / noise))
    metal = found.get("grey_substrate", found.get("grey_background", np.nan))
    for name in ("keyhole", "pore"):
        if name in present:
            found[f"brightness_{name}"] = found[f"grey_{name}"] - metal
    return found


def of_scaled(found: dict[str, float], scale: float) -> dict[str, float]:
    """Leave what holds of frames that are enlarged or reduced before the network.

    Noise and texture are those of other pixels there, and lengths are multiplied.

    Args:
        found: Signs of the frame as it was recorded, from `measure_signs`.
        scale: Factor by which frames are enlarged for the network.

    Example:
        >>> of_scaled({"noise_frame": -3.0, "share_pore": 0.1, "keyhole_width": 2.0}, 1.0)
        {'noise_frame': -3.0, 'share_pore': 0.1, 'keyhole_width': 2.0}
        >>> of_scaled({"noise_frame": -3.0, "share_pore": 0.1}, 3.0)
        {'share_pore': 0.1}
    """
    if scale == 1:
        return found
    kept = {name: value for name, value in found.items() if not name.startswith(OF_PIXELS)}
    if "keyhole_width" in kept:
        kept["keyhole_width"] += float(np.log(scale))
    return kept


def stretched(frame: np.ndarray, levels: GreyRange) -> np.ndarray:
    """Scale grey levels so that the ends of the recording's range are 0 and 1, not clipped."""
    span = levels.high - levels.low
    if span <= 0:
        return np.zeros(frame.shape, np.float32)
    return (frame.astype(np.float32) - np.float32(levels.low)) * np.float32(1 / span)


def _places(count: int) -> np.ndarray:
    """Middles of so many rows, from 0 to 1, divided by their number."""
    return (np.arange(count) + 0.5) / count**2


def _of_blocks(grey: np.ndarray) -> dict[str, float]:
    """Brightness and noise of the parts of a frame, whatever the labels say."""
    height, width = (side // _BLOCKS for side in grey.shape)
    if min(height, width) < 4:
        return {}
    whole = grey[: height * _BLOCKS, : width * _BLOCKS]
    blocks = whole.reshape(_BLOCKS, height, _BLOCKS, width)
    step = max(height * width // 256, 1)
    means = blocks[:, ::2].mean(axis=(1, 3))
    across = np.abs(blocks[:, ::step, :, 1:] - blocks[:, ::step, :, :-1]).mean(axis=(1, 3))
    detail = np.log(across + _FLOOR)
    found: dict[str, float] = {}
    eighth = _BLOCKS // 8
    rows = means.mean(axis=1).reshape(8, eighth).mean(axis=1) - means.mean()
    noises = detail.mean(axis=1).reshape(8, eighth).mean(axis=1) - detail.mean()
    for number, (level, noise) in enumerate(zip(rows, noises, strict=True)):
        found[f"height_{number}"], found[f"detail_{number}"] = float(level), float(noise)
    apart = means.mean(axis=1).std() + _FLOOR, means.mean(axis=0).std() + _FLOOR
    found["layers"] = float(np.log(apart[0] / apart[1]))
    if means.std() > _FLOOR and detail.std() > _FLOOR:
        found["counting"] = float(np.corrcoef(means.ravel(), detail.ravel())[0, 1])
    low, middle, high = np.percentile(whole[::4, ::4], (1, 50, 99))
    found["bright_spots_frame"] = float((high + low - 2 * middle) / (high - low + _FLOOR))
    beyond = whole[4:-4:2, 4:-4:4]
    around = (
        whole[:-8:2, 4:-4:4] + whole[8::2, 4:-4:4] + whole[4:-4:2, :-8:4] + whole[4:-4:2, 8::4]
    ) / 4
    apart_there = beyond - around
    spread = float(np.sqrt((apart_there**2).mean())) + _FLOOR
    found["skewness"] = float(np.cbrt((apart_there**3).mean()) / spread)
    return found


def _of_labels(labels: np.ndarray, class_names: Sequence[str], step: int) -> dict[str, float]:
    columns, rows = labels[:, ::step], labels[::step]
    found = {
        "changes_down": float((columns[1:] != columns[:-1]).sum() / columns.shape[1]),
        "changes_across": float((rows[:, 1:] != rows[:, :-1]).sum() / rows.shape[0]),
    }
    if labels.shape[1] > 4:
        middle = rows[:, 2:-2]
        alone = (rows[:, :-4] != middle) & (rows[:, 4:] != middle)
        found["speckle"] = float(np.log(alone.mean() + 1e-5))
    if "substrate" in class_names and "background" in class_names:
        metal = columns == class_names.index("substrate")
        gas = columns == class_names.index("background")
        top = np.where(metal.any(axis=0), metal.argmax(axis=0), len(metal))
        last_gas = np.where(gas.any(axis=0), len(gas) - 1 - gas[::-1].argmax(axis=0), -1)
        found["metal_above_gas"] = float((last_gas > top).mean())
    if "keyhole" in class_names and "substrate" in class_names:
        keyhole = labels == class_names.index("keyhole")
        across = np.flatnonzero(keyhole.any(axis=0))
        if len(across):
            first = keyhole[:, across].argmax(axis=0)
            above = labels[np.maximum(first - 1, 0), across]
            metal = class_names.index("substrate")
            found["buried_keyhole"] = float(((above == metal) & (first > 0)).mean())
            depth = np.ptp(np.flatnonzero(keyhole.any(axis=1))) + 1
            found["keyhole_shape"] = float(np.log(depth / len(across)))
            found["keyhole_width"] = float(np.log(len(across)))
            deep = np.flatnonzero(keyhole.any(axis=1))
            middle_row = (deep[0] + deep[-1] + 1) // 2
            upper, lower = keyhole[deep[0] : middle_row + 1].sum(), keyhole[middle_row:].sum()
            found["keyhole_narrows"] = float(np.log((upper + 1) / (lower + 1)))
    return found


def _texture(name: str, grey: np.ndarray, mask: np.ndarray | None, step: int) -> dict[str, float]:
    """How grey levels differ over short distances, within a class."""
    across = _differences(grey[::step].T, None if mask is None else mask[::step].T)
    down = _differences(grey[:, ::step], None if mask is None else mask[:, ::step])
    found = {f"noise_{name}": float(np.log(across[0]))}
    for number, lag in enumerate(_LAGS[1:], 1):
        found[f"texture_{name}_{lag}"] = float(np.log(across[number] / across[number - 1]))
    for lag in (1, 4):
        number = _LAGS.index(lag)
        found[f"lean_{name}_{lag}"] = float(np.log(down[number] / across[number]))
    return found


def _differences(grey: np.ndarray, mask: np.ndarray | None) -> list[float]:
    """Mean absolute difference of pixels in one column of the array, at each of the lags."""
    found = []
    for lag in _LAGS:
        if len(grey) <= lag:
            found.append(np.nan)
            continue
        apart = np.abs(grey[lag:] - grey[:-lag])
        if mask is None:
            found.append(float(apart.mean()) + _FLOOR)
            continue
        both = mask[lag:] & mask[:-lag]
        count = int(both.sum())
        found.append(float(apart[both].mean()) + _FLOOR if count > 50 else np.nan)
    return found
