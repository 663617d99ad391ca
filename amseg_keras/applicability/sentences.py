"""Sentences for the user, one for each sign, with what to do."""

from __future__ import annotations

NO_CONTRAST = "no_contrast"
UNLIKE = "unlike"
PIXEL_SIZE = "pixel_size"
INVERTED = "inverted"
UPSIDE_DOWN = "upside_down"

MADE_FOR = {"ded": "amsegnet-dls", "casting": "amsegnet-hpdc", "lpbf": "amsegnet-movie"}
"""Preset of the package for a process, by the sign that names the process."""

SENTENCES = {
    NO_CONTRAST: "the frames have no contrast: all pixels are alike; check detector and file",
    "noise": "the frames look like noise without a specimen; is the beam on, and is this the right "
    "dataset?",
    INVERTED: "light and dark seem to be exchanged; try `amseg prepare --repair`, or invert the "
    "frames",
    UPSIDE_DOWN: "the frames seem to be upside down: turn them over, so that the gas is "
    "above the metal",
    "rotated": "the frames seem to be turned on their side: turn them, so that the gas is "
    "above the metal",
    "blurred": "the frames look blurred, or enlarged: fine detail and noise are missing",
    "saturated": "much of the frames is saturated: the bright parts have lost their detail",
    "bright_gas": "the metal has only {value:.0%} of the grey levels: raw frames with bright gas; "
    "try `amseg prepare --flats ...`",
    "larger": "objects look much larger than in the preset's training; give --pixel-size with "
    "--scale auto, or reduce the frames",
    "smaller": "objects look much smaller than in the preset's training; give --pixel-size with "
    "--scale auto, or enlarge the frames",
    "unsteady": "much moves that no laser explains: the camera or the specimen shakes, or the "
    "frames are not of one recording; try `--background none`",
    "other_object": "this does not look like a radiograph of a melt pool; is this the right file?",
    "ded": f"this looks like directed energy deposition: try `--model {MADE_FOR['ded']}`",
    "casting": f"this looks like a slice of a casting: try `--model {MADE_FOR['casting']}`",
    "lpbf": f"this looks like laser powder bed fusion or welding: try `--model {MADE_FOR['lpbf']}`",
    UNLIKE: "this recording is unlike all that the preset knows, most of all in {what}",
    PIXEL_SIZE: "the pixel size {value:g} um is far from the training's {trained}: try "
    "--scale auto",
}

NOT_CHECKED = "not checked whether"
"""Beginning of the sentence about a preset without statistics."""


def not_checked(model: str) -> str:
    """Say that a preset has no statistics: without it, silence would look like approval.

    Args:
        model: Name of the preset.

    Example:
        >>> not_checked("mine")[:49]
        'not checked whether mine fits this recording: the'
    """
    said = f"{NOT_CHECKED} {model} fits this recording"
    return f"{said}: the preset has no applicability.json; look at the overlay"


_WORDS = {
    "share": "the share of {}",
    "row": "the height at which {} lies",
    "column": "the side on which {} lies",
    "grey": "the brightness of {}",
    "levels": "the spread of the grey levels of {}",
    "noise": "the noise of {}",
    "texture": "the texture of {}",
    "lean": "the direction of the texture of {}",
    "brightness": "the brightness of {} against the metal",
    "changes": "the number of layers and pieces",
    "speckle": "the fragments of the label map",
    "metal": "gas below the metal",
    "buried": "keyholes that do not reach the surface",
    "keyhole": "the size and shape of the keyhole",
    "white": "pixels at the upper end of the grey levels",
    "black": "pixels at the lower end of the grey levels",
    "contrast": "the contrast of gas and metal",
    "edge": "the contrast of gas and metal over noise",
    "moving": "what moves",
    "blobs": "whether voids are bright or dark",
    "voids": "whether voids are bright or dark",
    "rows": "the height of the frames in pixels",
    "enlarged": "how far the frames are enlarged",
}

_CLASSES = {"frame": "the frame", "background": "the gas", "substrate": "the metal"}


def in_words(sign: str) -> str:
    """Say what a sign is about.

    Example:
        >>> in_words("texture_substrate_8"), in_words("share_keyhole")
        ('the texture of the metal', 'the share of keyhole')
    """
    first, _, rest = sign.partition("_")
    of = rest.split("_")[0]
    return _WORDS.get(first, sign).format(_CLASSES.get(of, of))
