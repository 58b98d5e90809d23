"""Prometheus and Grafana of docker-compose.yml find what they are to show."""

from pathlib import Path
from typing import Any

import yaml

from deploy.grafana.panels import CLICKHOUSE, PROMETHEUS

ROOT = Path(__file__).parents[2]


def loaded(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


SERVICES = loaded("docker-compose.yml")["services"]


def mounted(service: str) -> dict[str, str]:
    """Place in the container -> place here, of what is not a volume."""
    volumes = (volume.split(":") for volume in SERVICES[service]["volumes"])
    return {parts[1]: parts[0] for parts in volumes if parts[0].startswith("./")}


def test_every_role_is_scraped_where_it_answers() -> None:
    jobs = loaded("deploy/prometheus/prometheus.yml")["scrape_configs"]
    targets = {}
    for job in jobs:
        [found] = job["dns_sd_configs"]
        [service] = found["names"]
        assert job["job_name"] == f"hopline-{service}"
        targets[service] = found["port"]
    worker, sink = (SERVICES[role]["environment"]["HOPLINE_METRICS_PORT"] for role in ("worker", "sink"))
    assert targets == {"ingress": 8080, "worker": worker, "sink": sink}


def test_what_is_mounted_is_there_and_nobody_gets_it_who_has_not_asked() -> None:
    for service in ("prometheus", "grafana"):
        assert SERVICES[service]["profiles"] == ["monitoring"]
        for place in mounted(service).values():
            assert (ROOT / place).is_dir(), place
    assert (ROOT / mounted("prometheus")["/etc/prometheus"] / "prometheus.yml").is_file()
    for name in loaded("deploy/prometheus/prometheus.yml")["rule_files"]:
        assert (ROOT / "deploy/prometheus" / name).is_file()


def test_grafana_is_given_what_its_dashboards_ask_for() -> None:
    sources = loaded("deploy/grafana/provisioning/datasources/hopline.yml")["datasources"]
    assert {source["type"] for source in sources} == {PROMETHEUS["type"], CLICKHOUSE["type"]}
    environment = SERVICES["grafana"]["environment"]
    assert CLICKHOUSE["type"] in environment["GF_PLUGINS_PREINSTALL"]
    [clickhouse] = [source for source in sources if source["type"] == CLICKHOUSE["type"]]
    assert clickhouse["secureJsonData"]["password"].lstrip("$") in environment
    served = SERVICES["clickhouse"]["environment"]
    assert clickhouse["jsonData"]["username"] == served["CLICKHOUSE_USER"]
    assert clickhouse["jsonData"]["defaultDatabase"] == served["CLICKHOUSE_DB"]
    [provider] = loaded("deploy/grafana/provisioning/dashboards/hopline.yml")["providers"]
    boards = ROOT / mounted("grafana")[provider["options"]["path"]]
    home = Path(environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == provider["options"]["path"]
    assert (boards / home.name).is_file()
