"""What pytest leaves out where a package is missing."""

from importlib.util import find_spec

# The plugin's panels, whose examples cannot be run without napari.
collect_ignore_glob = [] if find_spec("napari") else ["amseg_keras/napari/*.py"]
