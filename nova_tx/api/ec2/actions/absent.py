"""
Actions on what this cloud does not have.

Today's tools ask for it on their way to instances: to find none is an answer.
Each line of L{ABSENT} becomes an action, found like those that are written out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, make_dataclass
from functools import cache
from typing import Any, ClassVar

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import ALL, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.api.ec2.listing import Filtered, Listing, Noun, Values
from nova_tx.context import RequestContext
from nova_tx.errors import InvalidInput, NotFound
from nova_tx.ids import instance_ec2_id, parse_instance_id

VPC_ATTRIBUTES = ("enableDnsSupport", "enableDnsHostnames", "enableNetworkAddressUsageMetrics")


class NotBurstable(InvalidInput):
    """The instance is of no burstable type."""

    code = "UnsupportedOperation"


@dataclass(frozen=True)
class Absent:
    """
    A kind of thing that there is none of.

    @ivar kind: what it is called, in the plural.
    @ivar answer: the name of the list in the answer.
    @ivar named: by each parameter that names some of them, AWS's code for "there is none".
    @ivar pages: the list has pages.
    @ivar ignored: other parameters of the action.
    """

    kind: str
    answer: str
    named: Mapping[str, str]
    pages: bool = True
    ignored: tuple[str, ...] = ()


ABSENT = {
    # Libcloud asks for them with every list of instances
    "DescribeAddresses": Absent(
        "addresses of one's own",
        "addressesSet",
        {"PublicIp": "InvalidAddress.NotFound", "AllocationId": "InvalidAllocationID.NotFound"},
        pages=False,
    ),
    "DescribeVpcs": Absent("VPCs", "vpcSet", {"VpcId": "InvalidVpcID.NotFound"}),
    "DescribeVpcClassicLink": Absent(
        "VPCs linked to the classic network",
        "vpcSet",
        {"VpcId": "InvalidVpcID.NotFound"},
        pages=False,
    ),
    "DescribeSubnets": Absent("subnets", "subnetSet", {"SubnetId": "InvalidSubnetID.NotFound"}),
    "DescribeNetworkInterfaces": Absent(
        "network interfaces",
        "networkInterfaceSet",
        {"NetworkInterfaceId": "InvalidNetworkInterfaceID.NotFound"},
        ignored=("IncludeManagedResources",),
    ),
    "DescribeNetworkAcls": Absent(
        "network ACLs", "networkAclSet", {"NetworkAclId": "InvalidNetworkAclID.NotFound"}
    ),
    "DescribeRouteTables": Absent(
        "route tables", "routeTableSet", {"RouteTableId": "InvalidRouteTableID.NotFound"}
    ),
    "DescribeInternetGateways": Absent(
        "internet gateways",
        "internetGatewaySet",
        {"InternetGatewayId": "InvalidInternetGatewayID.NotFound"},
    ),
    "DescribeEgressOnlyInternetGateways": Absent(
        "egress-only internet gateways",
        "egressOnlyInternetGatewaySet",
        {"EgressOnlyInternetGatewayId": "InvalidGatewayID.NotFound"},
    ),
    "DescribeDhcpOptions": Absent(
        "DHCP options", "dhcpOptionsSet", {"DhcpOptionsId": "InvalidDhcpOptionID.NotFound"}
    ),
    "DescribeNatGateways": Absent(
        "NAT gateways", "natGatewaySet", {"NatGatewayId": "NatGatewayNotFound"}
    ),
    "DescribeVpcPeeringConnections": Absent(
        "VPC peering connections",
        "vpcPeeringConnectionSet",
        {"VpcPeeringConnectionId": "InvalidVpcPeeringConnectionID.NotFound"},
    ),
    "DescribeVpcEndpoints": Absent(
        "VPC endpoints", "vpcEndpointSet", {"VpcEndpointId": "InvalidVpcEndpointId.NotFound"}
    ),
    "DescribeVpnGateways": Absent(
        "VPN gateways",
        "vpnGatewaySet",
        {"VpnGatewayId": "InvalidVpnGatewayID.NotFound"},
        pages=False,
    ),
    "DescribePrefixLists": Absent(
        "prefix lists", "prefixListSet", {"PrefixListId": "InvalidPrefixListId.NotFound"}
    ),
    "DescribeManagedPrefixLists": Absent(
        "managed prefix lists", "prefixListSet", {"PrefixListId": "InvalidPrefixListID.NotFound"}
    ),
    "DescribePlacementGroups": Absent(
        "placement groups",
        "placementGroupSet",
        {
            "GroupName": "InvalidPlacementGroup.Unknown",
            "GroupId": "InvalidPlacementGroupId.NotFound",
        },
        pages=False,
    ),
    "DescribeReservedInstances": Absent(
        "reserved instances",
        "reservedInstancesSet",
        {"ReservedInstancesId": "InvalidReservedInstancesId"},
        pages=False,
        ignored=("OfferingClass", "OfferingType"),
    ),
    "DescribeSpotInstanceRequests": Absent(
        "spot instance requests",
        "spotInstanceRequestSet",
        {"SpotInstanceRequestId": "InvalidSpotInstanceRequestID.NotFound"},
    ),
    "DescribeCapacityReservations": Absent(
        "capacity reservations",
        "capacityReservationSet",
        {"CapacityReservationId": "InvalidCapacityReservationId.NotFound"},
    ),
    "DescribeLaunchTemplates": Absent(
        "launch templates",
        "launchTemplates",
        {
            "LaunchTemplateId": "InvalidLaunchTemplateId.NotFound",
            "LaunchTemplateName": "InvalidLaunchTemplateName.NotFoundException",
        },
        ignored=("IncludeManagedResources",),
    ),
    "DescribeIamInstanceProfileAssociations": Absent(
        "associations of instance profiles",
        "iamInstanceProfileAssociationSet",
        {"AssociationId": "InvalidAssociationID.NotFound"},
    ),
    "DescribeBundleTasks": Absent(
        "bundle tasks",
        "bundleInstanceTasksSet",
        {"BundleId": "InvalidBundleID.NotFound"},
        pages=False,
    ),
}


class _Empty(Noun[None]):
    """Whatever a filter looks at, it lets nothing of nothing pass."""

    def _values(self, name: str) -> Values[None]:
        return lambda item: ()


EMPTY = _Empty(key=str, filters={})


class _Nothing(Action):
    """
    What the actions have in common.

    @cvar absent: what there is none of.
    @cvar errors: by the name of a parameter, what is said of who names one.
    """

    absent: ClassVar[Absent]
    errors: ClassVar[Mapping[str, type[NotFound]]]

    async def run(self, context: RequestContext, params: Any, dialect: Dialect) -> Content:
        for name, error in self.errors.items():
            for value in getattr(params, name):
                raise error(f"There are no {self.absent.kind} here, and no '{value}'")
        listing = params if self.absent.pages else Listing(filters=params.filters)
        none, _ = EMPTY.page((), listing)
        return {self.absent.answer: none}


@cache
def _missing(code: str) -> type[NotFound]:
    """The error of that code."""
    said = {"code": code, "__doc__": "There is nothing of the kind.", "__module__": __name__}
    return type(code.replace(".", ""), (NotFound,), said)


def _action(name: str, absent: Absent) -> type[Action]:
    params = make_dataclass(
        "Params",
        [(each, tuple[str, ...], schema.texts(each)) for each in absent.named],
        bases=(Listing if absent.pages else Filtered,),
        frozen=True,
        kw_only=True,
    )
    members = {
        "__doc__": f"List {absent.kind}: there are none.",
        "__module__": __name__,
        "absent": absent,
        "errors": {each: _missing(code) for each, code in absent.named.items()},
        "roles": ALL,
        "ignored": absent.ignored,
        "Params": params,
    }
    return type(name, (_Nothing,), members)


globals().update({name: _action(name, absent) for name, absent in ABSENT.items()})


class DescribeVpcAttribute(Action):
    """Tell an attribute of a VPC: there are none."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params:
        vpc_id: str = schema.text("VpcId", required=True)
        attribute: str = schema.text("Attribute", required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        if params.attribute not in VPC_ATTRIBUTES:
            raise InvalidInput(f"Invalid value '{params.attribute}' for Attribute")
        raise _missing("InvalidVpcID.NotFound")(f"There are no VPCs here, and no '{params.vpc_id}'")


class DescribeInstanceCreditSpecifications(Action):
    """List credit options of burstable instances: no instance is one."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params(Listing):
        ids: tuple[int, ...] = schema.values("InstanceId", of=parse_instance_id)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        none, _ = EMPTY.page((), params, params.ids)
        if params.ids:
            await self.operations.instances.listed(context, params.ids)
            raise NotBurstable(
                f"The instance '{instance_ec2_id(params.ids[0])}' is not a burstable one"
            )
        return {"instanceCreditSpecificationSet": none}
