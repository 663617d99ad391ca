"""The entry point of the `amseg` command."""

from __future__ import annotations

import click

import amseg_keras
from amseg_keras.command.benchmark import benchmark
from amseg_keras.command.dataset import dataset
from amseg_keras.command.demo import demo
from amseg_keras.command.ending import InterruptibleGroup
from amseg_keras.command.evaluate import evaluate
from amseg_keras.command.explain import explain
from amseg_keras.command.export import convert, export
from amseg_keras.command.hub import hub, presets
from amseg_keras.command.prepare import prepare
from amseg_keras.command.quantify import quantify
from amseg_keras.command.report import correlate, report
from amseg_keras.command.segment import segment
from amseg_keras.command.simulate import simulate
from amseg_keras.command.train import finetune, train_command
from amseg_keras.command.watch import watch

SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}


@click.group(cls=InterruptibleGroup, context_settings=SETTINGS)
@click.version_option(amseg_keras.__version__, prog_name="amseg")
def main() -> None:
    """Turn X-ray movies of melt pools into numbers.

    \b
    amseg segment scan_0001.h5 -o results     label maps, overlays and a table
    amseg segment frames/ -o results          the same for a folder of frames
    amseg watch frames/ -o results            the same while an acquisition writes them
    amseg segment sample:esrf-lpbf -o results try it on simulated frames
    amseg quantify results/scan               keyhole and pores in numbers
    amseg report results/scan                 the experiment on one page
    amseg correlate results/* -o study        many experiments against each other
    amseg explain scan.h5 --class pore -o out where the network looks, and its confidence
    amseg demo                                frames and results in the browser
    amseg prepare raw/ --flats flats/ -o out  raw frames to a ready stack
    amseg dataset validate folder             labelled frames, for training
    amseg simulate --facility aps -o folder   simulated frames with labels
    amseg finetune --data folder -o run       a network for your own frames
    amseg evaluate --data folder -o report    how good a network is
    amseg train --data folder -o run          a network from the beginning
    amseg benchmark networks -d data -o out   the paper's networks against each other
    amseg presets                             trained networks in the package
    amseg export amsegnet-esrf -o folder      a trained network for other software
    amseg hub pull owner/repo                 presets to and from the Hugging Face Hub

    Exit codes: 0 all done, 1 some inputs failed (named at the end), 2 wrong use, 130 ended by
    Ctrl-C, 143 ended by SIGTERM.
    """


main.add_command(prepare)
main.add_command(segment)
main.add_command(watch)
main.add_command(quantify)
main.add_command(report)
main.add_command(correlate)
main.add_command(explain)
main.add_command(presets)
main.add_command(hub)
main.add_command(export)
main.add_command(convert)
main.add_command(dataset)
main.add_command(simulate)
main.add_command(train_command)
main.add_command(finetune)
main.add_command(evaluate)
main.add_command(benchmark)
main.add_command(demo)
