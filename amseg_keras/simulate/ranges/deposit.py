"""Directed energy deposition, filmed as at Diamond I12 (6.67 um/px, 1 kHz, 53 keV)."""

from dataclasses import dataclass

from amseg_keras.simulate.ranges import CheckedRanges, Range


@dataclass(frozen=True)
class DepositRanges(CheckedRanges):
    """Ranges that a deposited track, its pores, its powder and the camera are drawn from.

    Raises:
        ValueError: A lower end is above its upper end.

    Example:
        Tracks without old pores, and at least five new ones:

        >>> from dataclasses import replace
        >>> from amseg_keras.simulate import FACILITIES, simulate_sequence
        >>> porous = replace(FACILITIES["dls"].ranges, old_pores=(0, 0), new_pores=(5, 14))
        >>> facility = replace(FACILITIES["dls"], ranges=porous)
        >>> shot = simulate_sequence(facility, 3, seed=2, shape=(96, 160))
        >>> shot.frames.shape, 5 <= shot.parameters["pores"] <= 14
        ((3, 96, 160), True)
    """

    # --- beam -------------------------------------------------------------------
    mean_energy_kev: Range = (46.0, 58.0)
    """Centre of the pink beam."""
    absorbance: Range = (1.1, 2.4)
    """-log of the transmission deep in the deposit; its width along the beam follows from it."""
    width_um: Range = (400.0, 6000.0)
    """Widths along the beam that a deposit can have, whatever its alloy absorbs."""

    # --- the deposit --------------------------------------------------------------
    crest: Range = (0.28, 0.55)
    """How its width grows below the surface: exponent, 0.5 for a round cross section."""
    shoulder_um: Range = (450.0, 2200.0)
    """Depth below the surface at which it has its full width."""
    thickness_variation: Range = (0.0, 0.09)
    """Relative variation of its width along the track."""
    surface_height: Range = (0.25, 0.7)
    """Row of the old surface at mid-width, fraction of the frame's height."""
    tilt_deg: Range = (-4.0, 4.0)
    """Tilt of the old surface."""
    hump_um: Range = (10.0, 110.0)
    """Height of the humps on the old surface."""
    hump_length_um: Range = (900.0, 4500.0)
    """Length of these humps."""
    roughness_px: Range = (0.0, 0.9)
    """Unevenness of the surface on the scale of a grain, standard deviation."""
    bead_um: Range = (40.0, 330.0)
    """Height that the pass adds."""
    front_um: Range = (200.0, 1300.0)
    """Length over which the surface rises at the melt pool's front."""

    # --- melt pool ----------------------------------------------------------------
    melt_length_um: Range = (300.0, 1400.0)
    """Length of the melt pool behind the laser at 400 W; as the root of the power."""
    melt_depth_um: Range = (60.0, 350.0)
    """Depth of the old deposit that is melted again at 400 W; as the root of the power."""
    melt_flow_mm_s: Range = (2.0, 60.0)
    """Speed of a pore in the melt when it forms."""

    # --- pores --------------------------------------------------------------------
    old_pores: tuple[int, int] = (0, 10)
    """Pores that earlier passes left in view."""
    new_pores: tuple[int, int] = (0, 14)
    """Pores that form while the laser crosses the view."""
    pore_diameter_um: Range = (22.0, 190.0)
    """Diameter at which a pore freezes."""
    pore_elongation: Range = (0.8, 2.6)
    """Path in a pore along the beam over its diameter."""
    dark_pores: Range = (0.0, 0.5)
    """Share of pores that look dark: filled by slag or melt that absorbs more."""
    dark_absorbance: Range = (0.12, 0.5)
    """Absorbance that a dark pore adds."""

    # --- powder -------------------------------------------------------------------
    grain_diameter_um: Range = (35.0, 120.0)
    """Diameter of the powder grains."""
    grain_path: Range = (0.4, 3.0)
    """Path in a stuck grain along the beam over its diameter: others lie behind it."""
    stuck_per_mm: Range = (0.0, 15.0)
    """Grains stuck to a millimetre of old surface."""
    fresh_share: Range = (0.0, 0.5)
    """Grains stuck to the fresh surface, over those on the old one."""
    face_grains: tuple[int, int] = (0, 25)
    """Grains on the deposit's sides, seen dark through it."""
    stream: Range = (0.0, 14.0)
    """Grains in flight in a frame, on average."""
    flying_diameter_um: Range = (20.0, 75.0)
    """Diameter of the grains in flight."""
    streak_um: Range = (0.0, 260.0)
    """Way of a flying grain during the exposure."""
    focus_um: Range = (100.0, 900.0)
    """Half width of the powder stream where it meets the deposit."""
    specks: Range = (0.0, 2.5)
    """Bright specks in a frame, on average: hot grains and scattered photons."""

    # --- fringes, beam and camera ------------------------------------------------------
    edge_softening_px: Range = (0.7, 2.2)
    """Blur of the surface: it is not the same all through the deposit."""
    edge_fringe: Range = (0.0, 4.5)
    """Phase fringe of the surface, square pixels."""
    void_softening_px: Range = (0.5, 1.2)
    """Blur of pores and grains."""
    void_fringe: Range = (0.0, 1.5)
    """Phase fringe of pores and grains, square pixels."""
    haze: Range = (0.0, 0.12)
    """Share of the light that the scintillator spreads over tens of pixels."""
    haze_px: Range = (8.0, 26.0)
    """Sigma of that spread."""
    shading: Range = (0.0, 0.035)
    """Unevenness of the beam left after the flat field."""
    stripes: Range = (0.0, 0.005)
    """The same in rows."""
    psf_px: Range = (0.4, 0.95)
    """Sigma of the point spread."""
    photon_noise: Range = (0.01, 0.085)
    """Noise of the photons at full beam, before the point spread."""
    read_noise: Range = (0.005, 0.034)
    """White noise of the camera, fraction of the open beam."""
    gain: Range = (0.74, 0.95)
    """Grey level of the open beam above the dark level."""
    dark: Range = (-0.01, 0.06)
    """Grey level without beam."""


DLS = DepositRanges()
"""The ranges used for pretraining."""

DLS_REFERENCE = DepositRanges(
    mean_energy_kev=(53.0, 53.0),
    absorbance=(2.02, 2.12),
    crest=(0.38, 0.41),
    shoulder_um=(1700.0, 1900.0),
    thickness_variation=(0.02, 0.04),
    surface_height=(0.48, 0.56),
    tilt_deg=(-1.0, 1.0),
    hump_um=(40.0, 80.0),
    hump_length_um=(1500.0, 3000.0),
    roughness_px=(0.2, 0.5),
    bead_um=(60.0, 150.0),
    front_um=(500.0, 900.0),
    old_pores=(1, 4),
    new_pores=(1, 4),
    pore_diameter_um=(50.0, 130.0),
    stuck_per_mm=(7.0, 11.0),
    face_grains=(4, 10),
    stream=(0.0, 1.0),
    specks=(1.0, 2.0),
    edge_softening_px=(1.2, 1.5),
    edge_fringe=(1.6, 2.4),
    haze=(0.075, 0.095),
    haze_px=(10.0, 14.0),
    shading=(0.008, 0.015),
    stripes=(0.001, 0.002),
    psf_px=(0.6, 0.7),
    photon_noise=(0.038, 0.044),
    read_noise=(0.0215, 0.0235),
    gain=(0.86, 0.87),
    dark=(0.02, 0.025),
)
"""Close to the real frame `dls_ded.jpg`, to compare measured numbers."""
