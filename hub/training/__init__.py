"""Parts of the training of the embedded preset."""
