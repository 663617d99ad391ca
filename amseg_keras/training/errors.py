"""What can go wrong in a training, said in one sentence."""


class TrainingError(RuntimeError):
    """A training that cannot go on; the message says why and what to do.

    Example:
        >>> import tempfile
        >>> from amseg_keras.training import Recipe, Simulation, train
        >>> recipe = Recipe(network="amsegnet")
        >>> try:
        ...     train(Simulation(), tempfile.mkdtemp(), recipe, start_from="amsegnet-esrf-lite")
        ... except TrainingError as error:
        ...     print(str(error).partition(": ")[2])
        is a network amsegnet_lite, no amsegnet; give the recipe its network (--network, --width)
    """
