"""What a network is trained on: frames of a data set, or frames simulated for every step."""
