"""Quantities over time: pores tracked, keyholes that fluctuate and oscillate."""
