"""Names of columns as a figure shows them."""

from __future__ import annotations

_UNITS = {
    "um2": "µm²",
    "um": "µm",
    "px": "px",
    "mm_s": "mm/s",
    "W": "W",
    "deg": "°",
    "hz": "Hz",
    "percent": "%",
}

_TITLES = {
    "area_delta_avg": "mean fluctuation of the keyhole's area, $\\delta_\\mathrm{avg}$",
    "area_delta_max": "largest fluctuation of the keyhole's area, $\\delta_\\mathrm{max}$",
    "depth_delta_avg": "mean fluctuation of the keyhole's depth, $\\delta_\\mathrm{avg}$",
    "depth_delta_max": "largest fluctuation of the keyhole's depth, $\\delta_\\mathrm{max}$",
    "power": "laser power",
    "speed": "scan speed",
}


def axis_label(column: str, assumed: bool = False) -> str:
    """What a column of a table is called on an axis, with its unit.

    Args:
        column: Name of the column.
        assumed: Whether nobody measured the pixel size behind its unit; the label then says so.

    Example:
        >>> axis_label("keyhole_depth_um", assumed=True)
        'keyhole depth (µm, assumed)'
        >>> axis_label("median_keyhole_depth_um"), axis_label("power_W"), axis_label("porosity")
        ('median keyhole depth (µm)', 'laser power (W)', 'porosity')
    """
    name, unit = column, ""
    for ending, shown in _UNITS.items():
        if column.endswith(f"_{ending}"):
            said = f"{shown}, assumed" if assumed and "µm" in shown else shown
            name, unit = column.removesuffix(f"_{ending}"), f" ({said})"
            # An area counts pixels.
            unit = unit.replace("px", "px²") if "area" in name else unit
            break
    return _TITLES.get(name, name.replace("_", " ")) + unit
