"""Facts as tests need them, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from nova_tx.model.instances import Instance


def an_instance(**changes: object) -> Instance:
    """An instance that waits for a host; C{changes} are other values of its fields."""
    instance = Instance(
        id=1,
        reservation_id="r-12345678",
        user_id="john",
        project_id="physics",
        image_id="ami-tiny",
        kernel_id=None,
        ramdisk_id=None,
        launch_index=0,
        key_name=None,
        key_data=None,
        state=None,
        state_description="scheduling",
        reason=None,
        instance_type="m1.tiny",
        memory_mb=512,
        vcpus=1,
        local_gb=0,
        hostname="i-00000001",
        host=None,
        user_data=None,
        mac_address="02:16:3e:00:00:01",
        availability_zone=None,
        display_name="",
        display_description="",
        locked=False,
        created_at=datetime(2011, 2, 11),
        updated_at=None,
        scheduled_at=None,
        launched_at=None,
        terminated_at=None,
        deleted=False,
    )
    return replace(instance, **changes)  # type: ignore[arg-type]
