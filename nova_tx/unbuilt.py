"""
Flags that are accepted and have no effect: whose rooms are not built yet, and whose matter is
settled otherwise here.

They are in no C{--help}, and who sets one is told.  docs/flags.md lists them.  A room that is
built takes its flags from here into a section of L{nova_tx.sections}; C{tests/test_flags.py} sees
that each flag of Nova 2011.1 is in one of these places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nova_tx.flag_fields import Unread

#: By room: its flags with their defaults, whose types are theirs; empty where Nova's default is
#: found on the machine.                                                [spec/11 sections 2 and 5]
ROOMS: Mapping[str, Mapping[str, object]] = {
    "consoles in the browser (ajaxterm), which are": {
        "ajax_console_idle_timeout": 300,
        "ajax_console_proxy_port": "8000",
        "ajax_console_proxy_topic": "ajax_proxy",
        "ajax_console_proxy_url": "http://127.0.0.1:8000",
        "ajaxterm_portrange": "10000-12000",
    },
    "console proxies, which are": {
        "console_driver": "nova.console.xvp.XVPConsoleProxy",
        "console_host": "",
        "console_manager": "nova.console.manager.ConsoleProxyManager",
        "console_public_hostname": "",
        "console_topic": "console",
        "console_xvp_conf": "/etc/xvp.conf",
        "console_xvp_conf_template": "",
        "console_xvp_log": "/var/log/xvp.log",
        "console_xvp_multiplex_port": 5900,
        "console_xvp_pid": "/var/run/xvp.pid",
        "stub_compute": False,
    },
    "the OpenStack API, which is": {
        "allow_admin_api": False,
        "auth_token_ttl": 3600,
        "default_project": "openstack",
        "password_length": 12,
    },
    "the direct API, which is": {
        "direct_host": "0.0.0.0",
        "direct_port": 8001,
    },
    "security groups' filters, which are": {
        "allow_project_net_traffic": True,
        "firewall_driver": "nova.virt.libvirt_conn.IptablesFirewallDriver",
    },
    "floating addresses, which are": {
        "public_interface": "vlan1",
    },
    "IPv6, which is": {
        "fixed_range_v6": "fd00::/48",
        "use_ipv6": False,
    },
    "networks that are written into guests' files (FlatManager), which are": {
        "flat_injected": True,
        "injected_network_template": "",
    },
    "VLAN networks, which are": {
        "max_networks": 1000,
        "vlan_interface": "eth0",
    },
    "the VPN (cloudpipe), which is": {
        "boot_script_template": "",
        "dmz_mask": "255.255.255.0",
        "dmz_net": "10.0.0.0",
        "keys_path": "$state_path/keys",
        "vpn_cert_subject": "/C=US/ST=California/L=MountainView/O=AnsoLabs/OU=NovaDev"
        "/CN=project-vpn-%s-%s",
        "vpn_ip": "$my_ip",
        "vpn_key_suffix": "-vpn",
    },
    "volumes, which are": {
        "aoe_eth_dev": "eth0",
        "blades_per_shelf": 16,
        "iscsi_ip_prefix": "$my_ip",
        "iscsi_num_targets": 100,
        "iscsi_target_prefix": "iqn.2010-10.org.openstack:",
        "max_gigabytes": 10000,
        "num_shell_tries": "3",
        "num_shelves": 100,
        "rbd_pool": "rbd",
        "storage_availability_zone": "nova",
        "use_local_volumes": True,
        "volume_driver": "nova.volume.driver.ISCSIDriver",
        "volume_group": "nova-volumes",
        "volume_manager": "nova.volume.manager.VolumeManager",
        "volume_name_template": "volume-%08x",
        "volume_topic": "volume",
    },
    "the instance monitor, which is": {
        "aws_access_key_id": "admin",
        "aws_secret_access_key": "admin",
        "monitoring_instances_delay": 5,
        "monitoring_instances_step": 300,
        "monitoring_rrd_path": "$state_path/monitor/instances",
    },
    "XenServer's driver (XenAPI), which is": {
        "iqn_prefix": "iqn.2010-10.org.openstack",
        "target_host": "",
        "target_port": "3260",
        "xenapi_connection_password": "",
        "xenapi_connection_url": "",
        "xenapi_connection_username": "root",
        "xenapi_image_service": "glance",
        "xenapi_remap_vbd_dev": False,
        "xenapi_remap_vbd_dev_prefix": "sd",
        "xenapi_task_poll_interval": 0.5,
        "xenapi_vhd_coalesce_max_attempts": 5,
        "xenapi_vhd_coalesce_poll_interval": 5.0,
    },
    "live migration, which is": {
        "cpuinfo_xml_template": "",
        "live_migration_bandwidth": 0,
        "live_migration_flag": "VIR_MIGRATE_UNDEFINE_SOURCE, VIR_MIGRATE_PEER2PEER",
        "live_migration_retry_count": 30,
        "live_migration_uri": "qemu+tcp://%s/system",
    },
}

#: What needs no flag here: default and reason.
SETTLED: Mapping[str, tuple[object, str]] = {
    "block_size": (268435456, "Nova 2011.1 never read it, either"),
    "default_image": ("ami-11111", "Nova 2011.1 never read it, either: a request names its image"),
    "dhcpbridge_flagfile": (
        "/etc/nova/nova-dhcpbridge.conf",
        "nova-dhcpbridge reads no flags: it speaks to the nova-network that started its server",
    ),
    "fake_call": (False, "without a broker (--fake_rabbit) all messages stay in the process"),
    "lockout_memcached_servers": (
        (),
        "failed authentications are counted in the database, for all processes together",
    ),
    "stub_network": ("false", "each guest has a network; with --fake_network it is not a real one"),
    "update_dhcp_on_disassociate": (
        False,
        "DHCP servers are always told when an address is taken back",
    ),
    "use_nova_chains": (False, "our rules are always in chains of our own"),
}

#: Spellings of the user's manual, and what is meant.                         [spec/14 part J]
SPELLINGS: Mapping[str, str] = {
    "colume_manager": "volume_manager",
    "logging_defalut_format_string": "logging_default_format_string",
    "periodec_interval": "periodic_interval",
    "rabbit-retry-interval": "rabbit_retry_interval",
}


def unread() -> Iterator[Unread]:
    """Each of these flags, and why it has no effect."""
    for room, found in ROOMS.items():
        for name, default in found.items():
            yield Unread(name, default, f"belongs to {room} not built yet; it has no effect")
    for name, (default, why) in SETTLED.items():
        yield Unread(name, default, f"has no effect: {why}")


def room(name: str) -> str | None:
    """The room that a flag waits for, as in C{the VPN (cloudpipe)}; None: for none."""
    for found, flags in ROOMS.items():
        if name in flags:
            return found.partition(", which ")[0]
    return None
