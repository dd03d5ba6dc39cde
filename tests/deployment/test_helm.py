"""The chart, rendered by the real Helm: valid for Kubernetes, without a secret in it, and true to the product."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from api.cli.main import app
from api.guard import LOOPBACK, Guard
from infra.local_servers.helm import KUBERNETES, VERSION
from infra.server.hosting import LEAVE_S, SupervisedHost
from infra.settings import Settings
from tests.charts import (
    ALL,
    CHART,
    CHOICES,
    NAMESPACE,
    NOTHING,
    RELEASE,
    RESOURCES,
    SERVERS,
    Manifest,
    answering,
    ask,
    environment,
    faults,
    helm,
    of_kind,
    pods,
    render,
    succeeds,
)

TEMPORARY = "/tmp"  # noqa: S108  # of a container, where Python looks for it
BY_THE_CHART = {"home", "host", "port", "profile", "workers", "kafka_password", "kafka_ca_file", *SERVERS}


@pytest.fixture(params=CHOICES.values(), ids=CHOICES.keys())
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    """What is made of each choice of values."""
    return render(request.param)


@pytest.mark.parametrize("kubernetes", KUBERNETES)
@pytest.mark.parametrize("values", CHOICES.values(), ids=CHOICES.keys())
def test_kubernetes_takes_every_manifest(values: dict[str, Any], kubernetes: str) -> None:
    """Given values, then each manifest holds against the API of the oldest and the newest Kubernetes, by field."""
    made = render(values, kubernetes=kubernetes)
    assert {"Deployment", "Service", "PodDisruptionBudget"} <= {one["kind"] for one in made}
    assert [fault for one in made for fault in faults(one, kubernetes)] == []
    names = [(one["kind"], one["metadata"]["name"]) for one in made]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 63 for _, name in names)


def test_a_wrong_manifest_would_be_seen() -> None:
    """Given a Deployment with a field misspelt and one of a wrong type, then the schemas name both."""
    (deployment, *_) = of_kind(render(), "Deployment")
    deployment["spec"]["replica"] = 2
    deployment["spec"]["template"]["spec"]["hostNetwork"] = "no"
    found = "\n".join(faults(deployment, KUBERNETES[0]))
    assert "replica" in found
    assert "hostNetwork" in found


@pytest.mark.parametrize("values", CHOICES.values(), ids=CHOICES.keys())
def test_helm_lints_it_strictly(values: dict[str, Any]) -> None:
    """Given values, then `helm lint --strict` finds nothing."""
    told = ask("lint", str(CHART), "--strict", values=values)
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_address_and_password_is_taken_from_a_secret_that_is_there(manifests: list[Manifest]) -> None:
    """Given manifests, then no Secret or ConfigMap is made, and no variable that may hold a password is text."""
    assert not of_kind(manifests, "Secret") + of_kind(manifests, "ConfigMap")
    secret = [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]
    for _, _, container in pods(manifests):
        told = environment(container)
        assert {f"DISCO_{name.upper()}" for name in SERVERS} <= told.keys()
        for name in told.keys() & {f"DISCO_{name.upper()}" for name in (*SERVERS, *secret)}:
            assert told[name]["valueFrom"]["secretKeyRef"].keys() == {"name", "key"}
    assert not re.search(r"://(?!127\.0\.0\.1:)", yaml.safe_dump(manifests))


@pytest.mark.parametrize(
    "wrong",
    [
        {"settings": {"postgres": "postgresql://disco:secret@db/disco"}},
        {"servers": {"postgres": {"value": "postgresql://disco:secret@db/disco"}}},
        {"settings": {"partitionz": 3}},
        {"settings": {"partitions": 0}},
        {"image": {"tag": "latest"}},
        {"worker": {"terminationGracePeriodSeconds": 5}},
        {"workers": [{"name": "all", "replicas": 1}]},
        {"workers": [{"name": "twice", "replicas": 1, "resources": RESOURCES}] * 2},
        {"api": {"ingress": {"enabled": True}}},
    ],
    ids=lambda wrong: json.dumps(wrong)[:60],
)
def test_values_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    """Given a password, an unknown name, a floating tag, no limits …, when it is rendered, then Helm refuses."""
    told = ask("template", RELEASE, str(CHART), values=wrong)
    assert told.returncode != 0
    assert any(word in told.stderr for word in ("values don't meet the specifications", "named twice", "no host"))


def test_settings_take_the_environment(manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a container's variables, then each is a setting there is, and all are read as they were meant."""
    for _, _, container in pods(manifests):
        with monkeypatch.context() as patched:
            for name, told in environment(container).items():
                assert name.removeprefix("DISCO_").lower() in Settings.model_fields
                patched.setenv(name, told.get("value", "2"))
            settings = Settings()
        assert settings.profile == "server"
        assert settings.home == Path("/data")


def test_large_and_broken_numbers_come_through() -> None:
    """Given twenty million and a half second in values, then the variables say just that."""
    for _, _, container in pods(render(ALL)):
        told = environment(container)
        assert told["DISCO_OUTBOX_LIMIT"]["value"] == "20000000"
        assert told["DISCO_TASK_TIMEOUT_S"]["value"] == "1800.5"


def test_every_setting_can_be_set() -> None:
    """Given the settings there are, then the chart's schema knows each but those that the chart sets itself."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    assert set(schema["properties"]["settings"]["properties"]) == set(Settings.model_fields) - BY_THE_CHART


def test_a_cluster_keeps_each_event_three_times() -> None:
    """Given the defaults, then Kafka keeps three copies and acknowledges with two."""
    for _, _, container in pods(render()):
        told = environment(container)
        assert told["DISCO_REPLICATION_FACTOR"]["value"] == "3"
        assert told["DISCO_MIN_INSYNC_REPLICAS"]["value"] == "2"


def test_no_pod_has_more_rights_than_it_needs(manifests: list[Manifest]) -> None:
    """Given pods, then they hold to Kubernetes's restricted standard, with a root file system that is read-only."""
    for _, spec, container in pods(manifests):
        rights = spec["securityContext"]
        assert rights["runAsNonRoot"] is True
        assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert all(volume["emptyDir"]["sizeLimit"] for volume in spec["volumes"] if "secret" not in volume)
    dockerfile = (CHART.parents[1] / "Dockerfile").read_text()
    assert f"--uid {rights['runAsUser']} " in dockerfile


def test_what_is_written_has_a_place_that_can_hold_it(manifests: list[Manifest]) -> None:
    """Given a read-only root, then home and /tmp are volumes, with room for the cache of blobs and an upload."""
    for _, spec, container in pods(manifests):
        told, scratch = environment(container), [one for one in spec["volumes"] if "emptyDir" in one]
        sizes = {one["name"]: _mib(one["emptyDir"]["sizeLimit"]) for one in scratch}
        paths = {one["mountPath"]: sizes[one["name"]] for one in container["volumeMounts"] if one["name"] in sizes}
        usual = Settings.model_fields["blob_cache_mib"].default
        assert paths[told["DISCO_HOME"]["value"]] > int(told.get("DISCO_BLOB_CACHE_MIB", {"value": usual})["value"])
        assert paths[TEMPORARY] > Settings.model_fields["upload_limit_mib"].default


def test_limits_fit_what_the_processes_may_take(manifests: list[Manifest]) -> None:
    """Given limits, then there are requests too, and the processes' memory fits with 1 GiB beside them."""
    for _, _, container in pods(manifests):
        limits, told = container["resources"]["limits"], environment(container)
        assert container["resources"]["requests"].keys() == limits.keys() == {"cpu", "memory"}
        assert told["DISCO_WORKERS"]["valueFrom"]["resourceFieldRef"] == {"resource": "limits.cpu", "divisor": "1"}
        of_each = int(told["DISCO_WORKER_MEMORY_MIB"]["value"])
        assert _mib(limits["memory"]) >= int(limits["cpu"]) * of_each + 1024


def test_selectors_find_their_own_pods_and_no_others(manifests: list[Manifest]) -> None:
    """Given Deployments, then each selects its pods alone; Service and budgets select one Deployment's each."""
    labels = {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"]
        for one in of_kind(manifests, "Deployment")
    }

    def selected(selector: dict[str, str]) -> list[str]:
        return [name for name, told in labels.items() if selector.items() <= told.items()]

    for one in of_kind(manifests, "Deployment"):
        assert selected(one["spec"]["selector"]["matchLabels"]) == [one["metadata"]["name"]]
    for one in of_kind(manifests, "PodDisruptionBudget"):
        assert selected(one["spec"]["selector"]["matchLabels"]) == [one["metadata"]["name"]]
        assert one["spec"]["maxUnavailable"] == 1
    assert len(of_kind(manifests, "PodDisruptionBudget")) == len(labels)
    (service,) = of_kind(manifests, "Service")
    assert selected(service["spec"]["selector"]) == [f"{service['metadata']['name']}-api"]
    assert "type" not in service["spec"]  # of the cluster alone


def test_every_image_is_pinned(manifests: list[Manifest]) -> None:
    """Given pods, then their image has a whole version; by default it is the product's own."""
    for _, _, container in pods(manifests):
        assert re.search(r":\d+\.\d+\.\d+[\w.-]*$", container["image"])
    version = tomllib.loads((CHART.parents[2] / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == version
    assert {container["image"] for _, _, container in pods(render())} == {f"disco-musica:{version}"}


def test_the_api_is_asked_how_it_is_under_a_name_it_answers_to(manifests: list[Manifest]) -> None:
    """Given the API's probes, they ask /healthz and /readyz, and the guard takes them and every client in reach."""
    ((_, _, container),) = (one for one in pods(manifests) if one[0].endswith("-api"))
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    words = container["args"]
    allowed = [words[at + 1] for at, word in enumerate(words) if word == "--allow-host"]
    guard = Guard(None, (*LOOPBACK, *allowed))  # type: ignore[arg-type]  # only its judgement is asked
    asked = [header["value"] for probe in probes.values() for header in probe["httpHeaders"]]
    (service,) = of_kind(manifests, "Service")
    name, port = service["metadata"]["name"], service["spec"]["ports"][0]["port"]
    hosts = [rule["host"] for one in of_kind(manifests, "Ingress") for rule in one["spec"]["rules"]]
    for host in (*asked, *hosts, name, f"{name}:{port}", f"{name}.{NAMESPACE}.svc", f"{name}.{NAMESPACE}:{port}"):
        assert guard.refusal([(b"host", host.encode())]) is None, host
    assert guard.refusal([(b"host", b"elsewhere.example")]) is not None


def test_the_command_line_takes_the_arguments(manifests: list[Manifest]) -> None:
    """Given each container's arguments, then `disco` knows every option among them."""
    for _, _, container in pods(manifests):
        verb, *rest = container["args"]
        known = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
        for word in rest:
            if word.startswith("--"):
                assert re.search(rf"{word}\b(?!-)", known), f"disco {verb} {word}"


def test_pools_of_workers_do_what_they_are_told() -> None:
    """Given pools with no views, no processors, or some of them, then their workers are started with just that."""
    told = {name: " ".join(container["args"]) for name, _, container in pods(render(ALL))}
    metrics = "--metrics-host 0.0.0.0 --metrics-port 9100"
    prefix = f"{RELEASE}-disco-musica-worker"
    assert told[f"{prefix}-answers"] == f"worker --views  {metrics}"
    assert told[f"{prefix}-views"] == f"worker --processors  --views lineage_graph,catalogue {metrics}"
    assert told[f"{prefix}-beats"] == f"worker --processors track_beats --views  {metrics}"
    ((verb, *rest),) = (container["args"] for name, _, container in pods(render()) if "-worker-" in name)
    assert verb == "worker"
    assert not {"--processors", "--views"} & set(rest)


@pytest.mark.parametrize(
    ("probe", "path"), [("liveness", "/healthz"), ("startup", "/healthz"), ("readiness", "/readyz")]
)
def test_a_worker_is_asked_at_the_port_it_answers_at(probe: str, path: str) -> None:
    """Given who answers 200, 503 or not at all at a worker's port, then the probe's command succeeds for 200 alone."""
    asked: list[str] = []
    with answering([200, 503], asked) as port:
        made = render({"worker": {"metricsPort": port}})
        ((told, command),) = (
            (one["args"], one[f"{probe}Probe"]["exec"]["command"]) for name, _, one in pods(made) if "-worker-" in name
        )
        assert told[-2:] == ["--metrics-port", str(port)]
        assert succeeds(command)
        assert not succeeds(command)
    assert not succeeds(command)
    assert asked == [path, path]


def test_a_worker_has_the_time_it_takes_to_leave(manifests: list[Manifest]) -> None:
    """Given a worker that is told to end, then it is not killed before the bound that it sets itself is over."""
    finishing = inspect.signature(SupervisedHost.stop).parameters["timeout_s"].default
    for name, spec, _ in pods(manifests):
        if "-worker-" in name:
            assert spec["terminationGracePeriodSeconds"] > finishing + 2 * LEAVE_S


def test_variables_of_other_services_do_not_reach_us(manifests: list[Manifest]) -> None:
    """Given a Service named disco in the namespace, then its DISCO_PORT=tcp://… is not taken for a setting."""
    assert all(spec["enableServiceLinks"] is False for _, spec, _ in pods(manifests))


def test_replicas_are_spread(manifests: list[Manifest]) -> None:
    """Given pods, then those of one Deployment are spread over zones and nodes."""
    for one in of_kind(manifests, "Deployment"):
        spread = one["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert {rule["topologyKey"] for rule in spread} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        for rule in spread:
            assert rule["labelSelector"] == one["spec"]["selector"]


@pytest.mark.parametrize("values", [NOTHING, ALL], ids=["by default", "all options"])
def test_nobody_reaches_a_pod_but_where_it_answers(values: dict[str, Any]) -> None:
    """Given the network policies, then one closes every pod, and the others open named ports to named peers alone."""
    made = render(values)
    closing, *opening = sorted(of_kind(made, "NetworkPolicy"), key=lambda one: len(one["spec"].get("ingress", [])))
    assert closing["spec"].keys() == {"podSelector", "policyTypes"}
    for name, _, container in pods(made):
        (deployment,) = (one for one in of_kind(made, "Deployment") if one["metadata"]["name"] == name)
        told = deployment["spec"]["template"]["metadata"]["labels"].items()
        assert closing["spec"]["podSelector"]["matchLabels"].items() <= told
        opened = [one for one in opening if one["spec"]["podSelector"]["matchLabels"].items() <= told]
        reached = {port["port"] for one in opened for rule in one["spec"]["ingress"] for port in rule["ports"]}
        assert reached == {port["name"] for port in container.get("ports", [])}
        assert all(rule["from"] for one in opened for rule in one["spec"]["ingress"])


def test_the_api_grows_or_stays() -> None:
    """Given autoscaling, then it alone says how many; given none, then the values do."""
    for values, replicas in ((NOTHING, 2), (ALL, None)):
        made = render(values)
        (api,) = (one for one in of_kind(made, "Deployment") if one["metadata"]["name"].endswith("-api"))
        assert api["spec"].get("replicas") == replicas
        targets = [one["spec"]["scaleTargetRef"]["name"] for one in of_kind(made, "HorizontalPodAutoscaler")]
        assert targets == ([] if replicas else [api["metadata"]["name"]])


def test_the_ingress_leads_to_the_service() -> None:
    """Given hosts and a certificate's Secret, then each host leads to the Service's port, under that certificate."""
    made = render(ALL)
    (ingress,), (service,) = of_kind(made, "Ingress"), of_kind(made, "Service")
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]
    assert path["backend"]["service"]["port"]["name"] == service["spec"]["ports"][0]["name"]
    assert ingress["spec"]["tls"] == [{"secretName": "disco-tls", "hosts": ["disco.example.org"]}]


def test_workers_can_be_upgraded_before_the_api() -> None:
    """Given `api.tag`, then the API stays at that release while the workers have the image's."""
    images = {name: container["image"].rpartition(":")[2] for name, _, container in pods(render(ALL))}
    assert images.pop(f"{RELEASE}-disco-musica-api") == "0.1.0-2"
    assert set(images.values()) == {"0.1.0-3"}


def test_the_how_to_shows_commands_that_helm_takes() -> None:
    """Given the how-to's `helm` lines, then the chart they name is there, and what they set is in its values."""
    page = (CHART.parents[2] / "docs/how-to/deploy.md").read_text()
    commands = re.findall(r"^helm (?:install|upgrade) .*$", page.replace("\\\n", " "), re.MULTILINE)
    assert commands
    for command in commands:
        settings = re.findall(r"--set (\S+)", command)
        assert "infra/helm/disco-musica" in command
        told = ask("template", RELEASE, str(CHART), *(word for one in settings for word in ("--set", one)))
        assert told.returncode == 0, told.stderr


def test_the_notes_say_where_it_is_and_how_to_upgrade() -> None:
    """Given an installation, then Helm prints the API's addresses, that nobody logs in, and the order of an upgrade."""
    told = ask("install", RELEASE, str(CHART), "--namespace", NAMESPACE, "--dry-run=client", values=ALL)
    assert told.returncode == 0, told.stderr
    _, _, notes = told.stdout.partition("NOTES:")
    for word in (f"http://{RELEASE}-disco-musica.{NAMESPACE}.svc:9000", "https://disco.example.org", "no login"):
        assert word in notes
    assert "--set api.tag=0.1.0-3" in notes


def test_helm_is_the_release_that_is_pinned() -> None:
    """Given the cache, then the program in it says that it is of the version in its folder's name."""
    told = subprocess.run([helm().program, "version", "--short"], capture_output=True, text=True, check=True)
    assert told.stdout.startswith(f"v{VERSION}+")
    assert helm().folder.name == f"helm-{VERSION}"


def _mib(quantity: str) -> int:
    """A quantity of Kubernetes's, in MiB."""
    number, unit = int(quantity[:-2]), quantity[-2:]
    return number * {"Mi": 1, "Gi": 1024, "Ti": 1024 * 1024}[unit]
