"""The numbers and curves by which frames of one kind are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from amseg_keras.simulate.statistics import (
    Edge,
    boundary_distance,
    edge_profile,
    ghost_share,
    grey_histogram,
    grey_level,
    measure_edge,
    motion_channel,
    neighbour_correlation,
    power_spectrum,
    split_variance,
    texture_contrast,
    texture_unevenness,
    unsteadiness,
)
from similarity.recordings import (
    BACKGROUND,
    IGNORE,
    KEYHOLE,
    PORE,
    POWDER,
    SUBSTRATE,
    LabelledStack,
)
from similarity.regions import eroded, gas, largest_rectangle, solid, surface_depth

FINE, COARSE = 2.0, 8.0
"""Sigmas of the blurs that are taken away, in pixels."""

BANDS = ((2, 4), (4, 8), (8, 16), (16, 32))
"""Periods in pixels."""

GREY_EDGES = np.arange(0, 257, 4) - 0.5
RELATIVE_EDGES = np.linspace(0, 1.6, 81)
FREQUENCIES = np.linspace(0.05, 0.5, 60)
DISTANCES = np.arange(-19.5, 20)

_SMALLEST_PX = 40
_HEIGHTS = (24, 32, 48, 64, 96)


@dataclass
class Measured:
    """What was measured in one frame or over a recording.

    Attributes:
        numbers: By name.
        histograms: Density over the grey levels, by region.
        spectrum: Power density of the solid over its squared mean, at `FREQUENCIES`.
        profile: Grey over the outside plateau, at `DISTANCES` from an edge.
    """

    numbers: dict[str, float] = field(default_factory=dict)
    histograms: dict[str, np.ndarray] = field(default_factory=dict)
    spectrum: np.ndarray = field(default_factory=lambda: np.full(len(FREQUENCIES), np.nan))
    profile: np.ndarray = field(default_factory=lambda: np.full(len(DISTANCES), np.nan))


MeasureFrame = Callable[[np.ndarray, np.ndarray], Measured]


def measure_recording(recording: LabelledStack, measure: MeasureFrame, most: int = 14) -> Measured:
    """Median over frames, at most some of them, evenly spread."""
    chosen = np.unique(np.linspace(0, len(recording.frames) - 1, most).round().astype(int))
    return median_of(measure(recording.frames[index], recording.labels[index]) for index in chosen)


def median_of(measured: Iterable[Measured]) -> Measured:
    """Median of each number and at each place of each curve; NaN does not count."""
    every = list(measured)
    return Measured(
        {
            name: float(quantile([one.numbers[name] for one in every], 50))
            for name in every[0].numbers
        },
        {
            name: quantile([one.histograms[name] for one in every], 50)
            for name in every[0].histograms
        },
        quantile([one.spectrum for one in every], 50),
        quantile([one.profile for one in every], 50),
    )


def quantile(values: list, percent: float) -> np.ndarray:
    """Along the first axis, NaN left out; NaN where there is nothing else."""
    stacked = np.asarray(values, float)
    empty = np.isnan(stacked).all(axis=0)
    return np.where(empty, np.nan, np.nanpercentile(np.where(empty, 0.0, stacked), percent, axis=0))


# --- the kinds -------------------------------------------------------------------------------


def measure_lpbf(frame: np.ndarray, labels: np.ndarray) -> Measured:
    """Powder bed: grey levels 8 bit."""
    frame = eight_bit(frame)
    found = _gas_and_solid(frame, labels, clear=8)
    powder = eroded(labels, POWDER)
    pores = eroded(labels, PORE)
    mean, sd = _grey(frame, powder)
    found.numbers |= {"powder mean": mean, "powder sd": sd}
    found.numbers["powder lag 1"] = _lag_one(frame, powder)
    found.numbers["pore contrast"] = _contrast(frame, pores, found)
    edge = _pore_edge(frame, labels, found)
    found.numbers |= {"pore dark fringe": edge.outside_fringe / edge.outside}
    found.numbers |= {"pore bright rim": edge.inside_fringe / edge.outside}
    found.histograms |= {"powder": _histogram(frame, powder), "pore": _histogram(frame, pores)}
    return found


def measure_welding(frame: np.ndarray, labels: np.ndarray) -> Measured:
    """Bare plate: grey levels 8 bit."""
    frame = eight_bit(frame)
    found = _gas_and_solid(frame, labels, clear=8)
    pores, keyhole = eroded(labels, PORE, 1), eroded(labels, KEYHOLE)
    found.numbers["pore contrast"] = _contrast(frame, pores, found)
    found.numbers["keyhole contrast"] = _contrast(frame, keyhole, found)
    edge = _pore_edge(frame, labels, found)
    found.numbers |= {"pore dark fringe": edge.outside_fringe / edge.outside}
    found.numbers |= {"pore bright rim": edge.inside_fringe / edge.outside}
    depth = surface_depth(labels)
    beside = boundary_distance((labels == KEYHOLE).any(axis=0)[None])[0] < -20
    profile = edge_profile(frame, depth, beside & (labels != IGNORE), DISTANCES)
    surface = measure_edge(DISTANCES, profile, (-19, -12), (8, 18))
    found.numbers["surface bright fringe"] = surface.outside_fringe / surface.outside
    found.numbers["surface dark fringe"] = surface.inside_fringe / surface.inside
    found.numbers["surface rise"] = surface.rise
    found.profile = profile / surface.outside
    found.histograms["pore"] = _histogram(frame, pores)
    found.histograms["keyhole"] = _histogram(frame, keyhole)
    return found


def measure_aps(frame: np.ndarray, labels: np.ndarray) -> Measured:
    """Raw frames of a keyhole: grey levels over those of the plate."""
    region = solid(labels, clear=10)
    plate = float(np.median(frame[region]))
    frame = frame / plate
    found = Measured()
    far = gas(frame, labels, clear=45, spatter=False)
    found.numbers["gas / plate"] = _grey(frame, far)[0]
    found.numbers |= _texture(frame, region, "plate")
    found.numbers |= _bands(frame, region, found, "plate")
    distance = boundary_distance(labels == KEYHOLE)
    below = (surface_depth(labels) > 6) & (labels != IGNORE)
    found.profile = edge_profile(frame, distance, below, DISTANCES)
    edge = measure_edge(DISTANCES, found.profile, (-15, -8), (4, 12))
    found.profile = found.profile / edge.outside
    found.numbers["keyhole / plate"] = edge.inside / edge.outside
    found.numbers["keyhole dark fringe"] = edge.outside_fringe / edge.outside
    found.numbers["keyhole rise"] = edge.rise
    found.histograms = {
        "gas": _histogram(frame, far, RELATIVE_EDGES),
        "plate": _histogram(frame, region, RELATIVE_EDGES),
        "keyhole": _histogram(frame, eroded(labels, KEYHOLE), RELATIVE_EDGES),
    }
    return found


def measure_ded(frame: np.ndarray, labels: np.ndarray) -> Measured:
    """Deposit: grey levels 8 bit, over the gas; it has a gradient instead of a plateau."""
    frame = eight_bit(frame)
    found = Measured()
    above, region = gas(frame, labels, clear=8), solid(labels, clear=6)
    mean, _ = _grey(frame, above)
    found.numbers["gas mean"] = mean
    found.numbers |= _texture(frame, above, "gas")
    found.numbers |= _bands(frame, above, found, "gas")
    depth = surface_depth(labels)
    for px in (5, 20, 40, 80):
        at = (np.abs(depth - px) <= 1) & (labels == SUBSTRATE)
        found.numbers[f"deposit / gas at {px} px"] = _grey(frame, at)[0] / mean
    deep = region & (depth > 50) & (depth < 70)
    found.numbers["deposit noise"] = _relative(frame, deep, FINE) * _grey(frame, deep)[0] / 100
    profile = edge_profile(frame, depth, labels != IGNORE, DISTANCES)
    surface = measure_edge(DISTANCES, profile, (-10, -6), (4, 6))
    found.numbers["surface bright fringe"] = surface.outside_fringe / surface.outside
    found.numbers["surface rise"] = surface.rise
    found.profile = profile / surface.outside
    ratios = _pore_ratios(frame, labels)
    found.numbers["bright pore / deposit"] = _mean(ratios[ratios > 1])
    found.numbers["dark pore / deposit"] = _mean(ratios[ratios < 1])
    found.histograms = {"gas": _histogram(frame, above), "deposit": _histogram(frame, region)}
    return found


def measure_casting(frame: np.ndarray, labels: np.ndarray) -> Measured:
    """Alloy with dark pores: grey levels 8 bit."""
    frame = eight_bit(frame)
    found = Measured()
    alloy = eroded(labels, BACKGROUND, 4)
    pores = eroded(labels, PORE)
    mean, sd = _grey(frame, alloy)
    shading = ndimage.gaussian_filter(frame, 24)[alloy].std() / mean
    found.numbers |= {"alloy mean": mean, "alloy sd": sd, "alloy shading": 100 * float(shading)}
    found.numbers |= _texture(frame, alloy, "alloy")
    found.numbers |= _bands(frame, alloy, found, "alloy")
    found.numbers["pore / alloy"] = _grey(frame, pores)[0] / mean
    found.numbers["pore share"] = 100 * float((labels == PORE).sum() / (labels != IGNORE).sum())
    numbered, count = ndimage.label(labels == PORE)
    large = np.flatnonzero(np.bincount(numbered.ravel(), minlength=count + 1)[1:] > 150) + 1
    distance = boundary_distance(np.isin(numbered, large))
    profile = edge_profile(frame, distance, labels != IGNORE, DISTANCES)
    edge = measure_edge(DISTANCES, profile, (-15, -6), (5, 9))
    found.numbers["pore rise"] = edge.rise
    found.profile = profile / edge.outside
    found.histograms = {"alloy": _histogram(frame, alloy), "pore": _histogram(frame, pores)}
    return found


def measure_rest(recording: LabelledStack) -> dict[str, float]:
    """Static texture and noise of a stack, where nothing moves in any of its frames."""
    still = np.logical_and.reduce([solid(labels, clear=10) for labels in recording.labels])
    if still.sum() < _SMALLEST_PX:
        return dict.fromkeys(("static texture", "noise", "noise lag 1"), float("nan"))
    split = split_variance(recording.frames.astype(float), still, COARSE)
    mean = grey_level(recording.frames, np.broadcast_to(still, recording.frames.shape))[0]
    return {
        "static texture": 100 * split.static / mean,
        "noise": 100 * split.noise / mean,
        "noise lag 1": (split.along_row + split.along_column) / 2,
    }


def measure_wall(frame: np.ndarray, labels: np.ndarray) -> Measured:
    """Wall that is built up: raw frames with bright gas; grey levels over those of the gas."""
    frame = frame.astype(float)
    above = gas(frame, labels, clear=8)
    level = _grey(frame, above)[0]
    found = Measured()
    depth = surface_depth(labels)
    for px in (12, 30, 70):
        at = (np.abs(depth - px) <= 2) & np.isin(labels, (SUBSTRATE, PORE, IGNORE))
        found.numbers[f"wall / gas at {px} px"] = _grey(frame, at)[0] / level
    ratios = _pore_ratios(frame, labels)
    found.numbers["pore / wall"] = _mean(ratios)
    region = np.isin(labels, (SUBSTRATE, PORE)) & (depth > 24)
    found.numbers |= _texture(frame, region, "wall")
    found.numbers |= _bands(frame, region, found, "wall")
    profile = edge_profile(frame, depth, labels != IGNORE, DISTANCES)
    found.profile = profile / level
    found.histograms = {"wall": _histogram(frame / level, region, RELATIVE_EDGES)}
    return found


def measure_movie(recording: LabelledStack) -> dict[str, float]:
    """Flicker, drift, and noise, ghosts and spectrum of the motion channel under the melt."""
    names = [f"motion {shortest}-{longest} px" for shortest, longest in BANDS]
    whole = np.logical_and.reduce(
        [np.isin(labels, (SUBSTRATE, PORE)) & (surface_depth(labels) > 24)
         for labels in recording.labels[:: max(len(recording.labels) // 12, 1)]]
    )  # fmt: skip
    box = largest_rectangle(whole, _HEIGHTS)
    if box is None:
        names += ["flicker", "drift", "drift range", "movie noise", "ghosts"]
        return dict.fromkeys(names, float("nan"))
    steady = unsteadiness(recording.frames, box)
    chosen = np.linspace(0.1, 0.9, 6) * (len(recording.frames) - 1)
    pairs, spectra = [], []
    for index in chosen.round().astype(int):
        pairs.append(ghost_share(recording.frames, int(index), box))
        spectrum = power_spectrum(motion_channel(recording.frames, int(index))[box])
        spectra.append([100 * spectrum.band_std(*band) for band in BANDS])
    noise, ghosts = np.median(pairs, axis=0)
    numbers = dict(zip(names, np.median(spectra, axis=0).tolist(), strict=True))
    return numbers | {
        "flicker": 100 * steady.flicker,
        "drift": 100 * steady.speed,
        "drift range": steady.range,
        "movie noise": 100 * float(noise),
        "ghosts": float(ghosts),
    }


# --- parts of them ---------------------------------------------------------------------------


def eight_bit(frame: np.ndarray) -> np.ndarray:
    """Grey levels as of 8 bit: a share of the full scale of 8, 12 or 16 bit, times 255."""
    if frame.dtype == np.uint8:
        return frame.astype(float)
    return frame * (255 / (4095 if frame.max() <= 4095 else 65535))


def _gas_and_solid(frame: np.ndarray, labels: np.ndarray, clear: int) -> Measured:
    above, region = gas(frame, labels, clear=12), solid(labels, clear)
    mean, sd = _grey(frame, region)
    found = Measured({"gas mean": _grey(frame, above)[0]})
    found.numbers["gas coarse contrast"] = _relative(frame, above, COARSE)
    found.numbers |= {"substrate mean": mean, "substrate sd": sd}
    found.numbers |= _texture(frame, region, "substrate")
    found.numbers |= _bands(frame, region, found, "substrate")
    found.histograms = {"gas": _histogram(frame, above), "substrate": _histogram(frame, region)}
    return found


def _texture(frame: np.ndarray, region: np.ndarray, name: str) -> dict[str, float]:
    numbers = {
        f"{name} fine contrast": _relative(frame, region, FINE),
        f"{name} coarse contrast": _relative(frame, region, COARSE),
    }
    numbers[f"{name} unevenness"] = float("nan")
    rows = columns = np.full(2, np.nan)
    if region.sum() >= _SMALLEST_PX:
        numbers[f"{name} unevenness"] = texture_unevenness(frame, region, COARSE)
        rows, columns = neighbour_correlation(frame, region, 2, COARSE)
    numbers |= {f"{name} lag 1 in rows": float(rows[0])}
    numbers |= {f"{name} lag 1 in columns": float(columns[0])}
    return numbers | {f"{name} lag 2": float(rows[1] + columns[1]) / 2}


def _bands(frame: np.ndarray, region: np.ndarray, found: Measured, name: str) -> dict[str, float]:
    """Bands of the spectrum; the spectrum itself goes into what was found."""
    names = [f"{name} {shortest}-{longest} px" for shortest, longest in BANDS]
    box = largest_rectangle(region, _HEIGHTS)
    if box is None:
        return dict.fromkeys(names, float("nan"))
    patch = frame[box]
    spectrum = power_spectrum(patch)
    found.spectrum = (
        np.interp(FREQUENCIES, spectrum.frequency, spectrum.density) / patch.mean() ** 2
    )
    return {
        name: 100 * spectrum.band_std(*band) / float(patch.mean())
        for name, band in zip(names, BANDS, strict=True)
    }


def _grey(frame: np.ndarray, region: np.ndarray) -> tuple[float, float]:
    if region.sum() < _SMALLEST_PX:
        return float("nan"), float("nan")
    return grey_level(frame, region)


def _relative(frame: np.ndarray, region: np.ndarray, sigma: float) -> float:
    if region.sum() < _SMALLEST_PX:
        return float("nan")
    return 100 * texture_contrast(frame, region, sigma)


def _lag_one(frame: np.ndarray, region: np.ndarray) -> float:
    if region.sum() < _SMALLEST_PX:
        return float("nan")
    rows, columns = neighbour_correlation(frame, region, 1, COARSE)
    return float(rows[0] + columns[0]) / 2


def _histogram(frame: np.ndarray, region: np.ndarray, edges: np.ndarray = GREY_EDGES) -> np.ndarray:
    if region.sum() < _SMALLEST_PX:
        return np.full(len(edges) - 1, np.nan)
    return grey_histogram(frame, region, edges)


def _contrast(frame: np.ndarray, region: np.ndarray, found: Measured) -> float:
    """Mean above the substrate's, in standard deviations of the substrate."""
    mean = _grey(frame, region)[0]
    return (mean - found.numbers["substrate mean"]) / found.numbers["substrate sd"]


def _pore_edge(frame: np.ndarray, labels: np.ndarray, found: Measured) -> Edge:
    distance = boundary_distance(labels == PORE)
    inside = np.isin(labels, (SUBSTRATE, PORE)) & (surface_depth(labels) > 8)
    profile = edge_profile(frame, distance, inside, DISTANCES)
    edge = measure_edge(DISTANCES, profile, (-12, -6), (3.5, 8))
    found.profile = profile / edge.outside
    return edge


def _pore_ratios(frame: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean grey of each pore's middle over that of a ring about it, 3 to 6 px away."""
    numbered, count = ndimage.label(labels == PORE)
    ratios = []
    for number in range(1, count + 1):
        distance = boundary_distance(numbered == number)
        middle = distance > 1
        ring = (distance < -3) & (distance > -6) & (labels == SUBSTRATE)
        if middle.sum() >= 12 and ring.sum() >= _SMALLEST_PX:
            ratios.append(frame[middle].mean() / frame[ring].mean())
    return np.array(ratios)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
