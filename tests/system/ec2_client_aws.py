"""boto3 and the AWS CLI."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import boto3
from botocore import xform_name
from ec2_client import Client, States

from nova_tx.testing import ec2_model


class Aws(Client):
    """What boto3 and the AWS CLI have in common: parameters and answers of botocore's model."""

    def has(self, action: str) -> bool:
        return ec2_model.known(action)

    def ask(self, action: str, **parameters: object) -> Any:
        raise NotImplementedError

    def DescribeRegions(self) -> list[str]:
        return [each["RegionName"] for each in self.ask("DescribeRegions")["Regions"]]

    def DescribeAvailabilityZones(self) -> list[str]:
        zones = self.ask("DescribeAvailabilityZones")["AvailabilityZones"]
        return [each["ZoneName"] for each in zones if each["State"] == "available"]

    def DescribeAccountAttributes(self) -> list[str]:
        found = self.ask("DescribeAccountAttributes")["AccountAttributes"]
        return [each["AttributeName"] for each in found]

    def DescribeInstanceTypes(self) -> list[str]:
        found = self.ask("DescribeInstanceTypes")["InstanceTypes"]
        assert all(each["MemoryInfo"]["SizeInMiB"] > 0 for each in found)
        return [each["InstanceType"] for each in found]

    def DescribeSecurityGroups(self) -> list[str]:
        return [each["GroupName"] for each in self.ask("DescribeSecurityGroups")["SecurityGroups"]]

    def nothing(self, action: str) -> list[Any]:
        lists = [each for each in self.ask(action).values() if isinstance(each, list)]
        assert len(lists) == 1
        return lists[0]

    def DescribeVpcAttribute(self, vpc: str) -> None:
        self.ask("DescribeVpcAttribute", VpcId=vpc, Attribute="enableDnsSupport")

    def DescribeInstanceTypeOfferings(self) -> list[str]:
        found = self.ask("DescribeInstanceTypeOfferings")["InstanceTypeOfferings"]
        return [each["InstanceType"] for each in found]

    def CreateKeyPair(self, name: str) -> str:
        return self.ask("CreateKeyPair", KeyName=name)["KeyMaterial"]

    def ImportKeyPair(self, name: str, public: str) -> str:
        made = self.ask("ImportKeyPair", KeyName=name, PublicKeyMaterial=public.encode())
        return made["KeyName"]

    def DescribeKeyPairs(self) -> list[str]:
        return [each["KeyName"] for each in self.ask("DescribeKeyPairs").get("KeyPairs", ())]

    def DeleteKeyPair(self, name: str) -> None:
        self.ask("DeleteKeyPair", KeyName=name)

    def RegisterImage(self, location: str) -> str:
        return self.ask("RegisterImage", Name="clients", ImageLocation=location)["ImageId"]

    def DescribeImages(self, image: str) -> States:
        found = self.ask("DescribeImages", ImageIds=[image])["Images"]
        return {each["ImageId"]: each["State"] for each in found}

    def DeregisterImage(self, image: str) -> None:
        self.ask("DeregisterImage", ImageId=image)

    def DescribeImageAttribute(self, image: str) -> list[str]:
        found = self.ask("DescribeImageAttribute", ImageId=image, Attribute="launchPermission")
        return [each["Group"] for each in found.get("LaunchPermissions", ())]

    def ModifyImageAttribute(self, image: str) -> None:
        permission = {"Add": [{"Group": "all"}]}
        self.ask("ModifyImageAttribute", ImageId=image, LaunchPermission=permission)

    def ResetImageAttribute(self, image: str) -> None:
        self.ask("ResetImageAttribute", ImageId=image, Attribute="launchPermission")

    def CreateImage(self, instance: str, name: str) -> str:
        return self.ask("CreateImage", InstanceId=instance, Name=name)["ImageId"]

    def RunInstances(self, image: str, key: str) -> str:
        made = self.ask(
            "RunInstances",
            ImageId=image,
            MinCount=1,
            MaxCount=1,
            InstanceType="m1.tiny",
            KeyName=key,
            UserData="hello",
        )
        return made["Instances"][0]["InstanceId"]

    def DescribeInstances(self, instance: str) -> States:
        found = self.ask("DescribeInstances", InstanceIds=[instance])["Reservations"]
        return {
            each["InstanceId"]: each["State"]["Name"]
            for reservation in found
            for each in reservation["Instances"]
        }

    def DescribeInstanceStatus(self, instance: str) -> States:
        found = self.ask("DescribeInstanceStatus", InstanceIds=[instance])["InstanceStatuses"]
        return {each["InstanceId"]: each["InstanceState"]["Name"] for each in found}

    def DescribeInstanceAttribute(self, instance: str) -> bool:
        name = "disableApiTermination"
        found = self.ask("DescribeInstanceAttribute", InstanceId=instance, Attribute=name)
        return found["DisableApiTermination"]["Value"]

    def ModifyInstanceAttribute(self, instance: str, protected: bool) -> None:
        value = {"Value": protected}
        self.ask("ModifyInstanceAttribute", InstanceId=instance, DisableApiTermination=value)

    def ResetInstanceAttribute(self, instance: str) -> None:
        self.ask("ResetInstanceAttribute", InstanceId=instance, Attribute="kernel")

    def GetConsoleOutput(self, instance: str) -> str:
        return self.ask("GetConsoleOutput", InstanceId=instance)["Output"]

    def RebootInstances(self, instance: str) -> None:
        self.ask("RebootInstances", InstanceIds=[instance])

    def StopInstances(self, instance: str) -> None:
        [found] = self.ask("StopInstances", InstanceIds=[instance])["StoppingInstances"]
        assert found["CurrentState"]["Name"] in ("stopping", "stopped")

    def StartInstances(self, instance: str) -> None:
        [found] = self.ask("StartInstances", InstanceIds=[instance])["StartingInstances"]
        assert found["CurrentState"]["Name"] in ("pending", "running")

    def TerminateInstances(self, instance: str) -> None:
        [found] = self.ask("TerminateInstances", InstanceIds=[instance])["TerminatingInstances"]
        assert found["CurrentState"]["Name"] in ("shutting-down", "terminated")

    def CreateTags(self, resource: str, key: str, value: str) -> None:
        self.ask("CreateTags", Resources=[resource], Tags=[{"Key": key, "Value": value}])

    def DescribeTags(self, resource: str) -> Mapping[str, str]:
        wanted = [{"Name": "resource-id", "Values": [resource]}]
        found = self.ask("DescribeTags", Filters=wanted).get("Tags", ())
        return {each["Key"]: each["Value"] for each in found}

    def DeleteTags(self, resource: str, key: str) -> None:
        self.ask("DeleteTags", Resources=[resource], Tags=[{"Key": key}])


class Boto3(Aws):
    """boto3: POST, version 4, 2016-11-15."""

    def __init__(self, novarc: Mapping[str, str]) -> None:
        super().__init__(novarc)
        session = boto3.session.Session(self.access, self.secret, region_name="nova")
        self.client = session.client("ec2", endpoint_url=self.url)

    def ask(self, action: str, **parameters: object) -> Any:
        return getattr(self.client, xform_name(action))(**parameters)

    def refusal(self, instance: str) -> str:
        try:
            self.client.terminate_instances(InstanceIds=[instance])
        except self.client.exceptions.ClientError as error:
            return str(error.response["Error"]["Code"])
        return "none"

    def GetConsoleOutput(self, instance: str) -> str:
        self.client.get_waiter("instance_running").wait(InstanceIds=[instance])
        return super().GetConsoleOutput(instance)


class AwsCli(Aws):
    """The AWS CLI, a process for each action, its options on the command line."""

    def ask(self, action: str, **parameters: object) -> Any:
        words = [word for name, value in parameters.items() for word in _option(name, value)]
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": self.access,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "nova",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        }
        command = [sys.executable, "-m", "awscli", "ec2", xform_name(action, "-"), *words]
        done = subprocess.run(
            [*command, "--output", "json"], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def refusal(self, instance: str) -> str:
        try:
            self.ask("TerminateInstances", InstanceIds=[instance])
        except AssertionError as error:
            [code] = re.findall(r"An error occurred \((.+?)\)", str(error))
            return str(code)
        return "none"


def _option(name: str, value: object) -> list[str]:
    if name in ("MinCount", "MaxCount"):  # it asks for --count
        return ["--count", str(value)] if name == "MinCount" else []
    option = f"--{xform_name(name, '-')}"
    if name == "PublicKeyMaterial":
        assert isinstance(value, bytes)
        return [option, value.decode()]
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return [option, *value]
    return [option, value if isinstance(value, str) else json.dumps(value)]
