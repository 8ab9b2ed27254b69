"""Lists of what runs: instances and workers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert

from nova_tx.db.engine import now
from nova_tx.db.schema import services
from nova_tx.testing.manage import Manage, Told, add_instance, write


def test_vm_list(manage: Manage, tmp_path: Path) -> None:
    """Instances are listed in Cactus' columns, terminated ones are not."""
    add_instance(tmp_path)
    add_instance(tmp_path, hostname="gone", deleted=True)
    add_instance(
        tmp_path,
        hostname="i-00000003",
        host=None,
        state_description="scheduling",
        launched_at=None,
        kernel_id=None,
        launch_index=1,
    )
    header, *lines = manage("vm", "list").out.splitlines()
    assert header == (
        "instance   node            type       state      launched            image       "
        " kernel       ramdisk       project    user       zone       index"
    )
    assert lines == [
        "i-00000001 HostB           m1.tiny    running    2011-02-15 07:28:32 ami-1       "
        " aki-1        None          john_project john       nova       0    ",
        "i-00000003 None            m1.tiny    scheduling None                ami-1       "
        " None         None          john_project john       nova       1    ",
    ]
    assert manage("vm", "list", "HostB").out.splitlines() == [header, lines[0]]
    assert manage("vm", "list", "HostX") == Told(1, "", "no host HostX is known\n")


def test_service_list(manage: Manage, tmp_path: Path) -> None:
    """All workers are listed, disabled ones, too; who is silent too long is XXX. [spec/15 D3]"""
    fresh, stale = now() - timedelta(seconds=30), now() - timedelta(seconds=90)
    for host, binary, disabled, seen in (
        ("HostA", "nova-scheduler", False, fresh),
        ("HostB", "nova-compute", True, stale),
        ("HostC", "nova-compute", False, None),
    ):
        write(
            tmp_path,
            insert(services).values(
                host=host,
                binary=binary,
                topic="x",
                report_count=0,
                disabled=disabled,
                availability_zone="nova",
                created_at=fresh,
                updated_at=seen,
                deleted=False,
            ),
        )
    lines = [
        f"HostA      nova-scheduler enabled  :-) {fresh}",
        f"HostB      nova-compute disabled XXX {stale}",
        "HostC      nova-compute enabled  :-) None",
    ]
    assert manage("service", "list").out.splitlines() == lines
    assert manage("service", "list", "HostC").out.splitlines() == lines[2:]
    assert manage("service", "list", "HostB", "nova-compute").out.splitlines() == lines[1:2]
    assert manage("--service_down_time=10", "service", "list", "HostA").out.split()[3] == "XXX"
