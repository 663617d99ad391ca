"""Measure the signs by which a familiar recording differs from a foreign one.

Every sign is a number with a meaning that can be said in a sentence. All of them together take a
few milliseconds a frame. They need the frame, its labels and the grey range of its recording, and
so work with every engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from amseg_keras.classes import MELT_POOL
from amseg_keras.preprocess import GreyRange, motion

MOST_PIXELS = 1 << 14
"""Pixels of a frame that are looked at: of larger ones every n-th row, and every n-th column."""

_LAGS = (1, 2, 4, 8)

_LEAST_SHARE = 0.01
"""Share of the frame that a class must have for its texture to be measured."""

_LENGTHS = ("keyhole_width", "rows")
"""Signs that are logarithms of a length in pixels."""

MOTION_STEP = 2
"""Motion is looked at on every second row and column."""

_MOVED = 0.4
"""Change, in tens of standard deviations of the noise, from which on a pixel moves."""

_LEAST_MOVING = 1e-4
"""Share of moving pixels below which nothing moves."""

_LEAST_PAIRS = 50
"""Pixels that a mean is taken over at least."""

_BIN = 4
"""Pixels along each side over which blobs are smoothed."""

_ABOVE = 0.4
"""Share of the rows above those in which voids are looked for."""

_ONE_OF_VOIDS = 500
"""Means of which the strongest one says how far voids stand out."""

_BLOCKS = 16
"""Parts of a frame along each side."""

_FLOOR = 1e-3
"""Grey levels, as a share of the stretch, below which differences are rounding."""


def measure_signs(
    frame: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    levels: GreyRange,
    moved: np.ndarray | None = None,
) -> dict[str, float]:
    """Measure the signs of one frame.

    Args:
        frame: Grey levels, any real dtype, `(height, width)`.
        labels: Class ids, uint8 of the same shape.
        class_names: Name of each class id.
        levels: Grey levels of the recording that become the ends of the network's input.
        moved: Change of the frame against its background, from `change`; None if the preset or
            the recording has no background.

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
        - `moving`, `moving_CLASS`: share of the pixels that changed by more than four standard
          deviations of the noise, as a logarithm.
        - `moving_across`, `moving_down`: how far these pixels are spread, as a standard deviation
          in widths or heights of the frame.
        - `moving_brighter`: share of them that became brighter.
        - `moving_blobs`: how much farther the strongest changes of metal and keyhole are on the
          bright side than on the dark side, from -1 to 1, on means of 4 x 4 of these pixels.
        - `moving_rough`: change from row to row by the noise of the change, as a logarithm: small
          where the whole scene moved.
        - `blobs_frame`, `blobs_metal`: how much farther what stands out from its rows is from them
          on the bright side than on the dark side, from -1 to 1, on means of 4 x 4 pixels.
        - `voids_8`, `voids_16`, `voids_32`: whether what stands out in the lower 60 % of the rows,
          from both its sides so many pixels away, is bright, as voids are, or dark: from 1 to -1.
        - `rows`: height of the frame in pixels, as a logarithm.
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
    labels, class_names = _liquid_as_metal(labels, class_names)
    grey = stretched(frame, levels)
    step = max(int(np.ceil(np.sqrt(labels.size / MOST_PIXELS))), 1)
    coarse, coarse_grey = labels[::step, ::step], grey[::step, ::step]
    found: dict[str, float] = {}
    present = {}
    for number, name in enumerate(class_names):
        if not name:
            continue
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
        low, middle, high = _levels_at(values, (2, 50, 98))
        found[f"grey_{name}"], found[f"levels_{name}"] = float(middle), float(high - low)
        found[f"bright_spots_{name}"] = float((high + low - 2 * middle) / (high - low + _FLOOR))
    found |= _of_labels(labels, class_names, step) | _of_blocks(grey)
    found |= _of_blobs(grey, labels, class_names) | _of_voids(grey)
    found["rows"] = float(np.log(frame.shape[0]))
    found["white"] = float((frame[::step, ::step] >= frame.max()).mean())
    found["black"] = float((frame[::step, ::step] <= frame.min()).mean())
    textures: dict[str, np.ndarray | None] = {"frame": None}
    for name in ("background", "substrate", "powder"):
        if name in class_names and found[f"share_{name}"] >= _LEAST_SHARE:
            textures[name] = labels == class_names.index(name)
    found |= _textures(grey, textures, step)
    if moved is not None:
        found |= _of_motion(moved, labels[::MOTION_STEP, ::MOTION_STEP], class_names)
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


def _liquid_as_metal(
    labels: np.ndarray, class_names: Sequence[str]
) -> tuple[np.ndarray, Sequence[str]]:
    """Take the melt pool as substrate: where it ends is too uncertain to judge a recording by."""
    if MELT_POOL not in class_names or "substrate" not in class_names:
        return labels, class_names
    ids = np.arange(256, dtype=np.uint8)
    ids[class_names.index(MELT_POOL)] = class_names.index("substrate")
    return ids[labels], ["" if name == MELT_POOL else name for name in class_names]


def change(frame: np.ndarray, background: np.ndarray | None) -> np.ndarray | None:
    """Compute how every second pixel of a frame differs from its background.

    Args:
        frame: Grey levels, any real dtype, `(height, width)`.
        background: Grey levels without what moves, same shape; None if there is none.

    Returns:
        Change in tens of standard deviations of the noise, -1 to 1; None without a background.

    Example:
        >>> change(np.ones((64, 96)), np.ones((64, 96))).shape, change(np.ones((64, 96)), None)
        ((32, 48), None)
    """
    if background is None:
        return None
    return motion(frame[::MOTION_STEP, ::MOTION_STEP], background[::MOTION_STEP, ::MOTION_STEP])


def of_scaled(found: dict[str, float], scale: float) -> dict[str, float]:
    """Say how much a frame was enlarged or reduced before the network.

    Noise and texture are those of the frame as it was recorded, and lengths those that the network
    saw.

    Args:
        found: Signs of the frame as it was recorded, from `measure_signs`.
        scale: Factor by which frames are enlarged for the network.

    Example:
        >>> of_scaled({"noise_frame": -3.0, "keyhole_width": 2.0}, 1.0)
        {'noise_frame': -3.0, 'keyhole_width': 2.0, 'enlarged': 0.0}
    """
    enlarged = float(np.log(scale))
    lengths = {name: found[name] + enlarged for name in _LENGTHS if name in found}
    return {**found, **lengths, "enlarged": enlarged}


def stretched(frame: np.ndarray, levels: GreyRange) -> np.ndarray:
    """Scale grey levels so that the ends of the recording's range are 0 and 1, not clipped."""
    span = levels.high - levels.low
    if span <= 0:
        return np.zeros(frame.shape, np.float32)
    return (frame.astype(np.float32) - np.float32(levels.low)) * np.float32(1 / span)


def _means(pixels: np.ndarray, size: int) -> np.ndarray:
    """Average squares of `size` x `size` pixels; rows and columns that are left over are left out.

    Example:
        >>> _means(np.arange(12.0).reshape(2, 6), 2).tolist()
        [[3.5, 5.5, 7.5]]
    """
    height, width = (side // size for side in pixels.shape)
    rows = pixels[: height * size, : width * size].reshape(height, size, -1).sum(axis=1)
    # Slices added up take a tenth of the time of a sum over so short an axis.
    columns = rows[:, ::size].copy()
    for first in range(1, size):
        columns += rows[:, first::size]
    return np.asarray(columns / np.float32(size * size))


def _levels_at(values: np.ndarray, percentiles: Sequence[float]) -> list[float]:
    """Find percentiles as the nearest of the values: quicker than to interpolate, as good here."""
    places = [round((values.size - 1) * one / 100) for one in percentiles]
    ordered = np.partition(values, places, axis=None)
    return [float(ordered[place]) for place in places]


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
    means = blocks[:, ::2].mean(axis=1).mean(axis=-1)
    some = blocks[:, ::step]
    across = np.abs(some[..., 1:] - some[..., :-1]).mean(axis=1).mean(axis=-1)
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
    low, middle, high = _levels_at(whole[::4, ::4], (1, 50, 99))
    found["bright_spots_frame"] = float((high + low - 2 * middle) / (high - low + _FLOOR))
    beyond = whole[4:-4:2, 4:-4:4]
    around = (
        whole[:-8:2, 4:-4:4] + whole[8::2, 4:-4:4] + whole[4:-4:2, :-8:4] + whole[4:-4:2, 8::4]
    ) / 4
    apart_there = beyond - around
    squares = apart_there * apart_there
    spread = float(np.sqrt(squares.mean())) + _FLOOR
    found["skewness"] = float(np.cbrt((squares * apart_there).mean()) / spread)
    return found


def _of_blobs(grey: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> dict[str, float]:
    """Whether what stands out from its rows is bright, as voids are, or dark."""
    height, width = (side // _BIN for side in grey.shape)
    if min(height, width) < 4:
        return {}
    coarse = _means(grey, _BIN)
    coarse = coarse - np.median(coarse, axis=1, keepdims=True)
    found = {}
    places: dict[str, np.ndarray] = {"frame": np.ones((height, width), bool)}
    if "substrate" in class_names:
        middle = labels[_BIN // 2 :: _BIN, _BIN // 2 :: _BIN][:height, :width]
        names = ("substrate", "keyhole", "pore")
        metal = [class_names.index(name) for name in names if name in class_names]
        places["metal"] = np.isin(middle, metal)
    for name, place in places.items():
        values = coarse[place]
        if len(values) > _LEAST_PAIRS:
            low, middle_level, high = _levels_at(values, (0.5, 50, 99.5))
            apart = (high + low - 2 * middle_level) / (high - low + _FLOOR)
            found[f"blobs_{name}"] = float(apart)
    return found


def _of_voids(grey: np.ndarray) -> dict[str, float]:
    """Whether things in the lower part of the frame are brighter or darker than both their sides.

    The plate is there, whatever the labels say. Gas that is darker than the plate is no inverted
    frame, but voids that are darker than the plate are.
    """
    lower = grey[int(_ABOVE * grey.shape[0]) :]
    found = {}
    coarse = {}
    for reach, size in ((8, 2), (16, 4), (32, 4)):
        height, width = (side // size for side in lower.shape)
        away = reach // size
        if height < 4 or width < 2 * away + 4:
            continue
        if size not in coarse:
            coarse[size] = _means(lower, size)
        means = coarse[size]
        middle = means[:, away:-away]
        left, right = middle - means[:, : -2 * away], middle - means[:, 2 * away :]
        count = max(left.size // _ONE_OF_VOIDS, 1)
        bright, dark = (
            float(np.partition(one, one.size - count, axis=None)[one.size - count])
            for one in (np.minimum(left, right), np.minimum(-left, -right))
        )
        found[f"voids_{reach}"] = (bright - dark) / (abs(bright) + abs(dark) + _FLOOR)
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


def _textures(
    grey: np.ndarray, masks: Mapping[str, np.ndarray | None], step: int
) -> dict[str, float]:
    """How grey levels differ over short distances, within each class."""
    sides = (
        (grey[::step], {name: _thinned(mask, step, 1) for name, mask in masks.items()}),
        (
            np.ascontiguousarray(grey[:, ::step].T),
            {name: _thinned(mask, step, 0) for name, mask in masks.items()},
        ),
    )
    across, down = (_differences(part, within) for part, within in sides)
    found: dict[str, float] = {}
    for name in masks:
        found[f"noise_{name}"] = float(np.log(across[name][0]))
        for number, lag in enumerate(_LAGS[1:], 1):
            ratio = across[name][number] / across[name][number - 1]
            found[f"texture_{name}_{lag}"] = float(np.log(ratio))
        for lag in (1, 4):
            number = _LAGS.index(lag)
            ratio = down[name][number] / across[name][number]
            found[f"lean_{name}_{lag}"] = float(np.log(ratio))
    return found


def _thinned(mask: np.ndarray | None, step: int, axis: int) -> np.ndarray | None:
    if mask is None:
        return None
    return mask[::step] if axis else np.ascontiguousarray(mask[:, ::step].T)


def _differences(
    grey: np.ndarray, masks: Mapping[str, np.ndarray | None]
) -> dict[str, list[float]]:
    """Mean absolute difference of pixels in one row of the array, at each of the lags."""
    found: dict[str, list[float]] = {name: [] for name in masks}
    for lag in _LAGS:
        if grey.shape[1] <= lag:
            for values in found.values():
                values.append(np.nan)
            continue
        apart = np.abs(grey[:, lag:] - grey[:, :-lag])
        for name, mask in masks.items():
            if mask is None:
                found[name].append(float(apart.mean()) + _FLOOR)
                continue
            both = mask[:, lag:] & mask[:, :-lag]
            count = int(np.count_nonzero(both))
            mean = float(np.vdot(apart, both.astype(np.float32))) / max(count, 1) + _FLOOR
            found[name].append(mean if count > _LEAST_PAIRS else np.nan)
    return found


def _of_motion(
    moved: np.ndarray, labels: np.ndarray, class_names: Sequence[str]
) -> dict[str, float]:
    """Where and how much a frame differs from its background."""
    strong = np.abs(moved) > _MOVED
    share = float(strong.mean())
    found = {"moving": float(np.log(share + _LEAST_MOVING))}
    for name in ("background", "substrate", "keyhole"):
        if name in class_names:
            mask = labels == class_names.index(name)
            count = np.count_nonzero(mask)
            if count > _LEAST_PAIRS:
                within = np.count_nonzero(strong & mask) / count
                found[f"moving_{name}"] = float(np.log(within + _LEAST_MOVING))
    rows, columns = np.nonzero(strong)
    if len(rows) > _LEAST_PAIRS:
        found["moving_across"] = float(columns.std() / moved.shape[1])
        found["moving_down"] = float(rows.std() / moved.shape[0])
        found["moving_brighter"] = float((moved[strong] > 0).mean())
    height, width = (side // _BIN for side in moved.shape)
    if "substrate" in class_names and min(height, width) >= 4:
        coarse = _means(moved, _BIN)
        middle = labels[_BIN // 2 :: _BIN, _BIN // 2 :: _BIN][:height, :width]
        metal = [class_names.index(one) for one in ("substrate", "keyhole") if one in class_names]
        values = coarse[np.isin(middle, metal)]
        if len(values) > _LEAST_PAIRS:
            low, high = _levels_at(values, (0.2, 99.8))
            found["moving_blobs"] = float((high + low) / (high - low + _FLOOR))
    rough = np.abs(np.diff(moved[:, ::2], axis=0))
    found["moving_rough"] = float(np.log(np.median(rough) + _FLOOR))
    return found
