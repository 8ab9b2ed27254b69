"""Where guests run: compute, libvirt, networks, the scheduler."""

from __future__ import annotations

import dataclasses

from nova_tx import installed
from nova_tx.flag_fields import flag


@dataclasses.dataclass(frozen=True)
class ComputeFlags:
    """The compute worker."""

    compute_manager: str = flag("nova.compute.manager.ComputeManager", "what works on messages")
    compute_driver: str = flag(
        "nova.virt.connection.get_connection",
        "hypervisor by its driver's name, or by default as connection_type says",
    )
    connection_type: str = flag("libvirt", "hypervisor: libvirt or fake")
    instances_path: str = flag("$state_path/instances", "directory of guests' files")
    default_instance_type: str = flag("m1.small", "type when a request names none")
    minimum_root_size: int = flag(10 * 2**30, "bytes that root disks are grown to (not m1.tiny's)")
    max_build_attempts: int = flag(
        5, "times that an instance is begun, if each time the daemon dies of it"
    )
    image_cache_seconds: int = flag(
        3600, "seconds since its last use that a host keeps the file of a deregistered image"
    )
    rescue_image_id: str = flag("ami-rescue", "image that rescued instances boot; a public one")
    rescue_kernel_id: str = flag("aki-rescue", "its kernel; empty for none")
    rescue_ramdisk_id: str = flag("ari-rescue", "its ramdisk; empty for none")


@dataclasses.dataclass(frozen=True)
class LibvirtFlags:
    """The libvirt driver."""

    libvirt_type: str = flag("kvm", "kvm or qemu")
    libvirt_xml_template: str = flag(
        "", "file of guests' descriptions, instead of our own: see docs/operating.md"
    )
    libvirt_uri: str = flag("", "connection, instead of the one for libvirt_type")
    use_cow_images: bool = flag(True, "root disks are qcow2 over the shared image, not copies")
    reboot_grace_seconds: int = flag(
        30, "seconds a guest has to shut itself down before a reboot or stop cuts its power"
    )


@dataclasses.dataclass(frozen=True)
class NetworkFlags:
    """The network worker, and C{nova-manage network}."""

    network_manager: str = flag("nova.network.manager.FlatDHCPManager", "kind of network")
    network_driver: str = flag("nova.network.linux_net", "what makes networks on this host")
    network_host: str = flag(
        "",
        "host whose network worker is asked for addresses of networks that nobody carries yet; "
        "empty is any",
    )
    fake_network: bool = flag(False, "no real bridges, rules or DHCP servers")
    fixed_range: str = flag("10.0.0.0/8", "block of all guest addresses")
    num_networks: int = flag(1, "networks to create")
    network_size: int = flag(256, "addresses per network")
    vlan_start: int = flag(100, "VLAN of the first network of nova-manage network create")
    vpn_start: int = flag(1000, "public port of its VPN server")
    cnt_vpn_clients: int = flag(0, "addresses of a network with VLAN that are for VPN clients")
    vpn_image_id: str = flag("ami-cloudpipe", "image of VPN servers")
    floating_range: str = flag("4.4.4.0/24", "what nova-manage floating create makes by default")
    flat_network_bridge: str = flag("br100", "bridge of flat networks")
    flat_interface: str = flag("", "interface put into the bridge")
    flat_network_dhcp_start: str = flag(
        "", "first address the DHCP server may give; by default the network's third"
    )
    flat_network_dns: str = flag("8.8.4.4", "DNS stored in a flat network's row")
    dns_server: str = flag("", "upstream DNS of the DHCP server")
    networks_path: str = flag("$state_path/networks", "directory of DHCP servers' files")
    dhcpbridge: str = flag(
        lambda: installed.program("nova-dhcpbridge"),
        "program that DHCP servers report leases to",
        show="beside the package",
    )
    dhcp_lease_time: int = flag(120, "seconds of a DHCP lease")
    dhcp_domain: str = flag("novalocal", "domain of guests' names")
    fixed_ip_disassociate_timeout: int = flag(
        600, "seconds until an address that was given back without a release is free again"
    )
    routing_source_ip: str = flag("$my_ip", "source address of guests' traffic to the outside")
    dmz_cidr: str = flag("10.128.0.0/24", "range that guests reach with their own address")


@dataclasses.dataclass(frozen=True)
class SchedulerFlags:
    """The scheduler."""

    scheduler_manager: str = flag(
        "nova.scheduler.manager.SchedulerManager", "what works on messages"
    )
    scheduler_driver: str = flag("nova.scheduler.chance.ChanceScheduler", "scheduling policy")
    max_cores: int = flag(16, "simple policy: virtual CPUs per host")
