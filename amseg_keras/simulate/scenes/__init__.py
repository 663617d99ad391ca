"""What stands in the beam, one module a kind of experiment."""
