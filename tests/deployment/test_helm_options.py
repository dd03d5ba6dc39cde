"""The chart's options that reach outside: Kafka's password and certificates, and who may read a worker's numbers."""

from __future__ import annotations

from tests.charts import ALL, NOTHING, environment, of_kind, pods, render


def test_kafkas_password_and_certificates_come_from_secrets_that_are_there() -> None:
    """Given Secrets for them, then every pod is told the password by one, and finds the file of the other."""
    for _, spec, container in pods(render(ALL)):
        told, mounts = environment(container), {one["name"]: one for one in container["volumeMounts"]}
        assert told["DISCO_KAFKA_PASSWORD"]["valueFrom"]["secretKeyRef"] == {"name": "disco", "key": "password"}
        (volume,) = (one for one in spec["volumes"] if one.get("secret", {}).get("secretName") == "studio-ca")
        (item,) = volume["secret"]["items"]
        assert told["DISCO_KAFKA_CA_FILE"]["value"] == f"{mounts[volume['name']]['mountPath']}/{item['path']}"
        assert mounts[volume["name"]]["readOnly"] is True


def test_a_workers_numbers_are_found_by_who_may_read_them() -> None:
    """Given peers, then the port listens for them and annotations name it; given none, then it is loopback's."""
    for values, open_to in ((NOTHING, False), (ALL, True)):
        for deployment in of_kind(render(values), "Deployment"):
            template = deployment["spec"]["template"]
            (container,) = template["spec"]["containers"]
            told = template["metadata"].get("annotations", {})
            if deployment["metadata"]["name"].endswith("-api") or not open_to:
                assert not told.keys() & {"prometheus.io/scrape"}
                assert "--metrics-host" not in container["args"]
                continue
            (port,) = container["ports"]
            assert told["prometheus.io/scrape"] == "true"
            assert told["prometheus.io/port"] == str(port["containerPort"]) == container["args"][-1]
