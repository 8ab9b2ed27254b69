"""Actions on instance types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import ALL, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.api.ec2.listing import Listing, Noun, Values
from nova_tx.context import RequestContext
from nova_tx.errors import InvalidInput, NotFound
from nova_tx.model.instances import InstanceType


class InstanceTypeNotFound(NotFound):
    """There is no such instance type."""

    code = "InvalidInstanceType"


def _answer(kind: InstanceType) -> Content:
    """All that AWS says of a type and that can be said of ours."""
    disks = {
        "totalSizeInGB": kind.local_gb,
        "disks": [{"sizeInGB": kind.local_gb, "count": 1}],
        "nvmeSupport": "unsupported",
        "encryptionSupport": "unsupported",
    }
    return {
        "instanceType": kind.name,
        "currentGeneration": True,
        "freeTierEligible": False,
        "supportedUsageClasses": ["on-demand"],
        "supportedRootDeviceTypes": ["instance-store"],
        "supportedVirtualizationTypes": ["hvm"],
        "bareMetal": False,
        "processorInfo": {"supportedArchitectures": ["i386", "x86_64"]},
        "vCpuInfo": {
            "defaultVCpus": kind.vcpus,
            "defaultCores": kind.vcpus,
            "defaultThreadsPerCore": 1,
            "validCores": [kind.vcpus],
            "validThreadsPerCore": [1],
        },
        "memoryInfo": {"sizeInMiB": kind.memory_mb},
        "instanceStorageSupported": kind.local_gb > 0,
        "instanceStorageInfo": disks if kind.local_gb else None,
        "ebsInfo": {
            "ebsOptimizedSupport": "unsupported",
            "encryptionSupport": "unsupported",
            "nvmeSupport": "unsupported",
        },
        "networkInfo": {
            "maximumNetworkInterfaces": 1,
            "maximumNetworkCards": 1,
            "defaultNetworkCardIndex": 0,
            "networkCards": [{"networkCardIndex": 0, "maximumNetworkInterfaces": 1}],
            "ipv4AddressesPerInterface": 1,
            "ipv6AddressesPerInterface": 0,
            "ipv6Supported": False,
            "enaSupport": "unsupported",
            "efaSupported": False,
            "encryptionInTransitSupported": False,
        },
        "placementGroupInfo": {"supportedStrategies": []},
        "hibernationSupported": False,
        "burstablePerformanceSupported": False,
        "dedicatedHostsSupported": False,
        "autoRecoverySupported": False,
        "supportedBootModes": ["legacy-bios"],
        "nitroEnclavesSupport": "unsupported",
        "nitroTpmSupport": "unsupported",
    }


def _at(*path: str) -> Values[InstanceType]:
    """What is at a place of the answer, as texts."""

    def values(kind: InstanceType) -> Iterable[str]:
        return _texts([_answer(kind)], path)

    return values


def _texts(found: list[object], path: tuple[str, ...]) -> Iterable[str]:
    for name in path:
        inside = [each.get(name) for each in found if isinstance(each, dict)]
        found = [one for each in inside for one in (each if isinstance(each, list) else [each])]
    return [
        str(each).lower() if isinstance(each, bool) else str(each)
        for each in found
        if each is not None
    ]


#: Filters, and where in the answer is what they look at.
_PLACES = {
    "auto-recovery-supported": "autoRecoverySupported",
    "bare-metal": "bareMetal",
    "burstable-performance-supported": "burstablePerformanceSupported",
    "current-generation": "currentGeneration",
    "dedicated-hosts-supported": "dedicatedHostsSupported",
    "ebs-info.ebs-optimized-support": "ebsInfo.ebsOptimizedSupport",
    "ebs-info.encryption-support": "ebsInfo.encryptionSupport",
    "ebs-info.nvme-support": "ebsInfo.nvmeSupport",
    "free-tier-eligible": "freeTierEligible",
    "hibernation-supported": "hibernationSupported",
    "hypervisor": "hypervisor",
    "instance-storage-info.disk.count": "instanceStorageInfo.disks.count",
    "instance-storage-info.disk.size-in-gb": "instanceStorageInfo.disks.sizeInGB",
    "instance-storage-info.disk.type": "instanceStorageInfo.disks.type",
    "instance-storage-info.encryption-support": "instanceStorageInfo.encryptionSupport",
    "instance-storage-info.nvme-support": "instanceStorageInfo.nvmeSupport",
    "instance-storage-info.total-size-in-gb": "instanceStorageInfo.totalSizeInGB",
    "instance-storage-supported": "instanceStorageSupported",
    "instance-type": "instanceType",
    "memory-info.size-in-mib": "memoryInfo.sizeInMiB",
    "network-info.efa-supported": "networkInfo.efaSupported",
    "network-info.ena-support": "networkInfo.enaSupport",
    "network-info.encryption-in-transit-supported": "networkInfo.encryptionInTransitSupported",
    "network-info.ipv4-addresses-per-interface": "networkInfo.ipv4AddressesPerInterface",
    "network-info.ipv6-addresses-per-interface": "networkInfo.ipv6AddressesPerInterface",
    "network-info.ipv6-supported": "networkInfo.ipv6Supported",
    "network-info.maximum-network-cards": "networkInfo.maximumNetworkCards",
    "network-info.maximum-network-interfaces": "networkInfo.maximumNetworkInterfaces",
    "network-info.network-performance": "networkInfo.networkPerformance",
    "nitro-enclaves-support": "nitroEnclavesSupport",
    "nitro-tpm-support": "nitroTpmSupport",
    "processor-info.supported-architecture": "processorInfo.supportedArchitectures",
    "processor-info.sustained-clock-speed-in-ghz": "processorInfo.sustainedClockSpeedInGhz",
    "supported-boot-mode": "supportedBootModes",
    "supported-root-device-type": "supportedRootDeviceTypes",
    "supported-usage-class": "supportedUsageClasses",
    "supported-virtualization-type": "supportedVirtualizationTypes",
    "vcpu-info.default-cores": "vCpuInfo.defaultCores",
    "vcpu-info.default-threads-per-core": "vCpuInfo.defaultThreadsPerCore",
    "vcpu-info.default-vcpus": "vCpuInfo.defaultVCpus",
    "vcpu-info.valid-cores": "vCpuInfo.validCores",
    "vcpu-info.valid-threads-per-core": "vCpuInfo.validThreadsPerCore",
}

TYPES = Noun[InstanceType](
    key=lambda kind: kind.name,
    filters={name: _at(*place.split(".")) for name, place in _PLACES.items()},
)


class DescribeInstanceTypes(Action):
    """List instance types."""

    roles = ALL
    ignored = ("IncludeUnsupportedInRegion",)

    @dataclass(frozen=True, kw_only=True)
    class Params(Listing):
        names: tuple[str, ...] = schema.texts("InstanceType")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        there = await self.operations.types.types()
        unknown = set(params.names) - there.keys()
        if unknown:
            raise InstanceTypeNotFound(
                f"The following supplied instance types do not exist: [{min(unknown)}]"
            )
        wanted = [kind for kind in there.values() if not params.names or kind.name in params.names]
        found, more = TYPES.page(wanted, params, params.names)
        if dialect.types_of_aws:
            return {"instanceTypeSet": [_answer(kind) for kind in found], **more}
        return {"instanceTypeDetails": [_of_eucalyptus(kind) for kind in found], **more}


def _of_eucalyptus(kind: InstanceType) -> Content:
    """What euca2ools 3 and boto 2 read, whose API versions are older than AWS's action."""
    return {
        "name": kind.name,
        "cpu": kind.vcpus,
        "disk": kind.local_gb,
        "memory": kind.memory_mb,
    }


@dataclass(frozen=True)
class Offering:
    """Where a type can be had."""

    kind: str
    location: str


OFFERINGS = Noun[Offering](
    key=lambda each: f"{each.kind} {each.location}",
    filters={
        "instance-type": lambda each: (each.kind,),
        "location": lambda each: (each.location,),
    },
)


class DescribeInstanceTypeOfferings(Action):
    """List where instance types can be had: everywhere."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params(Listing):
        location_type: str | None = schema.text("LocationType")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        location_type = params.location_type or "region"
        places = await self._places(location_type)
        kinds = await self.operations.types.types()
        offered = [Offering(kind, place) for kind in kinds for place in places]
        found, more = OFFERINGS.page(offered, params)
        return {
            "instanceTypeOfferingSet": [
                {
                    "instanceType": each.kind,
                    "locationType": location_type,
                    "location": each.location,
                }
                for each in found
            ],
            **more,
        }

    async def _places(self, location_type: str) -> list[str]:
        match location_type:
            case "region":
                return [self.operations.zones.regions()[0][0]]
            case "availability-zone" | "availability-zone-id":
                return [zone.name for zone in await self.operations.zones.zones()]
            case "outpost":
                return []
        raise InvalidInput(f"Invalid value '{location_type}' for LocationType")
