"""`amseg demo`"""

from __future__ import annotations

import contextlib

import click

from amseg_keras.command.choices import COUNT

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command()
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    default=("amsegnet-movie",),
    help="Preset, preset folder or owner/repo that is offered first; may be given several times. "
    "The presets of the package (see: amseg presets) are offered after them.",
)
@click.option(
    "--host",
    default=LOOPBACK[0],
    help="Address that is listened on; 0.0.0.0 for all of this computer.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Default: the first free from 7860.")
@click.option(
    "--password",
    envvar="AMSEG_DEMO_PASSWORD",
    metavar="TEXT",
    help="Ask visitors for it (user: amseg). Better given as AMSEG_DEMO_PASSWORD in the "
    "environment, which other users of this computer do not see.",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Name by which browsers reach this computer, such as that of a web server in front of it; "
    "* stands for any characters. Its own name and addresses in numbers are always allowed.",
)
@click.option(
    "--max-upload", type=COUNT, metavar="MB", default=200, help="Largest file that can be uploaded."
)
@click.option("--max-frames", type=COUNT, default=500, help="Longest recording that is segmented.")
def demo(
    models: tuple[str, ...],
    host: str,
    port: int | None,
    password: str | None,
    hosts: tuple[str, ...],
    max_upload: int,
    max_frames: int,
) -> None:
    """Segment frames in the browser, correct the labels, and teach a network.

    \b
    amseg demo                                   on this computer alone
    amseg demo --model tuned/preset              with a network of your own
    AMSEG_DEMO_PASSWORD=... amseg demo --host 0.0.0.0    for the beamline's network

    Nothing is fetched from the internet, and nothing is sent there. Frames and results of a
    visitor are deleted when the page is closed.

    Exit codes: 0 ended with Ctrl-C, 1 the page cannot be started, 2 wrong use.
    """
    from amseg_keras.pretrained import PresetError

    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise click.ClickException(
            "the demo needs a web server: pip install starlette uvicorn, or amseg-keras with its "
            "extra, amseg-keras[demo], which has the Gradio page too"
        ) from error
    from amseg_keras.demo.lessons import Networks
    from amseg_keras.demo.limits import Limits
    from amseg_keras.demo.server import Access, Address, Demo, listening_socket, server_of, url_of

    try:
        networks = Networks(models)
    except PresetError as error:
        raise click.BadParameter(str(error), param_hint="--model") from error
    if host not in LOOPBACK and not password:
        click.echo("Anybody who can reach this computer can use the page: no password.", err=True)
    address = Address(host, port, Access(password or None, hosts))
    try:
        taken = listening_socket(address)
    except OSError as error:
        raise click.ClickException(
            f"{host}, port {port or 'from 7860 on'}: is taken by another program, or no address of "
            "this computer; give another --port or --host"
        ) from error
    served = Demo(networks, Limits(max_upload, max_frames))
    server = server_of(served, address)
    click.echo(f"{url_of(taken)} (Ctrl-C to end)")
    with contextlib.suppress(KeyboardInterrupt):
        server.run([taken])
    served.visitors.close()
