"""What comes into a watched folder: its files, and the stacks that they are."""
