"""The napari plugin: read, prepare, segment, measure and correct recordings in napari.

napari finds it by its manifest, `napari.yaml`. The panels hold no logic: they call the library.
"""
