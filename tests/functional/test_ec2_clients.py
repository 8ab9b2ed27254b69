"""The EC2 door over TCP, for clients that nobody here wrote: boto 2, boto3, the AWS CLI."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import boto3
import pytest_twisted  # type: ignore[import-untyped]
from boto.ec2.connection import EC2Connection
from boto.ec2.regioninfo import RegionInfo
from boto.exception import EC2ResponseError
from twisted.internet import reactor as the_reactor
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue
from twisted.protocols.policies import WrappingFactory

from nova_tx import states
from nova_tx.db import instances, services
from nova_tx.model import User
from nova_tx.testing.database import memory_database
from nova_tx.testing.ec2 import OLD, Door, an_image

reactor: Any = the_reactor


class Cloud:
    """A door that listens on loopback, and its administrator."""

    def __init__(self) -> None:
        self.door = Door(memory_database(), "--ec2_timestamp_window=900")
        self.door.clock.seconds = reactor.seconds  # type: ignore[method-assign]
        self.door.images.put(an_image(kernel_id="aki-1"))
        self.user: User = self.door.add_user("admin", is_admin=True)
        self.connections = WrappingFactory(self.door.site)
        self.port = reactor.listenTCP(0, self.connections, interface="127.0.0.1")
        self.number = self.port.getHost().port

    async def compute_reports(self) -> None:
        """Instance 1 runs on HostB."""
        run = self.door.database.run
        await run(services.report, "HostB", "nova-compute", "compute", "nova", True)
        for move in (states.BUILD, states.RUN):
            await run(instances.move, 1, move, host="HostB")


@pytest_twisted.async_yield_fixture  # type: ignore[untyped-decorator]
async def cloud() -> AsyncIterator[Cloud]:
    made = Cloud()
    yield made
    await made.port.stopListening()
    for connection in list(made.connections.protocols):
        connection.transport.abortConnection()  # clients keep them open
    made.door.database.engine.dispose()


def boto2(cloud: Cloud, version: str | None = None) -> EC2Connection:
    """boto 2.49; it signs with version 4 whatever API version it speaks."""

    class Connection(EC2Connection):
        APIVersion = version or EC2Connection.APIVersion

    return Connection(
        aws_access_key_id=cloud.user.access_key,
        aws_secret_access_key=cloud.user.secret_key,
        is_secure=False,
        host="127.0.0.1",
        port=cloud.number,
        path="/services/Cloud",
        region=RegionInfo(name="nova", endpoint="127.0.0.1"),
    )


async def test_boto_2_old(cloud: Cloud) -> None:
    """boto 2.49 with the API of 2009 does a life of an instance in the formats of the time."""
    connection = boto2(cloud, OLD)

    def begin() -> None:
        assert [region.name for region in connection.get_all_regions()] == ["nova"]
        key = connection.create_key_pair("testkey")
        assert key.material.startswith("-----BEGIN RSA PRIVATE KEY-----")
        assert [each.name for each in connection.get_all_key_pairs()] == ["testkey"]
        (image,) = connection.get_all_images()
        assert (image.id, image.is_public, image.state) == ("ami-tiny", True, "available")
        made = image.run(key_name="testkey", user_data="hello", instance_type="m1.tiny")
        assert made.instances[0].state == "scheduling"
        assert [group.name for group in connection.get_all_security_groups()] == ["default"]

    await deferToThread(begin)
    await cloud.compute_reports()
    cloud.door.bus.answers["get_console_output"] = "login: "

    def end() -> None:
        (zone,) = connection.get_all_zones()
        assert (zone.name, zone.state) == ("nova", "available")
        ((instance,),) = [each.instances for each in connection.get_all_instances()]
        assert (instance.id, instance.state) == ("i-00000001", "running")
        assert instance.key_name == "testkey (admin, HostB)"
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", instance.launch_time)
        assert connection.get_console_output(instance.id).output == b"login: "
        assert connection.reboot_instances([instance.id])
        (ended,) = connection.terminate_instances([instance.id])
        assert ended.id == instance.id
        assert connection.delete_key_pair("testkey")

    await deferToThread(end)


async def test_boto_2_new(cloud: Cloud) -> None:
    """boto 2.49 as it is gets what AWS would say, and AWS's error codes."""
    connection = boto2(cloud)

    def work() -> str:
        made = connection.run_instances("ami-tiny", instance_type="m1.tiny")
        assert made.instances[0].state == "pending"
        (ended,) = connection.terminate_instances([made.instances[0].id])
        assert ended.state == "terminated"
        try:
            connection.terminate_instances(["i-0fffffff"])
        except EC2ResponseError as error:
            return str(error.error_code)
        return "none"

    assert await deferToThread(work) == "InvalidInstanceID.NotFound"


async def test_boto3(cloud: Cloud) -> None:
    """boto3's resources and waiters work."""
    session = boto3.session.Session(cloud.user.access_key, cloud.user.secret_key)
    url = f"http://127.0.0.1:{cloud.number}/services/Cloud"
    ec2 = session.resource("ec2", region_name="nova", endpoint_url=url)

    def begin() -> Any:
        (instance,) = ec2.create_instances(ImageId="ami-tiny", MinCount=1, MaxCount=1)
        return instance

    instance = await deferToThread(begin)
    await cloud.compute_reports()

    def end() -> None:
        instance.wait_until_running()
        instance.reload()
        assert instance.placement == {"AvailabilityZone": "nova"}
        instance.terminate()
        instance.reload()
        assert instance.state["Name"] == "shutting-down"

    await deferToThread(end)


async def test_aws_cli(cloud: Cloud) -> None:
    """The AWS CLI works with its endpoint from the environment."""
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": cloud.user.access_key,
        "AWS_SECRET_ACCESS_KEY": cloud.user.secret_key,
        "AWS_DEFAULT_REGION": "nova",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{cloud.number}/services/Cloud",
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    async def aws(*words: str) -> Any:
        out, err, code = await getProcessOutputAndValue(
            sys.executable,
            ("-m", "awscli", "ec2", *words, "--output", "json"),
            env=environment,
        )
        assert code == 0, err.decode()
        return json.loads(out) if out.strip() else None

    made = await aws("run-instances", "--image-id", "ami-tiny", "--user-data", "hello")
    (instance,) = made["Instances"]
    assert instance["State"]["Name"] == "pending"
    await cloud.compute_reports()
    shown = await aws("describe-instances", "--instance-ids", instance["InstanceId"])
    assert shown["Reservations"][0]["Instances"][0]["State"]["Name"] == "running"
    await aws("terminate-instances", "--instance-ids", instance["InstanceId"])
