"""The browser demo, `amseg demo`: frames in; segmentation, numbers and files out.

It only shows: reading, segmenting, measuring and writing are the library's. Needs the extra
`amseg-keras[demo]`.
"""

import os

# Gradio reads it when it is imported: nothing is told to anybody.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
