"""The whole system in one terminal, as `hopline up` runs it, shown by real sample events."""

import asyncio
import shlex
import time
from pathlib import Path

import aiohttp
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape

from cli.errors import CommandFailed
from cli.logs import set_up_logging
from cli.receiver import Receiver
from cli.samples import Installed, SampleRunner, load_samples, missing
from cli.serving.system import System, SystemSettings
from cli.settings import ClientSettings, LogSettings, UpSettings, resolve
from cli.signals import stop_on_signals
from cli.state import api_key, secret_key
from cli.tree import run_tree
from transport.settings import ClickHouseSettings, KafkaSettings, StorageSettings
from transport.telemetry.settings import OtlpSettings

_TRY = ("hopline run list", "hopline sql 'SELECT status, count() FROM workflow_runs GROUP BY status'")

SAMPLES = Path(__file__).parent.parent.parent / "samples"


async def serve(settings: UpSettings, workers: int, then_exit: bool) -> None:
    """Until Ctrl-C, or until the samples have run. Raises `CommandFailed`, `TransportError`."""
    await _Up(settings, workers, then_exit).run()


def to_try(url: str, data_dir: Path) -> list[str]:
    """Commands as another terminal in this directory runs them, after what it has to be told: where the API
    is and where its key, unless they are where every command looks for them."""
    fields = ClientSettings.model_fields
    told = []
    if url != fields["url"].default:
        told.append(f"HOPLINE_URL={url}")
    if data_dir.absolute() != fields["data_dir"].default.absolute():
        told.append(f"HOPLINE_DATA_DIR={shlex.quote(str(data_dir.absolute()))}")
    return [f"export {' '.join(told)}", *_TRY] if told else [*_TRY]


def kafka_beside(clickhouse: ClickHouseSettings, kafka: KafkaSettings) -> KafkaSettings:
    """One partition of the history where nothing else was asked for and the engine is embedded: that has one
    sink, and never a second one to share them with."""
    if clickhouse.path is None or "history_partitions" in kafka.model_fields_set:
        return kafka
    return kafka.model_copy(update={"history_partitions": 1})


class _Up:
    """One `hopline up`, from the first line on the terminal to the last."""

    def __init__(self, settings: UpSettings, workers: int, then_exit: bool) -> None:
        self._settings = settings
        self._workers = workers
        self._then_exit = then_exit
        self._console = Console(highlight=False, soft_wrap=True)
        self._began = time.monotonic()
        self._receiver = Receiver()
        self._receiver_url = ""

    async def run(self) -> None:
        """Raises `CommandFailed`."""
        stop = stop_on_signals()
        logs = self._settings.data_dir / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / "up.log").open("a") as log:
            otlp = resolve(OtlpSettings).sends_logs
            set_up_logging(LogSettings(), log, service="hopline-up", otlp=otlp)
            self._receiver_url = await self._receiver.start(self._settings.port + 1)
            try:
                await System(self._system_settings(), self._tell).run(self._use, stop)
            finally:
                await self._receiver.stop()
            if stop.is_set():
                self._tell("Stopped; the next start finds everything again")

    def _system_settings(self) -> SystemSettings:
        clickhouse = self._clickhouse()
        kafka = kafka_beside(clickhouse, resolve(KafkaSettings))
        return SystemSettings(
            data_dir=self._settings.data_dir,
            port=self._settings.port,
            workers=self._workers,
            api_key=api_key(self._settings.data_dir),
            secret_key=secret_key(self._settings.data_dir),
            receiver_url=self._receiver_url,
            egress_allow=self._settings.egress_allow,
            kafka=kafka,
            clickhouse=clickhouse,
            storage=resolve(StorageSettings, data_dir=self._settings.data_dir),
            embedded_broker="bootstrap_servers" not in kafka.model_fields_set,
        )

    def _clickhouse(self) -> ClickHouseSettings:
        """As set, else the embedded engine in the data directory."""
        settings = resolve(ClickHouseSettings)
        if "dsn" in settings.model_fields_set:
            return settings
        path = (self._settings.data_dir / "clickhouse").absolute()
        return ClickHouseSettings(dsn=SecretStr(f"chdb://{path}"))

    async def _use(self, system: System) -> None:
        headers = {"Authorization": f"Bearer {api_key(self._settings.data_dir)}"}
        async with aiohttp.ClientSession(system.url, headers=headers) as session:
            remembered = self._settings.data_dir / "sample-secrets.json"
            await self._run_samples(SampleRunner(session, self._receiver_url, remembered))
        if not self._then_exit:
            self._print_addresses(system)
            await asyncio.Event().wait()

    async def _run_samples(self, runner: SampleRunner) -> None:
        """Fires one event of each sample and shows its run. Raises `CommandFailed` if one went wrong."""
        installed = [await runner.install(folder, sample) for folder, sample in load_samples(SAMPLES)]
        self._tell(f"Imported {len(installed)} sample workflows")
        ends = {one.sample.name: await self._run_sample(runner, one) for one in installed}
        wrong = [f"{name}: {why}" for name, why in ends.items() if why]
        if wrong and self._then_exit:
            raise CommandFailed("; ".join(wrong))

    async def _run_sample(self, runner: SampleRunner, installed: Installed) -> str | None:
        """None, or why the run is not what it should be."""
        expect = installed.sample.expect
        try:
            run, nodes = await runner.finished(installed, await runner.fire(installed))
        except CommandFailed as failed:
            # The system stays up, for its user to look at what is wrong.
            self._console.print(
                f"\n[bold]{installed.sample.name}[/bold]  [bold red]{failed.message}[/bold red]"
            )
            return failed.message
        self._console.print(f"\n[bold]{installed.sample.name}[/bold]", run_tree(run, nodes))
        why = missing(expect.status, run["status"], "status") or missing(expect.outputs, run["outputs"])
        if why is None and expect.received:
            last = self._receiver.received[-1] if self._receiver.received else {}
            why = missing(expect.received, last, "received")
        if why:
            self._console.print(f"  [bold red]not as expected:[/bold red] {why}", markup=True)
        return why

    def _tell(self, line: str) -> None:
        self._console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/dim]  {line}")

    def _print_addresses(self, system: System) -> None:
        directory, url = self._settings.data_dir, system.url
        commands = "\n             ".join(map(escape, to_try(url, directory)))
        self._console.print(
            f"\n[bold]Hopline is up.[/bold] Ctrl-C stops it; its state is in {directory}\n"
            f"  HTTP API   {url}   (OpenAPI: {url}/openapi.json, metrics: {url}/metrics)\n"
            f"  API key    {api_key(directory)}\n"
            f"  Kafka      {system.bootstrap_servers}   (for hopline topics describe: HOPLINE_KAFKA)\n"
            f"  Try        {commands}"
        )
