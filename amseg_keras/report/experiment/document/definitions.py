"""What every quantity of the report means."""

from __future__ import annotations

from html import escape

from amseg_keras.report.experiment.document.geometry_drawing import GEOMETRY

_DEFINITIONS = {
    "Surface": "A robust line through the top of the substrate, found in every frame, so that a "
    "plate may be tilted. All depths are measured from it, perpendicular to it.",
    "Keyhole": "The largest connected piece labelled keyhole, and pieces up to 10 px beside it.",
    "Keyhole area": "The area of its pixels.",
    "Keyhole depth": "From the surface to the tip, the deepest point of the keyhole.",
    "Keyhole width": "The longest run of keyhole parallel to the surface, at any depth.",
    "Aperture": "Width at the surface; 0 where the keyhole does not reach it.",
    "Aspect ratio": "Depth divided by width.",
    "Front-wall angle": "Between the aperture and the wall on the side that the scan moves to, "
    "inside the keyhole: 90° is straight down, less where the tip trails behind.",
    "Pore": 'A connected piece labelled pore; those below the smallest size (under "How it was '
    'made") are speckles and not counted.',
    "Equivalent diameter": "Of the disc of the same area, √(4 A / π); equation 5 of the paper.",
    "Pore depth": "Of the centroid, below the surface.",
    "Pore track": "One pore, followed from frame to frame.",
    "Origin": "Formed: during the recording, in the first frame with the pore. Earlier: "
    "there in the first frame, and moving. Static: an old pore or dirt, which never moves and was "
    "not formed during the recording. Unclear: seen too seldom to tell. Only formed ones count "
    "as formed, and static or unclear blobs have no growth and no drift.",
    "Formed at the keyhole": "A pore that touches the keyhole when it is first seen, or is as near "
    "to it as its own diameter and 3 px, or to where the keyhole was up to three frames before.",
    "Growth": "Slope of the area over time, from the first frame to that of the largest area.",
    "Drift": "Velocity of the centroid in the frame, while it moves; positive to the right.",
    "Fluctuation": "δ = |x - mean| / mean, over the frames "
    "with a keyhole; equations 3 and 4 of the paper. Its mean and its largest value are given, of "
    "area and depth.",
    "Oscillation": "The strongest peak in the spectrum of the keyhole's depth, if one stands out "
    "of the noise.",
    "Porosity": "Area of the pores divided by that of pores and metal, in the image; no volume.",
    "Melt-free depth": "From the deepest pixel of keyhole and pores, where the metal must have "
    "been molten, to the bottom of the plate in the frame.",
}


def definitions() -> str:
    """The drawing and a list of all quantities, folded."""
    terms = "".join(
        f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>"
        for term, meaning in _DEFINITIONS.items()
    )
    return (
        '<details class="printed"><summary>How every quantity is defined</summary>'
        f'<div class="drawing">{GEOMETRY}</div><dl>{terms}</dl>'
        '<p class="soft">The paper: W. Li et al., AM-SegNet, Virtual and Physical Prototyping 19 '
        "(2024), doi 10.1080/17452759.2024.2325572.</p></details>"
    )
