"""`python -m amseg_keras` is the `amseg` command."""

from amseg_keras.command import main

if __name__ == "__main__":
    main(prog_name="amseg")
