"""The one error of presets."""


class PresetError(ValueError):
    """A preset that cannot be found, read or trusted; the message says which and what to do.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> try:
        ...     segmenter = from_pretrained("amsegnet-esfr")
        ... except PresetError as error:
        ...     print(str(error).partition(";")[0])
        amsegnet-esfr: no preset, folder or repository (owner/repo) of this name
    """
