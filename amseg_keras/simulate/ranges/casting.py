"""Tomographic slices of high-pressure die castings: dark pores in bright alloy.

Lengths are in pixels: a slice has the same texture whatever its pixel size. Grey levels are
fractions of the alloy's level.
"""

from dataclasses import dataclass

from amseg_keras.simulate.ranges import CheckedRanges, Range


@dataclass(frozen=True)
class CastingRanges(CheckedRanges):
    """Ranges that the slices of a casting are drawn from.

    Raises:
        ValueError: A lower end is above its upper end.

    Example:
        Castings with shrinkage pores and no clouds of fine ones:

        >>> from dataclasses import replace
        >>> from amseg_keras.simulate import FACILITIES, simulate_sequence
        >>> ranges = replace(FACILITIES["hpdc"].ranges, shrinkage=(4.0, 8.0), clouds=(0.0, 0.0))
        >>> facility = replace(FACILITIES["hpdc"], ranges=ranges)
        >>> volume = simulate_sequence(facility, 2, seed=3, shape=(96, 160))
        >>> volume.frames.shape, volume.parameters["clouds"]
        ((2, 96, 160), 0)
    """

    # --- volume ---------------------------------------------------------------------
    slices: tuple[int, int] = (12, 40)
    """Slices of the volume."""
    slice_px: Range = (0.6, 6.0)
    """Distance of neighbouring slices."""

    # --- pores ------------------------------------------------------------------------
    tiny: Range = (10.0, 190.0)
    """Tiny pores in a slice of 256x512 pixels, on average."""
    tiny_diameter_px: Range = (1.6, 7.0)
    """Their diameter."""
    round: Range = (1.0, 16.0)
    """Gas pores in such a slice."""
    round_diameter_px: Range = (6.0, 42.0)
    """Their diameter."""
    shrinkage: Range = (0.0, 8.0)
    """Shrinkage pores in such a slice."""
    shrinkage_length_px: Range = (30.0, 160.0)
    """Length of their winding axis."""
    shrinkage_width_px: Range = (7.0, 36.0)
    """Their width where they are widest."""
    neck: Range = (0.1, 0.6)
    """Width of their necks over their widest part."""
    ragged_px: Range = (0.3, 3.0)
    """Unevenness of their walls, a third of their half width at most."""
    darkness: Range = (0.62, 0.97)
    """What wide pores lack of the alloy's level."""
    faint: Range = (0.05, 0.6)
    """Share of tiny pores that are fainter than that, down to nothing."""

    # --- microporosity ------------------------------------------------------------------
    clouds: Range = (0.0, 2.0)
    """Clouds of unresolved pores in a slice."""
    cloud_darkness: Range = (0.05, 0.3)
    """Share of its level that the alloy in the middle of a cloud lacks."""
    cloud_px: Range = (15.0, 90.0)
    """Half length of a cloud; it is 1.5 to 5 times as long as high."""
    cloud_height_px: Range = (6.0, 26.0)
    """Sigma of a cloud across the slices."""
    cloud_pores: Range = (0.0, 14.0)
    """Tiny pores of a cloud that can be told apart in a slice."""

    # --- reconstruction ------------------------------------------------------------------
    wedge_deg: Range = (6.0, 28.0)
    """Half angle of the views that are missing or spoiled."""
    wedge_tilt_deg: Range = (-20.0, 20.0)
    """Direction of the flanks that they leave beside pores, from the horizontal."""
    wedge_length_px: Range = (15.0, 60.0)
    """Length of these flanks."""
    wedge_strength: Range = (0.0, 1.7)
    """Share of those views that is lost where it is worst; above 1 they are wrong as well."""
    shading: Range = (0.01, 0.085)
    """Slow unevenness, standard deviation."""
    side_shading: Range = (0.0, 0.55)
    """Darkening towards a side of the volume, where it is strongest."""
    grain: Range = (0.014, 0.055)
    """Fine texture of reconstructed noise, standard deviation."""
    grain_px: Range = (0.5, 1.4)
    """Sigma of its finer part; the coarser is three times as wide."""
    coarse: Range = (0.15, 0.6)
    """Share of the coarser part."""

    # --- detector ------------------------------------------------------------------------
    psf_px: Range = (0.7, 1.8)
    """Sigma of the reconstruction's blur."""
    photon_noise: Range = (0.0, 0.05)
    """White noise before that blur."""
    read_noise: Range = (0.0, 0.008)
    """White noise after it."""
    gain: Range = (0.7, 0.9)
    """Grey level of the alloy above the grey level of air."""
    dark: Range = (-0.03, 0.04)
    """Grey level of air."""


HPDC = CastingRanges()
"""The ranges used for pretraining."""

HPDC_REFERENCE = CastingRanges(
    slice_px=(3.0, 5.0),
    tiny=(55.0, 100.0),
    round=(6.0, 10.0),
    round_diameter_px=(6.0, 36.0),
    shrinkage=(2.6, 6.0),
    darkness=(0.86, 0.93),
    faint=(0.3, 0.5),
    clouds=(0.3, 1.0),
    wedge_deg=(14.0, 20.0),
    wedge_tilt_deg=(-3.0, 3.0),
    wedge_strength=(0.5, 1.3),
    shading=(0.055, 0.07),
    side_shading=(0.0, 0.5),
    grain=(0.037, 0.043),
    grain_px=(0.5, 0.7),
    coarse=(0.3, 0.4),
    psf_px=(1.25, 1.4),
    photon_noise=(0.02, 0.03),
    read_noise=(0.003, 0.0045),
    gain=(0.86, 0.88),
    dark=(-0.005, 0.005),
)
"""Close to the 14 real frames of the video, to compare measured numbers."""
