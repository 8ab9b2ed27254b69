"""Apache Libcloud's drivers for EC2 and Eucalyptus."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import libcloud.compute.drivers.ec2 as libcloud_ec2
from ec2_client import Client, States
from libcloud.common.exceptions import BaseHTTPError
from libcloud.compute.base import Node, NodeImage, NodeSize

_EMPTY = {
    "DescribeAddresses": "ex_describe_all_addresses",
    "DescribeInternetGateways": "ex_list_internet_gateways",
    "DescribeNetworkInterfaces": "ex_list_network_interfaces",
    "DescribePlacementGroups": "ex_list_placement_groups",
    "DescribeReservedInstances": "ex_list_reserved_nodes",
    "DescribeRouteTables": "ex_list_route_tables",
    "DescribeSubnets": "ex_list_subnets",
    "DescribeVpcs": "ex_list_networks",
}


class LibcloudEucalyptus(Client):
    """Apache Libcloud's driver for Eucalyptus: GET, version 2, 2016-11-15."""

    unused: ClassVar[Mapping[str, str]] = {
        "DescribeInstanceTypes": "only its driver for Outscale asks; Eucalyptus's own form differs"
    }

    def __init__(self, novarc: Mapping[str, str]) -> None:
        super().__init__(novarc)
        self.driver = self.connect()

    def connect(self) -> Any:
        return libcloud_ec2.EucNodeDriver(
            self.access,
            self.secret,
            secure=False,
            host=self.host,
            port=self.port,
            path=self.path,
        )

    def has(self, action: str) -> bool:
        return f'"Action": "{action}"' in inspect.getsource(libcloud_ec2)

    def refusal(self, instance: str) -> str:
        try:
            self.driver.destroy_node(Node(instance, "", 0, [], [], self.driver))
        except BaseHTTPError as error:
            return str(error.message).partition(":")[0]
        return "none"

    def DescribeAvailabilityZones(self) -> list[str]:
        self.driver.region_name = "nova"  # it asks for those of its region
        return [each.name for each in self.driver.ex_list_availability_zones()]

    def DescribeSecurityGroups(self) -> list[str]:
        return self.driver.ex_list_security_groups()

    def nothing(self, action: str) -> list[Any]:
        return list(getattr(self.driver, _EMPTY[action])())

    def CreateKeyPair(self, name: str) -> str:
        return self.driver.create_key_pair(name).private_key

    def ImportKeyPair(self, name: str, public: str) -> str:
        return self.driver.import_key_pair_from_string(name, public).name

    def DescribeKeyPairs(self) -> list[str]:
        return [each.name for each in self.driver.list_key_pairs()]

    def DeleteKeyPair(self, name: str) -> None:
        assert self.driver.delete_key_pair(self.driver.get_key_pair(name))

    def RegisterImage(self, location: str) -> str:
        # in one second like requests of both drivers would be one
        name = type(self).__name__
        return self.driver.ex_register_image(name, image_location=location).id

    def DescribeImages(self, image: str) -> States:
        return {
            each.id: each.extra["state"] for each in self.driver.list_images(ex_image_ids=[image])
        }

    def DeregisterImage(self, image: str) -> None:
        assert self.driver.delete_image(NodeImage(image, None, self.driver))

    def ModifyImageAttribute(self, image: str) -> None:
        wanted = {"LaunchPermission.Add.1.Group": "all"}
        found = NodeImage(image, None, self.driver)
        assert self.driver.ex_modify_image_attribute(found, wanted)

    def CreateImage(self, instance: str, name: str) -> str:
        return self.driver.create_image(self._node(instance), name).id

    def RunInstances(self, image: str, key: str) -> str:
        size = NodeSize("m1.tiny", "m1.tiny", 512, 0, 0, 0, self.driver)
        found = NodeImage(image, None, self.driver)
        node = self.driver.create_node(
            "a name", size, found, ex_keyname=key, ex_userdata="hello", ex_mincount=1
        )
        return node.id

    def DescribeInstances(self, instance: str) -> States:
        found = self.driver.list_nodes(ex_node_ids=[instance])
        return {each.id: each.extra["status"] for each in found}

    def ModifyInstanceAttribute(self, instance: str, protected: bool) -> None:
        wanted = {"DisableApiTermination.Value": str(protected).lower()}
        assert self.driver.ex_modify_instance_attribute(self._node(instance), wanted)

    def GetConsoleOutput(self, instance: str) -> str:
        return self.driver.ex_get_console_output(self._node(instance))["output"]

    def RebootInstances(self, instance: str) -> None:
        assert self.driver.reboot_node(self._node(instance))

    def StopInstances(self, instance: str) -> None:
        assert self.driver.stop_node(self._node(instance))

    def StartInstances(self, instance: str) -> None:
        assert self.driver.start_node(self._node(instance))

    def TerminateInstances(self, instance: str) -> None:
        assert self.driver.destroy_node(self._node(instance))

    def CreateTags(self, resource: str, key: str, value: str) -> None:
        assert self.driver.ex_create_tags(self._node(resource), {key: value})

    def DescribeTags(self, resource: str) -> Mapping[str, str]:
        return self.driver.ex_describe_tags(self._node(resource))

    def DeleteTags(self, resource: str, key: str) -> None:
        tags = self.driver.ex_describe_tags(self._node(resource))
        assert self.driver.ex_delete_tags(self._node(resource), {key: tags[key]})

    def _node(self, instance: str) -> Any:
        [found] = self.driver.list_nodes(ex_node_ids=[instance])
        return found


class LibcloudAmazon(LibcloudEucalyptus):
    """Apache Libcloud's driver for EC2, led here."""

    def connect(self) -> Any:
        made = libcloud_ec2.EC2NodeDriver(
            self.access,
            self.secret,
            secure=False,
            host=self.host,
            port=self.port,
            signature_version="2",
        )
        made.path = self.path
        return made
