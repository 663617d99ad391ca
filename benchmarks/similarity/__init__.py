"""How `simulated_against_real.py` reads, measures and draws frames."""
