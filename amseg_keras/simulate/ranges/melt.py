"""Ranges for laser powder bed fusion and welding, seen from the side."""

from dataclasses import dataclass, replace

from amseg_keras.simulate.ranges import CheckedRanges, Range


@dataclass(frozen=True)
class MeltRanges(CheckedRanges):
    """Ranges that frames of a melt pool are drawn from; the defaults fit ESRF ID19.

    Raises:
        ValueError: A lower end is above its upper end.

    Example:
        Only deep keyholes under a steep front wall:

        >>> import numpy as np
        >>> from amseg_keras.simulate import FACILITIES, simulate_frame
        >>> aps = FACILITIES["aps"]
        >>> deep = replace(aps.ranges, keyhole_depth_um=(150, 240), front_wall_deg=(10, 20))
        >>> facility = replace(aps, ranges=deep)
        >>> frame, labels = simulate_frame(np.random.default_rng(0), (96, 160), facility)
        >>> frame.shape, labels.dtype
        ((96, 160), dtype('uint8'))
    """

    # --- beam and plate -------------------------------------------------------
    mean_energy_kev: Range = (27.0, 40.0)
    """Centre of the pink beam; its relative width is 0.15."""
    plate_absorbance: Range = (0.12, 0.55)
    """-log of the transmission through the plate; its thickness follows from it."""
    plate_gradient: Range = (-0.1, 0.1)
    """Change of the plate's thickness from edge to edge of the frame, as a fraction."""
    crowned: float = 0.3
    """Share of plates that are thinner at the surface, as walls and beads are."""
    crown: Range = (0.03, 0.3)
    """Thickness that is missing there, as a share: 0.3 in wall_movie."""
    crown_um: Range = (20.0, 250.0)
    """Depth over which they get as thick as they are: 60 rows in wall_movie."""
    surface_height: Range = (0.22, 0.72)
    """Row of the surface at mid-width, as a fraction of the frame height."""
    tilt_deg: Range = (-3.0, 3.0)
    waviness_um: Range = (0.0, 6.5)

    # --- laser, keyhole and melt ----------------------------------------------
    spot_radius_um: Range = (25.0, 85.0)
    keyhole_depth_um: Range = (-15.0, 240.0)
    """Mean depth within which power and speed are drawn: 70 to 200 are usual; below 0 is
    conduction mode."""
    depth_scatter: Range = (0.8, 1.25)
    """Factor of one experiment on the depth that its keyhole number predicts."""
    keyhole_frequency_hz: Range = (2_500.0, 10_000.0)
    keyhole_width: Range = (0.3, 0.95)
    """Mean width over the diameter of the laser spot."""
    narrow: float = 0.12
    """Share of shots with a narrow keyhole, as in the divided frames of aluminium (zhang_5, _7)."""
    narrow_width: Range = (0.25, 0.5)
    """Its width, relative to another keyhole's."""
    faint: float = 0.15
    """Share of shots with a keyhole that only motion shows well."""
    shallow: float = 0.12
    """Share of shots with a shallow depression, as in wall_movie."""
    shallow_um: Range = (4.0, 45.0)
    """Its depth."""
    standing: float = 0.1
    """Share of shots with a laser that stands still, as in simonds_raw."""
    dwell_s: Range = (0.0008, 0.006)
    """How long it is on."""
    front_wall_deg: Range = (10.0, 45.0)
    """Inclination of the front wall at 1800 mm/s; slower scans have steeper ones."""
    bead_height_um: Range = (-9.0, 26.0)
    """Solidified track behind the laser: raised or sunken."""
    hump_height_um: Range = (0.0, 52.0)
    """Melt bulging beside the laser spot."""
    melt_length_um: Range = (120.0, 600.0)
    """From the keyhole to where the melt has frozen."""
    melt_depth_um: Range = (12.0, 70.0)
    """Depth of the melt where there is no keyhole to speak of: 30 rows in wall_movie."""
    liquid_depth: Range = (0.7, 1.5)
    """Depth of the liquid, relative to the keyhole's."""
    liquid_lacking: Range = (0.0, 0.08)
    """Share of its density that the liquid lacks: about 0.07 for titanium and aluminium at their
    melting points, against room temperature; 0.012 to 0.015 of the whole plate in wall_movie and
    at APS."""
    liquid_width: Range = (0.2, 1.0)
    """Share of the plate's thickness along the beam that is liquid."""
    liquid_edge_px: Range = (1.0, 20.0)
    """Distance from its boundary over which it gets that bright."""
    fresh_texture: Range = (0.0, 0.02)
    """Standard deviation of the log intensity of the texture that a frozen track has more."""
    fresh_fading: Range = (0.0, 0.6)
    """Share of the old texture that is gone there."""
    bead_fill: Range = (0.1, 1.0)
    """Share of the plate's thickness that the raised melt has."""
    bead_ripple: Range = (0.0, 0.7)
    """Unevenness of the bead along the track, relative standard deviation."""
    plume: Range = (-0.08, 0.14)
    """Log intensity that vapour, spray and melt above the keyhole take away; none below 0."""
    afterglow: Range = (0.0, 0.05)
    """Share of a frame's light that the scintillator gives off in the next."""

    # --- pores ------------------------------------------------------------------
    bubble_width: Range = (0.35, 1.0)
    """Diameter of a pinched-off bubble over the width of its keyhole."""
    earlier_pores: tuple[int, int] = (0, 6)
    """Pores of earlier tracks, on a frame 1024 um high and 2048 um wide."""
    earlier_pore_um: Range = (12.0, 100.0)
    large_pore_um: Range = (85.0, 190.0)
    """One earlier pore in eight: lack of fusion, merged keyhole pores."""
    keyhole_sigmas: Range = (0.25, 2.5)
    """Contrast of a keyhole over the texture's sigma; about 1 on the real frames."""
    keyhole_extra: Range = (0.002, 0.015)
    """Contrast added to that, so that smooth plates hold visible voids too."""
    pore_sigmas: Range = (0.2, 3.5)
    """The same for pores: 0.6 and 2.6 on the real frames."""
    pore_extra: Range = (0.002, 0.015)
    pore_wall_px: Range = (1.2, 7.0)
    """Wall of a pore: one that the plate's faces cut flat is steep, a ball is round."""

    porous: float = 0.25
    """Share of plates with many small pores, as in wall_movie."""
    small_pores: tuple[int, int] = (8, 50)
    """How many there are in 400 x 120 pixels: 31 in wall_movie."""
    small_pore_px: Range = (2.5, 8.0)
    """Their diameter: 3 to 8 in wall_movie."""

    # --- marks that are no voids ----------------------------------------------------
    band: float = 0.25
    """Share of plates with a bright band under the surface, as in wall_movie."""
    band_depth: Range = (0.02, 0.16)
    """Thickness that the band lacks, as a share of the plate's: 0.1 in wall_movie."""
    band_melts: float = 0.5
    """Share of these bands that are gone behind the laser: loose metal that has become dense."""
    dented: float = 0.2
    """Share of plates with dents at the surface."""
    dents: tuple[int, int] = (1, 5)
    """How many."""
    dent_depth: Range = (0.03, 0.4)
    """Thickness that they lack, as a share of the plate's."""
    stains: tuple[int, int] = (0, 8)
    """Dirt, rings, arcs, scratches and specks."""
    stain_sigmas: Range = (0.5, 5.0)
    """Their contrast over the texture's sigma."""
    stuck: float = 0.2
    """Share of plates with grains of powder that stick to their faces, as in wall_movie."""
    stuck_grains: tuple[int, int] = (5, 60)
    """How many there are in 400 x 120 pixels: about 40 in wall_movie."""
    stuck_grain_px: Range = (4.0, 30.0)
    """Diameter of the largest: about 10 in wall_movie."""

    # --- powder -----------------------------------------------------------------
    layer_um: Range = (0.0, 190.0)
    """Thickness of the powder layer; about 100 on the real frames."""
    layer_sheets: tuple[int, int] = (3, 9)
    """Sheets of grains that the beam crosses in the layer."""
    layer_absorbance: Range = (0.15, 0.8)
    """Mean absorbance of the layer, relative to the plate's."""
    layer_texture: Range = (0.9, 2.2)
    """Standard deviation of the layer's log intensity, relative to the plate's."""
    face_sheets: tuple[int, int] = (0, 3)
    """Sheets of grains before and behind the plate (powder bed)."""
    swarm: tuple[int, int] = (0, 160)
    """Grains that hang above the layer (powder bed)."""
    spatter_per_ms: Range = (0.0, 8.0)
    """Drops and grains that the laser throws out."""
    blown: float = 0.5
    """Share of powder beds from which the vapour blows powder away."""
    blown_um: Range = (-20.0, 250.0)
    """How far before the laser it does."""

    # --- texture ----------------------------------------------------------------
    lpbf_texture: Range = (0.05, 0.22)
    """Standard deviation of the log intensity over a plate with grains before and behind it."""
    welding_texture: Range = (0.018, 0.11)
    """The same over a plate without."""
    contrast_in_sigma: Range = (1.7, 7.0)
    """Gas-to-plate contrast over the texture's sigma: 2.4 to 3.2 on the real frames."""
    fine_texture: Range = (0.2, 1.0)
    """Weight of fine grain in the roughness of a plate; the other weights are one at most."""
    scratches: Range = (0.0, 0.25)
    """Weight of marks of grinding."""
    rough_share: Range = (0.03, 0.5)
    """Share of a plate's roughness that absorption shows; the phase fringes show the rest."""
    grain_share: Range = (0.05, 0.5)
    """The same for grains before and behind the plate."""

    # --- detector -----------------------------------------------------------------
    psf_px: Range = (0.4, 0.8)
    photon_noise: Range = (0.004, 0.025)
    read_noise: Range = (0.0, 0.004)
    shading: Range = (0.0, 0.05)
    """Uneven beam left after the flat field, or in a raw frame."""
    vignette: Range = (0.0, 0.25)
    """How much darker the corners of a raw frame are than its middle."""
    stripes: Range = (0.0, 0.006)
    gas_level: Range = (0.55, 0.85)
    """Grey level of the gas in a flat-field corrected frame, fraction of full scale."""
    black_level: Range = (-0.4, 0.5)
    """Intensity that is shown black in one, as a fraction of that behind the plate; none where
    it is below 0."""
    stretched: float = 0.3
    """Share of shots stretched between percentiles instead."""
    raw: float = 0.15
    """Share of raw shots: no flat field, a dark level."""
    raw_eight: float = 0.25
    """Share of raw shots kept with 8 bits."""
    raw_dark: Range = (0.02, 0.15)
    """Grey level of a raw shot without light, fraction of full scale."""
    clipped: float = 0.0
    """Share of shots of bare plates with the beam cut off above the plate; they are raw."""
    clip_below_um: Range = (-25.0, 25.0)
    """How far below the plate's surface the beam is cut off; at the surface if below 0."""
    deep_bits: float = 0.2
    """Share of corrected shots kept with 12 or 16 bits."""

    # --- phase fringes: strength (px2) and softening (px) ---------------------------
    plate_fringe: Range = (1.0, 24.0)
    lip: Range = (-0.5, 1.4)
    """Dark line under the surface, as a fraction of the plate's thickness; none below 0."""
    plate_softening_px: Range = (0.7, 1.6)
    worn_softening_px: Range = (1.2, 6.0)
    """The same under powder: an edge that is rounded, uneven through the plate, half melted."""
    grain_fringe: Range = (1.5, 9.0)
    grain_softening_px: Range = (0.2, 0.65)
    void_fringe: Range = (0.8, 12.0)
    void_softening_px: Range = (0.75, 1.4)


ESRF = MeltRanges()
"""ESRF ID19, 4.31 um a pixel, 40 kHz."""

APS = MeltRanges(
    mean_energy_kev=(23.0, 26.0),
    plate_absorbance=(0.4, 1.8),
    bead_height_um=(-2.0, 24.0),
    surface_height=(0.15, 0.45),
    tilt_deg=(-2.0, 2.0),
    waviness_um=(0.0, 3.0),
    spot_radius_um=(35.0, 55.0),
    keyhole_width=(0.4, 0.95),
    keyhole_sigmas=(1.0, 4.0),
    keyhole_extra=(0.01, 0.16),
    pore_sigmas=(1.0, 4.0),
    pore_extra=(0.01, 0.14),
    swarm=(0, 60),
    face_sheets=(0, 1),
    lpbf_texture=(0.02, 0.08),
    welding_texture=(0.012, 0.05),
    contrast_in_sigma=(10.0, 50.0),
    fine_texture=(0.1, 0.6),
    scratches=(0.0, 0.5),
    psf_px=(0.5, 1.1),
    photon_noise=(0.001, 0.018),
    read_noise=(0.002, 0.014),
    shading=(0.02, 0.12),
    vignette=(0.0, 0.3),
    stripes=(0.0, 0.012),
    stretched=0.3,
    raw=0.4,
    clipped=0.4,
    plate_fringe=(1.0, 10.0),
    plate_softening_px=(0.8, 1.8),
    worn_softening_px=(1.0, 5.0),
    void_fringe=(1.0, 12.0),
    void_softening_px=(0.9, 1.7),
)
"""APS 32-ID-B, 2.0 um a pixel, 50 kHz; the beam may be clipped above the plate."""

_ESRF_UNMARKED = replace(
    ESRF,
    narrow=0.0,
    faint=0.0,
    shallow=0.0,
    standing=0.0,
    porous=0.0,
    band=0.0,
    crowned=0.0,
    dented=0.0,
    stains=(0, 0),
    stuck=0.0,
    raw=0.0,
)
_APS_UNMARKED = replace(
    APS,
    narrow=0.0,
    faint=0.0,
    shallow=0.0,
    standing=0.0,
    porous=0.0,
    band=0.0,
    crowned=0.0,
    dented=0.0,
    stains=(4, 8),
    stuck=0.0,
    raw=1.0,
    raw_eight=0.0,
    raw_dark=(0.0, 0.04),
    liquid_lacking=(0.01, 0.015),
    liquid_width=(1.0, 1.0),
)

ESRF_LPBF_REFERENCE = replace(
    _ESRF_UNMARKED,
    plate_absorbance=(0.41, 0.43),
    surface_height=(0.55, 0.57),
    tilt_deg=(-0.5, 0.0),
    layer_um=(90.0, 120.0),
    layer_sheets=(6, 8),
    layer_absorbance=(0.3, 0.5),
    layer_texture=(1.6, 1.8),
    face_sheets=(2, 2),
    grain_share=(0.0, 0.08),
    rough_share=(0.1, 0.2),
    lpbf_texture=(0.165, 0.175),
    contrast_in_sigma=(1.9, 1.9),
    grain_fringe=(6.0, 9.0),
    grain_softening_px=(0.2, 0.35),
    pore_sigmas=(0.3, 0.8),
    pore_extra=(0.0, 0.0),
    pore_wall_px=(1.2, 2.0),
    void_fringe=(6.0, 9.0),
    swarm=(60, 120),
    gas_level=(0.74, 0.75),
    black_level=(0.0, 0.0),
    psf_px=(0.57, 0.6),
    photon_noise=(0.017, 0.02),
    stretched=0.0,
    deep_bits=0.0,
)
"""As `esrf_lpbf.jpg` was recorded."""

ESRF_WELDING_REFERENCE = replace(
    _ESRF_UNMARKED,
    plate_absorbance=(0.25, 0.26),
    surface_height=(0.47, 0.5),
    tilt_deg=(-1.0, 0.0),
    waviness_um=(0.0, 2.0),
    rough_share=(0.03, 0.15),
    welding_texture=(0.08, 0.085),
    contrast_in_sigma=(3.1, 3.1),
    keyhole_sigmas=(0.7, 1.1),
    keyhole_extra=(0.0, 0.0),
    pore_sigmas=(0.9, 1.4),
    pore_wall_px=(1.2, 2.0),
    void_fringe=(6.5, 8.0),
    void_softening_px=(0.75, 0.95),
    plate_fringe=(2.0, 3.0),
    plate_softening_px=(0.8, 1.0),
    lip=(1.2, 1.4),
    gas_level=(0.745, 0.755),
    black_level=(0.0, 0.0),
    psf_px=(0.6, 0.68),
    photon_noise=(0.014, 0.017),
    stretched=0.0,
    deep_bits=0.0,
)
"""As `esrf_welding.jpg` was recorded."""

APS_REFERENCE = replace(
    _APS_UNMARKED,
    plate_absorbance=(1.3, 1.4),
    surface_height=(0.23, 0.25),
    tilt_deg=(-0.2, 0.2),
    keyhole_depth_um=(150.0, 180.0),
    welding_texture=(0.025, 0.026),
    contrast_in_sigma=(40.0, 40.0),
    keyhole_sigmas=(0.3, 0.8),
    keyhole_extra=(0.19, 0.21),
    void_fringe=(7.0, 10.0),
    psf_px=(0.85, 0.95),
    photon_noise=(0.014, 0.016),
    read_noise=(0.0105, 0.0115),
    clipped=1.0,
    clip_below_um=(10.0, 18.0),
)
"""As the raw frames of Ti-6Al-4V were recorded."""

WALL_REFERENCE = replace(
    APS,
    mean_energy_kev=(27.0, 27.0),
    plate_absorbance=(1.42, 1.46),
    plate_gradient=(0.1, 0.2),
    surface_height=(0.3, 0.33),
    tilt_deg=(-0.4, 0.4),
    waviness_um=(2.0, 6.0),
    crowned=1.0,
    crown=(0.25, 0.32),
    crown_um=(60.0, 100.0),
    keyhole_width=(0.6, 0.9),
    narrow=0.0,
    faint=0.0,
    shallow=1.0,
    shallow_um=(8.0, 20.0),
    standing=0.0,
    keyhole_sigmas=(2.0, 4.0),
    keyhole_extra=(0.05, 0.15),
    melt_depth_um=(80.0, 130.0),
    melt_length_um=(250.0, 500.0),
    liquid_lacking=(0.015, 0.03),
    liquid_width=(0.6, 0.9),
    liquid_edge_px=(3.0, 10.0),
    bead_height_um=(10.0, 18.0),
    bead_fill=(0.8, 1.0),
    bead_ripple=(0.2, 0.4),
    hump_height_um=(0.0, 8.0),
    plume=(-1.0, 0.0),
    earlier_pores=(0, 0),
    porous=1.0,
    small_pores=(28, 36),
    small_pore_px=(3.0, 8.0),
    pore_sigmas=(1.0, 2.0),
    pore_extra=(0.09, 0.15),
    band=1.0,
    band_depth=(0.08, 0.12),
    band_melts=1.0,
    dented=0.0,
    stains=(0, 3),
    stuck=1.0,
    stuck_grains=(30, 45),
    stuck_grain_px=(8.0, 12.0),
    welding_texture=(0.024, 0.028),
    contrast_in_sigma=(50.0, 50.0),
    scratches=(0.0, 0.1),
    psf_px=(0.75, 0.85),
    photon_noise=(0.022, 0.024),
    read_noise=(0.004, 0.006),
    vignette=(0.0, 0.1),
    shading=(0.0, 0.02),
    stripes=(0.0, 0.002),
    raw=1.0,
    raw_eight=0.0,
    raw_dark=(0.0, 0.004),
    clipped=0.0,
    plate_fringe=(1.5, 3.0),
    plate_softening_px=(1.4, 1.8),
    lip=(-0.5, 0.0),
    void_fringe=(3.0, 6.0),
)
"""As `wall_movie` was recorded; its pixel size is not known, and 4.31 um are taken for it."""
