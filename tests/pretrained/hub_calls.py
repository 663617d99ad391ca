"""What tests of the Hub have done in other processes."""

import keras

from amseg_keras import from_pretrained

REPOSITORY = "owner/small"
"""That the tests push to and pull from."""


def labels(name, frames, revision=None):
    return from_pretrained(name, revision).segment(frames).labels


def push(folder, repo_id, revision=None):
    """The address of the commit."""
    return from_pretrained(folder).push_to_hub(repo_id, revision=revision)


def keras_output(name, x):
    return keras.saving.load_model(name).predict_on_batch(x)


def run_code(code):
    """The variables that it leaves."""
    variables = {}
    exec(code, variables)
    return variables["result"].labels
