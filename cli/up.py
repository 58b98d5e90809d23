"""`hopline up`: everything in one terminal, on embedded defaults."""

from pathlib import Path

import click
import uvloop

from cli.garbage import collect_rarely, load
from cli.settings import UpSettings, resolve
from cli.state import locked


@click.command("up")
@click.option(
    "--data-dir", type=click.Path(path_type=Path, file_okay=False), help="State. [default: .hopline]"
)
@click.option("--port", type=click.IntRange(1, 65535), help="Of the HTTP API. [default: 8080]")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
@click.option("--exit", "then_exit", is_flag=True, help="End after the samples; 0 if all ended as expected.")
def up(data_dir: Path | None, port: int | None, workers: int, then_exit: bool) -> None:
    """Start the whole system here: Kafka, ingress, workers and the ClickHouse engine."""
    given = {"data_dir": data_dir, "port": port}
    settings = resolve(UpSettings, **{name: value for name, value in given.items() if value is not None})
    with locked(settings.data_dir):
        # Loaded here for the same reason as in cli.roles.
        serving = load("cli.serving.up")
        collect_rarely()
        uvloop.run(serving.serve(settings, workers, then_exit))
