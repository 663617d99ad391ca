"""The browser demo, `amseg demo`: frames in; labels to correct, numbers and files out.

It only shows: reading, segmenting, correcting, measuring, teaching and writing are the library's.
The server opens no foreign file itself and runs no network: its workers do, which it may end.
The workbench is at `/`; where Gradio is installed, its page is at `/gradio`.
Needs the extra `amseg-keras[demo]`.
"""
