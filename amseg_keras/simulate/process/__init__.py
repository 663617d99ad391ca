"""What the laser does: process parameters, the keyhole's motion, pores and their fate."""
