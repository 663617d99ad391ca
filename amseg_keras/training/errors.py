"""What can go wrong in a training, said in one sentence."""


class TrainingError(RuntimeError):
    """A training that cannot go on; the message says why and what to do."""
