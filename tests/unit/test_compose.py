"""docker-compose.yml, what it builds and what it mounts: held against the schema, the code and the locks."""

from __future__ import annotations

import fnmatch
import importlib.metadata
import json
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType  # type: ignore[attr-defined]
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workbench.broker import embedded
from workbench.broker.topics import Connection, Topics
from workbench.cli.parser import main
from workbench.detector.metrics import PORT, Address

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text("utf-8")
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PROJECT = tomllib.loads(PYPROJECT)["project"]
OWN = [name for name, service in SERVICES.items() if "build" in service]


def options(service: str) -> dict[str, str]:
    """The `--name=value` words of a service's command."""
    return dict(word.split("=", 1) for word in SERVICES[service]["command"] if word.startswith("--") and "=" in word)


def settings(service: str, option: str) -> dict[str, str]:
    """The `key=value` pairs of an option that is given more than once."""
    words = [word.removeprefix(f"--{option}=") for word in SERVICES[service]["command"] if f"--{option}=" in word]
    return dict(word.split("=", 1) for word in words)


def test_the_file_is_valid_by_the_schema_of_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_docker_compose_reads_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("needs the `docker compose` client; an engine is not needed")
    for profile in ([], ["--profile", "monitoring"]):
        command = [docker, "compose", "--file", str(COMPOSE_FILE), *profile, "config", "--quiet"]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_unprivileged_and_published_on_loopback_only(name: str) -> None:
    service = SERVICES[name]
    tag = service["image"].rpartition(":")[2]
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), service["image"]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & service.keys()
    for port in service.get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)
    for volume in service.get("volumes", []):
        source, target, *mode = volume.split(":")
        assert target.startswith("/")
        if source.startswith("."):  # files of this tree: there, and not to be written
            assert (ROOT / source).exists()
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]


def test_every_volume_is_used_and_no_port_is_published_twice() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert set(COMPOSE["volumes"]) == {name for name in used if not name.startswith(".")}
    ports = [port.split(":")[1] for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("name", OWN)
def test_an_image_of_ours_is_of_this_version_and_its_files_are_read_only(name: str) -> None:
    service = SERVICES[name]
    assert service["image"].endswith(f":{PROJECT['version']}")
    assert service["build"]["dockerfile"] == "docker/Dockerfile"
    assert f" AS {service['build']['target']}\n" in DOCKERFILE
    assert service["read_only"] is True
    assert service["user"] == "10001:10001"
    assert any(folder.startswith("/tmp:") and folder.endswith(",exec") for folder in service["tmpfs"])
    assert any(volume.endswith(":/state") for volume in service["volumes"])


def test_only_monitoring_needs_a_profile() -> None:
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["monitoring"]} == {
        "detector", "prometheus", "grafana",
    }  # fmt: skip
    assert all(service.get("profiles", ["monitoring"]) == ["monitoring"] for service in SERVICES.values())


def test_the_services_reach_the_broker_where_it_says_it_is() -> None:
    listening = dict(place.split("://") for place in options("redpanda")["--kafka-addr"].split(","))
    told = dict(place.split("://") for place in options("redpanda")["--advertise-kafka-addr"].split(","))
    inside = told["inside"]
    assert {name: SERVICES[name]["environment"]["WORKBENCH_BROKERS"] for name in OWN} == dict.fromkeys(OWN, inside)
    assert SERVICES["console"]["environment"]["KAFKA_BROKERS"] == inside
    assert f"-Xbrokers={inside}" in SERVICES["topics"]["command"]
    assert inside.split(":") == ["redpanda", listening["inside"].rpartition(":")[2]]
    # Outside: the port that is published, under the address that a program on this machine uses.
    (published,) = SERVICES["redpanda"]["ports"]
    host, port, to = published.split(":")
    assert told["outside"] == f"{host}:{port}"
    assert to == port == listening["outside"].rpartition(":")[2]


def test_the_topics_are_the_workbenchs() -> None:
    words = SERVICES["topics"]["command"]
    assert words[:2] == ["topic", "create"]
    assert [word for word in words[2:] if not word.startswith("-")] == list(Topics())
    assert "--if-not-exists" in words  # it runs again at each start
    assert SERVICES["topics"]["image"] == SERVICES["redpanda"]["image"]  # rpk comes with the broker
    for name in [*OWN, "console"]:
        assert SERVICES[name]["depends_on"]["topics"]["condition"] == "service_completed_successfully"


def test_the_broker_is_set_as_the_embedded_one_is() -> None:
    kafka = dict(line.split("=", 1) for line in embedded.SERVER_PROPERTIES.splitlines())
    topic = settings("topics", "topic-config")
    assert topic == {
        "message.timestamp.type": kafka["log.message.timestamp.type"],
        "retention.ms": kafka["log.retention.ms"],
        "retention.bytes": kafka["log.retention.bytes"],
        "segment.bytes": kafka["log.segment.bytes"],
    }
    assert options("topics")["--partitions"] == kafka["num.partitions"]
    cluster = settings("redpanda", "set")
    assert cluster["redpanda.auto_create_topics_enabled"] == kafka["auto.create.topics.enable"] == "false"
    assert not any(word.startswith("--mode") for word in SERVICES["redpanda"]["command"])


def test_a_kafka_broker_takes_the_topics_settings_by_these_names(connection: Connection, topics: Topics) -> None:
    admin = AdminClient({"bootstrap.servers": connection.bootstrap})
    config, count = settings("topics", "topic-config"), int(options("topics")["--partitions"])
    made = admin.create_topics([NewTopic(topics.clicks, count, 1, config=config)])
    made[topics.clicks].result(30)
    (told,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topics.clicks)]).values()
    found = told.result(30)
    assert {name: found[name].value for name in config} == config


def test_prometheus_scrapes_where_the_detector_serves_and_grafana_asks_prometheus() -> None:
    config = yaml.safe_load((ROOT / "docker" / "prometheus" / "prometheus.yml").read_text("utf-8"))
    targets = {place for job in config["scrape_configs"] for each in job["static_configs"] for place in each["targets"]}
    assert targets == {f"detector:{PORT}", f"lab:{PORT}", "redpanda:9644"}
    assert {place.split(":")[0] for place in targets} <= SERVICES.keys()
    words = SERVICES["detector"]["command"]
    address = Address.parse(words[words.index("--metrics") + 1], anywhere="--metrics-anywhere" in words)
    assert (address.host, address.port) == ("0.0.0.0", PORT)

    grafana = ROOT / "docker" / "grafana"
    (source,) = yaml.safe_load((grafana / "provisioning/datasources/prometheus.yml").read_text("utf-8"))["datasources"]
    assert source["url"] == "http://prometheus:9090"
    mounts = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    assert mounts["./docker/grafana/provisioning"] == "/etc/grafana/provisioning"
    (found,) = yaml.safe_load((grafana / "provisioning/dashboards/workbench.yml").read_text("utf-8"))["providers"]
    assert mounts["./docker/grafana/dashboards"] == found["options"]["path"]
    dashboard = json.loads((grafana / "dashboards" / "click-fraud.json").read_text("utf-8"))
    used = {target["datasource"]["uid"] for panel in dashboard["panels"] for target in panel["targets"]}
    assert used == {source["uid"]}
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_grafana_lets_nobody_log_in_and_asks_for_no_password() -> None:
    told = SERVICES["grafana"]["environment"]
    assert told["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert told["GF_AUTH_BASIC_ENABLED"] == "false"
    assert told["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert not re.search(r"password|secret", COMPOSE_FILE.read_text("utf-8").replace("no password", ""), re.IGNORECASE)


def test_the_commands_in_the_file_are_ones_that_the_workbench_has(capsys: pytest.CaptureFixture[str]) -> None:
    for name in OWN:
        if words := SERVICES[name].get("command"):
            assert words[0] == "workbench"
            with pytest.raises(SystemExit) as end:
                main([*words[1:], "--help"])
            assert end.value.code == 0, capsys.readouterr().err


def test_the_images_have_the_python_and_the_java_of_the_conda_environment() -> None:
    conda = (ROOT / "environment.yml").read_text("utf-8")
    python = re.search(r"- python=(\S+)", conda)
    java = re.search(r"- openjdk=(\d+)", conda)
    assert python is not None
    assert java is not None
    stages = set(re.findall(r" AS (\w+)$", DOCKERFILE, re.MULTILINE))
    bases = {base for base in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) if base not in stages}
    (base,) = bases
    assert re.fullmatch(rf"python:{re.escape(python[1])}\.\d+-slim-[a-z]+", base)
    assert re.findall(r"openjdk-(\d+)-", DOCKERFILE) == [java[1]]


@pytest.mark.parametrize("target", ["page", "lab"])
def test_an_image_ends_as_a_user_without_rights(target: str) -> None:
    stage = DOCKERFILE.split(f" AS {target}\n")[1].split("\nFROM ")[0]
    assert re.findall(r"^USER (.+)$", stage, re.MULTILINE)[-1] == "10001:10001"


def test_the_images_get_what_they_copy_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    let_in = {line[1:] for line in patterns if line.startswith("!")}
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]
    }
    assert let_in == copied
    assert all((ROOT / name).exists() for name in copied)
    assert any(fnmatch.fnmatch("workbench/__pycache__", line) for line in patterns)


def test_the_images_have_all_that_running_needs_and_nothing_of_the_tests() -> None:
    runtime_lock = runpy.run_path(str(ROOT / "tools" / "runtime_lock.py"))["runtime_lock"]
    text: str = runtime_lock(PYPROJECT, LOCK)
    kept = set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))
    blocks = re.split(r"^(?=[a-z0-9._-]+==)", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block and block in LOCK for block in blocks)
    assert not kept & {"pytest", "mypy", "ruff", "hypothesis", "playwright", "nbval", "uv", "confluent-kafka"}
    assert {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]} <= kept
    for name in kept:
        try:
            needed = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform
        for requirement in map(Requirement, needed):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                assert canonicalize_name(requirement.name) in kept, f"{name} needs {requirement}"
