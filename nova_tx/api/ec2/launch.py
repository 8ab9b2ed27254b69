"""Parameters of RunInstances that need a word.                [AWS API, "RunInstances"]"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.faults import PlacementGroupNotFound, Unsupported
from nova_tx.block_devices import Mapped


@dataclass(frozen=True, kw_only=True)
class BlockDevice:
    """One entry of a block device mapping."""

    device: str = schema.text("DeviceName", required=True)
    virtual_name: str | None = schema.text("VirtualName")
    no_device: str | None = schema.text("NoDevice", blank=True)
    snapshot_id: str | None = schema.text("Ebs.SnapshotId")
    volume_size: str | None = schema.text("Ebs.VolumeSize")
    volume_type: str | None = schema.text("Ebs.VolumeType")
    iops: str | None = schema.text("Ebs.Iops")
    throughput: str | None = schema.text("Ebs.Throughput")
    encrypted: str | None = schema.text("Ebs.Encrypted")
    kms_key_id: str | None = schema.text("Ebs.KmsKeyId")
    delete_on_termination: str | None = schema.text("Ebs.DeleteOnTermination")

    @property
    def mapped(self) -> Mapped:
        """What it asks for."""
        of_volume = (
            *(self.snapshot_id, self.volume_size, self.volume_type, self.iops),
            *(self.throughput, self.encrypted, self.kms_key_id, self.delete_on_termination),
        )
        nothing = self.no_device is not None and self.no_device != "false"
        return Mapped(self.device, self.virtual_name, any(of_volume), nothing)


def _only(name: str, *accepted: str) -> Any:
    """A field that asks for what is so anyway; another value is refused."""

    def read(text: str) -> str:
        if text.lower() not in accepted:
            raise Unsupported(f"{name} can't be '{text[:100]}' here, but {' or '.join(accepted)}")
        return text

    return schema.value(name, of=read)


def _no_group(name: str) -> str:
    raise PlacementGroupNotFound(f"The placement group '{name[:255]}' is unknown.")


@dataclass(frozen=True, kw_only=True)
class AsAnyway:
    """What clients of today may say, if it is what this cloud does: to be inherited."""

    group: str | None = schema.value("Placement.GroupName", of=_no_group)
    tenancy: str | None = _only("Placement.Tenancy", "default")
    stop: str | None = _only("DisableApiStop", "false")
    primary_ipv6: str | None = _only("EnablePrimaryIpv6", "false")
    hibernation: str | None = _only("HibernationOptions.Configured", "false")
    enclave: str | None = _only("EnclaveOptions.Enabled", "false")
    recovery: str | None = _only("MaintenanceOptions.AutoRecovery", "default", "disabled")
    capacity: str | None = _only(
        "CapacityReservationSpecification.CapacityReservationPreference", "open", "none"
    )
    metadata_endpoint: str | None = _only("MetadataOptions.HttpEndpoint", "enabled")
    metadata_tokens: str | None = _only("MetadataOptions.HttpTokens", "optional")
    metadata_ipv6: str | None = _only("MetadataOptions.HttpProtocolIpv6", "disabled")
    metadata_tags: str | None = _only("MetadataOptions.InstanceMetadataTags", "disabled")
    metadata_hops: str | None = _only("MetadataOptions.HttpPutResponseHopLimit", "1", "2")
