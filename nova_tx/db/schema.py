"""
The tables: Bexar's, with the constraints it only believed to have.    [spec/12]

Unlike Bexar's: real UNIQUE constraints and indexes, tables of images (Bexar kept
files) and of what today's EC2 has beside them: tags, client tokens, signatures
that were used, lock-outs.
A soft-deleted row keeps its place; tables whose names must be free again
after a deletion (key_pairs, services, users, projects) are deleted for real.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    false,
)

from nova_tx.db import columns
from nova_tx.db.columns import Long, Name, Sealed, Time, number, table

#: All of them.
metadata = columns.metadata

services = table(
    "services",
    number(),
    Column("host", Name, nullable=False),
    Column("binary", Name, nullable=False),
    Column("topic", Name, nullable=False, index=True),
    Column("report_count", Integer, nullable=False, default=0),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("availability_zone", Name, nullable=False, default="nova"),
    UniqueConstraint("host", "binary"),
)

certificates = table(
    "certificates",
    number(),
    Column("user_id", Name, index=True),
    Column("project_id", Name, index=True),
    Column("file_name", Name),
)

instances = table(
    "instances",
    number(),
    Column("user_id", Name, nullable=False),
    Column("project_id", Name, nullable=False, index=True),
    Column("reservation_id", Name, nullable=False),
    Column("launch_index", Integer, nullable=False),
    Column("image_id", Name, nullable=False),
    Column("kernel_id", Name),
    Column("ramdisk_id", Name),
    Column("key_name", Name),
    Column("key_data", Long),
    Column("state", Integer),
    Column("state_description", Name, nullable=False, index=True),
    Column("reason", Long),
    Column("instance_type", Name, nullable=False),
    Column("memory_mb", Integer, nullable=False),
    Column("vcpus", Integer, nullable=False),
    Column("local_gb", Integer, nullable=False),
    Column("hostname", Name, nullable=False),
    Column("host", Name, index=True),
    Column("user_data", Long),
    Column("mac_address", String(17), nullable=False, index=True),
    Column("scheduled_at", Time),
    Column("launched_at", Time),
    Column("terminated_at", Time),
    Column("availability_zone", Name),
    Column("display_name", Name, nullable=False),
    Column("display_description", Name, nullable=False),
    Column("locked", Boolean, nullable=False, default=False),
    Column("admin_pass", Name),
    Column("build_attempts", Integer, nullable=False, server_default="0"),
    Column("disable_api_termination", Boolean, nullable=False, server_default=false()),
    Column("shutdown_behavior", Name, nullable=False, server_default="stop"),
    Column("block_devices", Long),
    Column("client_token", Name),
    Column("architecture", Name),
)

#: What differs from the sizes that are built in.
instance_types = table(
    "instance_types",
    Column("name", Name, primary_key=True),
    Column("memory_mb", Integer, nullable=False),
    Column("vcpus", Integer, nullable=False),
    Column("local_gb", Integer, nullable=False),
    Column("flavorid", Integer, nullable=False),
    Column("swap", Integer, nullable=False, default=0),
    Column("rxtx_quota", Integer, nullable=False, default=0),
    Column("rxtx_cap", Integer, nullable=False, default=0),
)

instance_actions = table(
    "instance_actions",
    number(),
    Column("instance_id", Integer, ForeignKey(instances.c.id), nullable=False, index=True),
    Column("action", Name, nullable=False),
    Column("error", Long),
)

volumes = table(
    "volumes",
    number(),
    Column("user_id", Name, nullable=False),
    Column("project_id", Name, nullable=False, index=True),
    Column("host", Name, index=True),
    Column("size", Integer, nullable=False),
    Column("availability_zone", Name),
    Column("instance_id", Integer, ForeignKey(instances.c.id), index=True),
    Column("mountpoint", Name),
    Column("attach_time", Name),
    Column("status", Name, nullable=False),
    Column("attach_status", Name, nullable=False),
    Column("scheduled_at", Time),
    Column("launched_at", Time),
    Column("terminated_at", Time),
    Column("display_name", Name),
    Column("display_description", Name),
)

quotas = table(
    "quotas",
    number(),
    Column("project_id", Name, nullable=False, unique=True),
    Column("instances", Integer),
    Column("cores", Integer),
    Column("volumes", Integer),
    Column("gigabytes", Integer),
    Column("floating_ips", Integer),
)

export_devices = table(
    "export_devices",
    number(),
    Column("shelf_id", Integer, nullable=False),
    Column("blade_id", Integer, nullable=False),
    Column("volume_id", Integer, ForeignKey(volumes.c.id), index=True),
    UniqueConstraint("shelf_id", "blade_id"),
)

iscsi_targets = table(
    "iscsi_targets",
    number(),
    Column("target_num", Integer, nullable=False),
    Column("host", Name, nullable=False),
    Column("volume_id", Integer, ForeignKey(volumes.c.id), index=True),
    UniqueConstraint("target_num", "host"),
)

security_groups = table(
    "security_groups",
    number(),
    Column("name", Name, nullable=False),
    Column("description", Name, nullable=False),
    Column("user_id", Name, nullable=False),
    Column("project_id", Name, nullable=False),
    UniqueConstraint("project_id", "name"),
)

security_group_instance_association = table(
    "security_group_instance_association",
    number(),
    Column(
        "security_group_id", Integer, ForeignKey(security_groups.c.id), nullable=False, index=True
    ),
    Column("instance_id", Integer, ForeignKey(instances.c.id), nullable=False, index=True),
    UniqueConstraint("security_group_id", "instance_id"),
)

security_group_rules = table(
    "security_group_rules",
    number(),
    Column(
        "parent_group_id", Integer, ForeignKey(security_groups.c.id), nullable=False, index=True
    ),
    Column("protocol", String(5)),
    Column("from_port", Integer),
    Column("to_port", Integer),
    Column("cidr", Name),
    Column("group_id", Integer, ForeignKey(security_groups.c.id), index=True),
)

key_pairs = table(
    "key_pairs",
    number(),
    Column("user_id", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("fingerprint", Name, nullable=False),
    Column("public_key", Long, nullable=False),
    Column("key_type", Name, nullable=False, server_default="rsa"),
    UniqueConstraint("user_id", "name"),
)

networks = table(
    "networks",
    number(),
    Column("injected", Boolean, nullable=False, default=False),
    Column("cidr", Name, nullable=False, unique=True),
    Column("cidr_v6", Name, unique=True),
    Column("ra_server", Name),
    Column("netmask", Name, nullable=False),
    Column("bridge", Name, nullable=False, index=True),
    Column("gateway", Name, nullable=False),
    Column("broadcast", Name, nullable=False),
    Column("dns", Name),
    Column("vlan", Integer),
    Column("vpn_public_address", Name),
    Column("vpn_public_port", Integer),
    Column("vpn_private_address", Name),
    Column("dhcp_start", Name, nullable=False),
    Column("label", Name),
    Column("project_id", Name, unique=True),
    Column("host", Name, index=True),
    UniqueConstraint("vpn_public_address", "vpn_public_port"),
)

fixed_ips = table(
    "fixed_ips",
    number(),
    Column("address", Name, nullable=False, unique=True),
    Column("network_id", Integer, ForeignKey(networks.c.id), nullable=False),
    Column("instance_id", Integer, ForeignKey(instances.c.id), index=True),
    Column("allocated", Boolean, nullable=False, default=False),
    Column("leased", Boolean, nullable=False, default=False),
    Column("reserved", Boolean, nullable=False, default=False),
    # finds the lowest free address of a network without reading the others
    Index("ix_fixed_ips_free", "network_id", "reserved", "instance_id", "id"),
)

floating_ips = table(
    "floating_ips",
    number(),
    Column("address", Name, nullable=False, unique=True),
    Column("fixed_ip_id", Integer, ForeignKey(fixed_ips.c.id), index=True),
    Column("project_id", Name, index=True),
    Column("host", Name, index=True),
)

auth_tokens = table(
    "auth_tokens",
    Column("token_hash", Name, primary_key=True),
    Column("user_id", Name),
    Column("server_manageent_url", Name),
    Column("storage_url", Name),
    Column("cdn_management_url", Name),
)

users = table(
    "users",
    Column("id", Name, primary_key=True),
    Column("name", Name),
    Column("access_key", Name, nullable=False, unique=True),
    Column("secret_key", Name, nullable=False),  # empty if it is in column secret
    Column("is_admin", Boolean, nullable=False, default=False),
    Column("secret", Sealed),
)

projects = table(
    "projects",
    Column("id", Name, primary_key=True),
    Column("name", Name),
    Column("description", Name),
    Column("project_manager", Name, ForeignKey(users.c.id), nullable=False, index=True),
)

user_project_association = table(
    "user_project_association",
    Column("user_id", Name, ForeignKey(users.c.id), primary_key=True),
    Column("project_id", Name, ForeignKey(projects.c.id), primary_key=True, index=True),
)

user_project_role_association = table(
    "user_project_role_association",
    Column("user_id", Name, ForeignKey(users.c.id), primary_key=True),
    Column("project_id", Name, ForeignKey(projects.c.id), primary_key=True, index=True),
    Column("role", Name, primary_key=True),
)

user_role_association = table(
    "user_role_association",
    Column("user_id", Name, ForeignKey(users.c.id), primary_key=True),
    Column("role", Name, primary_key=True),
)

console_pools = table(
    "console_pools",
    number(),
    Column("address", Name),
    Column("username", Name),
    Column("password", Name),
    Column("console_type", Name),
    Column("public_hostname", Name),
    Column("host", Name),
    Column("compute_host", Name),
)

consoles = table(
    "consoles",
    number(),
    Column("instance_name", Name),
    Column("instance_id", Integer),
    Column("password", Name),
    Column("port", Integer),
    Column("pool_id", Integer, ForeignKey(console_pools.c.id), index=True),
)

images = table(
    "images",
    Column("id", Name, primary_key=True),
    Column("location", Name, nullable=False),
    Column("owner", Name, nullable=False, index=True),
    Column("user_id", Name, nullable=False),
    Column("is_public", Boolean, nullable=False, default=False, index=True),
    Column("architecture", Name, nullable=False),
    Column("type", Name, nullable=False),
    Column("state", Name, nullable=False, index=True),
    Column("state_reason", Long),
    Column("kernel_id", Name),
    Column("ramdisk_id", Name),
    Column("display_name", Name, nullable=False),
    Column("description", Long),
    Column("size", BigInteger),
    Column("progress", Integer),
    Column("instance_id", Integer, index=True),
)

image_permissions = table(
    "image_permissions",
    Column("image_id", Name, ForeignKey(images.c.id), primary_key=True),
    Column("project_id", Name, primary_key=True, index=True),
)

tags = table(
    "tags",
    Column("project_id", Name, primary_key=True),
    Column("resource_id", Name, primary_key=True),
    Column("key", Name, primary_key=True),
    Column("resource_type", Name, nullable=False),
    Column("value", Name, nullable=False),
    Index("ix_tags_resource_id", "resource_id"),
)
Index("ix_tags_deleted_at", tags.c.deleted_at)

client_tokens = table(
    "client_tokens",
    Column("project_id", Name, primary_key=True),
    Column("action", Name, primary_key=True),
    Column("token", Name, primary_key=True),
    Column("fingerprint", Name, nullable=False),
    Column("result", Name, nullable=False),
)
Index("ix_client_tokens_age", client_tokens.c.project_id, client_tokens.c.created_at)

used_signatures = table(
    "used_signatures",
    Column("digest", Name, primary_key=True),
    Column("expires_at", Time, nullable=False, index=True),
)

lockouts = table(
    "lockouts",
    Column("access_key", Name, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("since", Time, nullable=False),
    Column("locked_until", Time),
)
