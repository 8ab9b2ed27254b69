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
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Times are naive UTC with microseconds (MySQL drops them unless told).
Time = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
#: Text is compared byte by byte on every database (MySQL folds case unless told).
Name = String(255).with_variant(
    mysql.VARCHAR(255, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)
Sealed = String(512).with_variant(
    mysql.VARCHAR(512, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)
Long = Text().with_variant(
    mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)


def _table(name: str, *parts: SchemaItem) -> Table:
    """A table with the four columns that all have."""
    return Table(
        name,
        metadata,
        *parts,
        Column("created_at", Time, nullable=False),
        Column("updated_at", Time),
        Column("deleted_at", Time),
        Column("deleted", Boolean, nullable=False, default=False),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True, autoincrement=True)


services = _table(
    "services",
    _id(),
    Column("host", Name, nullable=False),
    Column("binary", Name, nullable=False),
    Column("topic", Name, nullable=False, index=True),
    Column("report_count", Integer, nullable=False, default=0),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("availability_zone", Name, nullable=False, default="nova"),
    UniqueConstraint("host", "binary"),
)

certificates = _table(
    "certificates",
    _id(),
    Column("user_id", Name, index=True),
    Column("project_id", Name, index=True),
    Column("file_name", Name),
)

instances = _table(
    "instances",
    _id(),
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
instance_types = _table(
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

instance_actions = _table(
    "instance_actions",
    _id(),
    Column("instance_id", Integer, ForeignKey(instances.c.id), nullable=False, index=True),
    Column("action", Name, nullable=False),
    Column("error", Long),
)

volumes = _table(
    "volumes",
    _id(),
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

quotas = _table(
    "quotas",
    _id(),
    Column("project_id", Name, nullable=False, unique=True),
    Column("instances", Integer),
    Column("cores", Integer),
    Column("volumes", Integer),
    Column("gigabytes", Integer),
    Column("floating_ips", Integer),
)

export_devices = _table(
    "export_devices",
    _id(),
    Column("shelf_id", Integer, nullable=False),
    Column("blade_id", Integer, nullable=False),
    Column("volume_id", Integer, ForeignKey(volumes.c.id), index=True),
    UniqueConstraint("shelf_id", "blade_id"),
)

iscsi_targets = _table(
    "iscsi_targets",
    _id(),
    Column("target_num", Integer, nullable=False),
    Column("host", Name, nullable=False),
    Column("volume_id", Integer, ForeignKey(volumes.c.id), index=True),
    UniqueConstraint("target_num", "host"),
)

security_groups = _table(
    "security_groups",
    _id(),
    Column("name", Name, nullable=False),
    Column("description", Name, nullable=False),
    Column("user_id", Name, nullable=False),
    Column("project_id", Name, nullable=False),
    UniqueConstraint("project_id", "name"),
)

security_group_instance_association = _table(
    "security_group_instance_association",
    _id(),
    Column(
        "security_group_id", Integer, ForeignKey(security_groups.c.id), nullable=False, index=True
    ),
    Column("instance_id", Integer, ForeignKey(instances.c.id), nullable=False, index=True),
    UniqueConstraint("security_group_id", "instance_id"),
)

security_group_rules = _table(
    "security_group_rules",
    _id(),
    Column(
        "parent_group_id", Integer, ForeignKey(security_groups.c.id), nullable=False, index=True
    ),
    Column("protocol", String(5)),
    Column("from_port", Integer),
    Column("to_port", Integer),
    Column("cidr", Name),
    Column("group_id", Integer, ForeignKey(security_groups.c.id), index=True),
)

key_pairs = _table(
    "key_pairs",
    _id(),
    Column("user_id", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("fingerprint", Name, nullable=False),
    Column("public_key", Long, nullable=False),
    Column("key_type", Name, nullable=False, server_default="rsa"),
    UniqueConstraint("user_id", "name"),
)

networks = _table(
    "networks",
    _id(),
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

fixed_ips = _table(
    "fixed_ips",
    _id(),
    Column("address", Name, nullable=False, unique=True),
    Column("network_id", Integer, ForeignKey(networks.c.id), nullable=False),
    Column("instance_id", Integer, ForeignKey(instances.c.id), index=True),
    Column("allocated", Boolean, nullable=False, default=False),
    Column("leased", Boolean, nullable=False, default=False),
    Column("reserved", Boolean, nullable=False, default=False),
    # finds the lowest free address of a network without reading the others
    Index("ix_fixed_ips_free", "network_id", "reserved", "instance_id", "id"),
)

floating_ips = _table(
    "floating_ips",
    _id(),
    Column("address", Name, nullable=False, unique=True),
    Column("fixed_ip_id", Integer, ForeignKey(fixed_ips.c.id), index=True),
    Column("project_id", Name, index=True),
    Column("host", Name, index=True),
)

auth_tokens = _table(
    "auth_tokens",
    Column("token_hash", Name, primary_key=True),
    Column("user_id", Name),
    Column("server_manageent_url", Name),
    Column("storage_url", Name),
    Column("cdn_management_url", Name),
)

users = _table(
    "users",
    Column("id", Name, primary_key=True),
    Column("name", Name),
    Column("access_key", Name, nullable=False, unique=True),
    Column("secret_key", Name, nullable=False),  # empty if it is in column secret
    Column("is_admin", Boolean, nullable=False, default=False),
    Column("secret", Sealed),
)

projects = _table(
    "projects",
    Column("id", Name, primary_key=True),
    Column("name", Name),
    Column("description", Name),
    Column("project_manager", Name, ForeignKey(users.c.id), nullable=False, index=True),
)

user_project_association = _table(
    "user_project_association",
    Column("user_id", Name, ForeignKey(users.c.id), primary_key=True),
    Column("project_id", Name, ForeignKey(projects.c.id), primary_key=True, index=True),
)

user_project_role_association = _table(
    "user_project_role_association",
    Column("user_id", Name, ForeignKey(users.c.id), primary_key=True),
    Column("project_id", Name, ForeignKey(projects.c.id), primary_key=True, index=True),
    Column("role", Name, primary_key=True),
)

user_role_association = _table(
    "user_role_association",
    Column("user_id", Name, ForeignKey(users.c.id), primary_key=True),
    Column("role", Name, primary_key=True),
)

console_pools = _table(
    "console_pools",
    _id(),
    Column("address", Name),
    Column("username", Name),
    Column("password", Name),
    Column("console_type", Name),
    Column("public_hostname", Name),
    Column("host", Name),
    Column("compute_host", Name),
)

consoles = _table(
    "consoles",
    _id(),
    Column("instance_name", Name),
    Column("instance_id", Integer),
    Column("password", Name),
    Column("port", Integer),
    Column("pool_id", Integer, ForeignKey(console_pools.c.id), index=True),
)

images = _table(
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

image_permissions = _table(
    "image_permissions",
    Column("image_id", Name, ForeignKey(images.c.id), primary_key=True),
    Column("project_id", Name, primary_key=True, index=True),
)

tags = _table(
    "tags",
    Column("project_id", Name, primary_key=True),
    Column("resource_id", Name, primary_key=True),
    Column("key", Name, primary_key=True),
    Column("resource_type", Name, nullable=False),
    Column("value", Name, nullable=False),
    Index("ix_tags_resource_id", "resource_id"),
)
Index("ix_tags_deleted_at", tags.c.deleted_at)

client_tokens = _table(
    "client_tokens",
    Column("project_id", Name, primary_key=True),
    Column("action", Name, primary_key=True),
    Column("token", Name, primary_key=True),
    Column("fingerprint", Name, nullable=False),
    Column("result", Name, nullable=False),
)
Index("ix_client_tokens_age", client_tokens.c.project_id, client_tokens.c.created_at)

used_signatures = _table(
    "used_signatures",
    Column("digest", Name, primary_key=True),
    Column("expires_at", Time, nullable=False, index=True),
)

lockouts = _table(
    "lockouts",
    Column("access_key", Name, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("since", Time, nullable=False),
    Column("locked_until", Time),
)
