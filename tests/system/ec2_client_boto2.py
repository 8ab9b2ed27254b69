"""boto 2.49, as it is and as the tools of 2011 have it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import boto.ec2.connection
import boto.vpc
from boto.ec2.regioninfo import RegionInfo
from boto.exception import EC2ResponseError
from boto.vpc import VPCConnection
from ec2_client import Client, States

_SOURCE = inspect.getsource(boto.ec2.connection) + inspect.getsource(boto.vpc)
_EMPTY = {
    "DescribeAddresses": "get_all_addresses",
    "DescribeBundleTasks": "get_all_bundle_tasks",
    "DescribeDhcpOptions": "get_all_dhcp_options",
    "DescribeInternetGateways": "get_all_internet_gateways",
    "DescribeNetworkAcls": "get_all_network_acls",
    "DescribeNetworkInterfaces": "get_all_network_interfaces",
    "DescribePlacementGroups": "get_all_placement_groups",
    "DescribeReservedInstances": "get_all_reserved_instances",
    "DescribeRouteTables": "get_all_route_tables",
    "DescribeSpotInstanceRequests": "get_all_spot_instance_requests",
    "DescribeSubnets": "get_all_subnets",
    "DescribeVpcClassicLink": "get_all_classic_link_vpcs",
    "DescribeVpcPeeringConnections": "get_all_vpc_peering_connections",
    "DescribeVpcs": "get_all_vpcs",
    "DescribeVpnGateways": "get_all_vpn_gateways",
}


class Boto2(Client):
    """boto 2.49: version 4 over its own API version, of late 2014, or of the time before 2011."""

    version = VPCConnection.APIVersion

    def __init__(self, novarc: Mapping[str, str]) -> None:
        super().__init__(novarc)
        region = RegionInfo(name="nova", endpoint=self.host)
        self.ec2 = VPCConnection(
            self.access,
            self.secret,
            is_secure=False,
            host=self.host,
            port=self.port,
            path=self.path,
            region=region,
        )
        self.ec2.APIVersion = self.version

    def has(self, action: str) -> bool:
        return bool(re.search(rf"['\"]{action}['\"]", _SOURCE))

    def refusal(self, instance: str) -> str:
        try:
            self.ec2.terminate_instances([instance])
        except EC2ResponseError as error:
            return str(error.error_code)
        return "none"

    def DescribeRegions(self) -> list[str]:
        return [each.name for each in self.ec2.get_all_regions()]

    def DescribeAvailabilityZones(self) -> list[str]:
        return [each.name for each in self.ec2.get_all_zones() if each.state == "available"]

    def DescribeAccountAttributes(self) -> list[str]:
        return [each.attribute_name for each in self.ec2.describe_account_attributes()]

    def DescribeInstanceTypes(self) -> list[str]:
        return [each.name for each in self.ec2.get_all_instance_types()]

    def DescribeSecurityGroups(self) -> list[str]:
        return [each.name for each in self.ec2.get_all_security_groups()]

    def nothing(self, action: str) -> list[Any]:
        return list(getattr(self.ec2, _EMPTY[action])())

    def DescribeVpcAttribute(self, vpc: str) -> None:
        self.ec2.describe_vpc_attribute(vpc, "enableDnsSupport")

    def CreateKeyPair(self, name: str) -> str:
        return self.ec2.create_key_pair(name).material

    def ImportKeyPair(self, name: str, public: str) -> str:
        return self.ec2.import_key_pair(name, public.encode()).name

    def DescribeKeyPairs(self) -> list[str]:
        return [each.name for each in self.ec2.get_all_key_pairs()]

    def DeleteKeyPair(self, name: str) -> None:
        assert self.ec2.delete_key_pair(name)

    def RegisterImage(self, location: str) -> str:
        return self.ec2.register_image(image_location=location)

    def DescribeImages(self, image: str) -> States:
        return {each.id: each.state for each in self.ec2.get_all_images([image])}

    def DeregisterImage(self, image: str) -> None:
        assert self.ec2.deregister_image(image)

    def DescribeImageAttribute(self, image: str) -> list[str]:
        return self.ec2.get_image_attribute(image).attrs.get("groups", [])

    def ModifyImageAttribute(self, image: str) -> None:
        assert self.ec2.modify_image_attribute(image, groups="all")

    def ResetImageAttribute(self, image: str) -> None:
        assert self.ec2.reset_image_attribute(image)

    def CreateImage(self, instance: str, name: str) -> str:
        return self.ec2.create_image(instance, name)

    def RunInstances(self, image: str, key: str) -> str:
        made = self.ec2.run_instances(
            image, key_name=key, instance_type="m1.tiny", user_data=b"hello"
        )
        return made.instances[0].id

    def DescribeInstances(self, instance: str) -> States:
        found = self.ec2.get_all_reservations([instance])
        return {each.id: each.state for reservation in found for each in reservation.instances}

    def DescribeInstanceStatus(self, instance: str) -> States:
        return {each.id: each.state_name for each in self.ec2.get_all_instance_status([instance])}

    def DescribeInstanceAttribute(self, instance: str) -> bool:
        name = "disableApiTermination"
        return self.ec2.get_instance_attribute(instance, name)[name]

    def ModifyInstanceAttribute(self, instance: str, protected: bool) -> None:
        assert self.ec2.modify_instance_attribute(instance, "disableApiTermination", protected)

    def ResetInstanceAttribute(self, instance: str) -> None:
        assert self.ec2.reset_instance_attribute(instance, "kernel")

    def GetConsoleOutput(self, instance: str) -> str:
        return self.ec2.get_console_output(instance).output.decode()

    def RebootInstances(self, instance: str) -> None:
        assert self.ec2.reboot_instances([instance])

    def StopInstances(self, instance: str) -> None:
        assert [each.id for each in self.ec2.stop_instances([instance])] == [instance]

    def StartInstances(self, instance: str) -> None:
        assert [each.id for each in self.ec2.start_instances([instance])] == [instance]

    def TerminateInstances(self, instance: str) -> None:
        assert [each.id for each in self.ec2.terminate_instances([instance])] == [instance]

    def CreateTags(self, resource: str, key: str, value: str) -> None:
        assert self.ec2.create_tags([resource], {key: value})

    def DescribeTags(self, resource: str) -> Mapping[str, str]:
        found = self.ec2.get_all_tags(filters={"resource-id": resource})
        return {each.name: each.value for each in found}

    def DeleteTags(self, resource: str, key: str) -> None:
        assert self.ec2.delete_tags([resource], [key])


class Boto2Of2009(Boto2):
    """boto as euca2ools 1.x and 2.x have it: the formats of the time."""

    version = "2009-11-30"

    def DescribeInstances(self, instance: str) -> States:
        for reservation in self.ec2.get_all_reservations([instance]):
            for each in reservation.instances:
                assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", each.launch_time)
                assert re.fullmatch(r"of-Boto2Of2009 \(admin, .+\)", each.key_name)
        return super().DescribeInstances(instance)
