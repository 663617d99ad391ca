"""Domain randomisation: every range that the simulator draws from, all of them in this folder.

Lengths are in micrometres unless a name says `px` (detector pixels), fringe strengths in square
pixels, grey levels in fractions of the open beam.
"""
