"""Figures over many experiments."""

from amseg_keras.report.study.correlation_figure import (
    draw_plane,
    error_figure,
    plane_figure,
    study_figure,
)
from amseg_keras.report.study.histogram_figure import (
    area_histograms,
    draw_area_histograms,
    process_map,
)

__all__ = [
    "area_histograms",
    "draw_area_histograms",
    "draw_plane",
    "error_figure",
    "plane_figure",
    "process_map",
    "study_figure",
]
