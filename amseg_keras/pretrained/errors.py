"""The one error of presets."""


class PresetError(ValueError):
    """A preset that cannot be found, read or trusted; the message says which and what to do."""
