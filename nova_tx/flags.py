"""
Every flag: its name, type, default and meaning.

A section is a frozen dataclass; a field is a flag.  A component receives the
sections it uses, never L{Flags}.  The syntax is L{nova_tx.flagfile}'s.
"""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Sequence
from typing import Any, cast

from nova_tx import installed, unbuilt
from nova_tx.errors import StartupError
from nova_tx.flag_fields import Names, flag
from nova_tx.flagfile import Reader
from nova_tx.registry import registered

_SCHEMES = ("http", "https")


def _local_address() -> str:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("8.8.8.8", 80))
            return str(probe.getsockname()[0])
    except OSError:
        return "127.0.0.1"


@dataclasses.dataclass(frozen=True)
class NodeFlags:
    """This host, and what all its daemons do alike."""

    host: str = flag(
        socket.gethostname, "name of this node: queue suffix and service row", show="its host name"
    )
    my_ip: str = flag(
        _local_address, "address of this host", show="address used towards the Internet"
    )
    state_path: str = flag(installed.base, "base of all other paths", show="the checkout")
    node_availability_zone: str = flag("nova", "zone written into a new service row")
    enable_new_services: bool = flag(True, "whether a new service row is enabled")
    report_interval: int = flag(10, "seconds between heartbeats")
    periodic_interval: int = flag(60, "seconds between periodic tasks")
    service_down_time: int = flag(60, "seconds after which a silent service counts as down")
    instance_name_template: str = flag(
        "instance-%08x", "hypervisor's name of an instance, from its id"
    )


@dataclasses.dataclass(frozen=True)
class LogFlags:
    """What is logged, where and how."""

    verbose: bool = flag(False, "log debug messages")
    logfile: str = flag("", "file to log to, instead of standard output")
    logdir: str = flag("", "directory of the log file; by default that is called PROGRAM.log there")
    use_syslog: bool = flag(False, "log to the host's syslog, at /dev/log")
    log_json: bool = flag(False, "each line of the log is a JSON object; formats are not used")
    default_log_levels: Names = flag(
        ("amqplib=WARN", "sqlalchemy=WARN", "eventlet.wsgi.server=WARN"),
        "logger=LEVEL pairs, for loggers that are not to follow --verbose",
    )
    logging_context_format_string: str = flag(
        "%(asctime)s %(levelname)s %(name)s [%(request_id)s %(user)s %(project)s] %(message)s",
        "format of a line with a request's context",
    )
    logging_default_format_string: str = flag(
        "%(asctime)s %(levelname)s %(name)s [-] %(message)s", "format of a line without context"
    )
    logging_debug_format_suffix: str = flag(
        "from %(processName)s (pid=%(process)d) %(funcName)s %(pathname)s:%(lineno)d",
        "format of what is added to a debug message",
    )
    logging_exception_prefix: str = flag("(%(name)s): TRACE: ", "in front of each traceback line")


@dataclasses.dataclass(frozen=True)
class DaemonFlags:
    """The daemon as a process."""

    pidfile: str = flag(
        "", "file that the process id is written to; by default PROGRAM.pid, in the foreground none"
    )


@dataclasses.dataclass(frozen=True)
class MetricsFlags:
    """What monitoring asks a daemon."""

    metrics_port: int = flag(
        0, "port of /metrics (for Prometheus) and /health; further processes take the next; 0: off"
    )
    metrics_listen: str = flag("127.0.0.1", "address of that port")


@dataclasses.dataclass(frozen=True)
class BusFlags:
    """The message bus."""

    fake_rabbit: bool = flag(False, "messages stay in this process; only nova-all can work so")
    control_exchange: str = flag("nova", "name of the topic exchange")
    rabbit_host: str = flag("localhost", "broker host")
    rabbit_port: int = flag(5672, "broker port")
    rabbit_userid: str = flag("guest", "broker user")
    rabbit_password: str = flag("guest", "broker password", secret=True)
    rabbit_virtual_host: str = flag("/", "broker vhost")
    rabbit_max_retries: int = flag(12, "attempts to reach the broker at start")
    rabbit_retry_interval: int = flag(10, "seconds between those attempts")
    rabbit_heartbeat: int = flag(60, "seconds between heartbeats to the broker; 0 for none")
    rabbit_use_ssl: bool = flag(False, "TLS to the broker")
    rabbit_ssl_ca: str = flag("", "file of the CA that the broker's certificate must come from")
    rabbit_ssl_cert: str = flag("", "file of our certificate, if the broker asks for one")
    rabbit_ssl_key: str = flag("", "file of its key")
    rpc_response_timeout: int = flag(60, "seconds to wait for the answer to a call")
    rpc_cast_timeout: int = flag(
        5, "seconds until the sender of a message goes on without a broker; it is sent later"
    )
    rpc_max_waiting: int = flag(1000, "messages that wait for the broker; others are not sent")
    rpc_thread_pool_size: int = flag(64, "messages that a worker handles at once")
    compute_topic: str = flag("compute", "topic of compute workers")
    network_topic: str = flag("network", "topic of network workers")
    scheduler_topic: str = flag("scheduler", "topic of schedulers")


@dataclasses.dataclass(frozen=True)
class SqlFlags:
    """The database."""

    sql_connection: str = flag("sqlite:///$state_path/nova.sqlite", "SQLAlchemy URL", secret=True)
    db_backend: str = flag("sqlalchemy", "what reaches the database: sqlalchemy")
    db_driver: str = flag("nova.db.api", "what asks the database: nova.db.api")
    sql_idle_timeout: int = flag(3600, "seconds after which an idle connection is replaced")
    sql_max_retries: int = flag(12, "attempts to reach the database at start")
    sql_retry_interval: int = flag(10, "seconds between those attempts")
    sql_max_waiting: int = flag(1000, "transactions that wait for a thread; others are refused")


@dataclasses.dataclass(frozen=True)
class Ec2Flags:
    """The EC2 API and the metadata service."""

    ec2_listen: str = flag("0.0.0.0", "address the EC2 API listens on")
    ec2_listen_port: int = flag(8773, "port the EC2 API listens on")
    ec2_host: str = flag("$my_ip", "public API address")
    ec2_dmz_host: str = flag("$my_ip", "API address as guests and internal clients see it")
    ec2_port: int = flag(8773, "EC2 port in URLs")
    ec2_scheme: str = flag("http", "scheme of EC2 URLs", choices=_SCHEMES)
    ec2_path: str = flag("/services/Cloud", "path of EC2 URLs")
    ec2_url: str = flag("", "whole EC2 URL, instead of scheme, host, port and path")
    ec2_ssl_cert: str = flag(
        "", "file of the EC2 API's certificate and its chain, for TLS; SIGHUP has it read anew"
    )
    ec2_ssl_key: str = flag("", "file of its key")
    api_workers: int = flag(
        1, "processes that serve the EC2 API; bounds hold for each; nova-all has but one"
    )
    ec2_max_requests: int = flag(
        256, "requests of users that are in hand at once, likewise of guests; others are refused"
    )
    ec2_project_requests: int = flag(128, "of them, for one project")
    ec2_max_connections: int = flag(
        1000, "connections to the EC2 API, likewise to the metadata service; others are refused"
    )
    ec2_max_body: int = flag(256 * 1024, "bytes that the body of a request may have")
    ec2_max_parameters: int = flag(5000, "parameters that a request may have")
    ec2_rate_limit: int = flag(
        0, "requests per second and project, in the long run; others are refused; 0: no limit"
    )
    ec2_rate_burst: int = flag(100, "requests of a project that may come at once before that")
    ec2_timestamp_window: int = flag(900, "seconds a request's time may be off")
    region_list: Names = flag((), "name=fqdn pairs for DescribeRegions and credentials")
    use_forwarded_for: bool = flag(
        False, "who asks is the last in X-Forwarded-For: for a proxy that nobody can go around"
    )
    metadata_listen: str = flag(
        "$ec2_dmz_host",
        "address the metadata service listens on; guests come to it by the network host's DNAT",
    )
    metadata_port: int = flag(8775, "port the metadata service listens on")
    terminated_instance_seconds: int = flag(3600, "seconds a terminated instance stays listed")


@dataclasses.dataclass(frozen=True)
class S3Flags:
    """The objectstore."""

    s3_host: str = flag("$my_ip", "objectstore address as services see it")
    s3_dmz: str = flag("$my_ip", "objectstore address as guests see it")
    s3_port: int = flag(3333, "objectstore port")
    s3_listen_host: str = flag("", "address the objectstore listens on; empty is all")
    s3_scheme: str = flag("http", "scheme of objectstore URLs", choices=_SCHEMES)
    s3_ssl_cert: str = flag(
        "", "file of the objectstore's certificate and its chain, for TLS; SIGHUP has it read anew"
    )
    s3_ssl_key: str = flag("", "file of its key")
    s3_ssl_ca: str = flag(
        "",
        "file of the CA that the objectstore's certificate must come from, for services that"
        " ask it by https; empty: one of this host's",
    )
    s3_domain: Names = flag(
        (), "domains below which each bucket is a host, as in bucket.s3.example.org; paths stay"
    )
    s3_max_requests: int = flag(1000, "requests that are in hand at once; others are refused")
    s3_max_connections: int = flag(1000, "connections; others are refused")
    s3_client_timeout: int = flag(
        60, "seconds in which a client must send or take 64 KiB, or the rest, or it is cut off"
    )
    buckets_path: str = flag("$state_path/buckets", "directory of buckets and objects")
    s3_fsync: bool = flag(
        True, "an object is on the disk before it is acknowledged; else a power cut may take it"
    )
    objectstore_workers: int = flag(
        1, "processes that serve the objectstore; bounds hold for each; nova-all has but one"
    )


@dataclasses.dataclass(frozen=True)
class BackendFlags:
    """Another S3, if buckets and objects are kept there and not in C{buckets_path}."""

    s3_backend_url: str = flag(
        "",
        "bucket of another S3 that keeps all buckets and objects, http(s)://host[:port]/bucket"
        "[/prefix]; empty: they are in buckets_path",
    )
    s3_backend_access_key: str = flag("", "access key there")
    s3_backend_secret_key: str = flag("", "secret key there", secret=True)
    s3_backend_region: str = flag("us-east-1", "region there, as requests are signed for it")
    s3_backend_ca: str = flag(
        "", "file with the certificates that its own has to be signed by; empty: the system's"
    )


@dataclasses.dataclass(frozen=True)
class ImageFlags:
    """Images."""

    image_service: str = flag("nova.image.s3.S3ImageService", "where images are looked up")
    use_s3: bool = flag(
        True, "files of images come by HTTP; if not, nova.image.s3 reads them in images_path, too"
    )
    images_path: str = flag("$state_path/images", "directory of decrypted images")
    image_max_bytes: int = flag(64 * 2**30, "largest image file that a bundle may unpack to")
    image_convert_seconds: int = flag(
        1800, "seconds that unpacking or converting an image by another program may take"
    )
    null_kernel: str = flag("nokernel", 'kernel id meaning "raw disk image, no kernel"')


@dataclasses.dataclass(frozen=True)
class GlanceFlags:
    """Glance, if C{image_service} is it."""

    glance_host: str = flag("$my_ip", "Glance host")
    glance_port: int = flag(9292, "Glance port")
    glance_scheme: str = flag("http", "how Glance is reached", choices=("http", "https"))
    glance_auth_token: str = flag(
        "",
        "token of an administrator of Glance; empty: Glance believes who asks (trusted-auth)",
        secret=True,
    )


@dataclasses.dataclass(frozen=True)
class CryptoFlags:
    """The certificate authority."""

    ca_path: str = flag("$state_path/CA", "directory of the certificate authority")
    lock_path: str = flag("", "directory of the authority's lock file; empty is ca_path")
    ca_file: str = flag("cacert.pem", "its certificate, in that directory")
    key_file: str = flag("private/cakey.pem", "its key, in that directory")
    crl_file: str = flag("crl.pem", "its list of revoked certificates, in that directory")
    crl_days: int = flag(30, "days that such a list is good; 'certificate refresh' makes a new one")
    use_project_ca: bool = flag(
        False, "each project has an authority of its own, below projects in that directory"
    )
    project_cert_subject: str = flag(
        "/C=US/ST=California/L=MountainView/O=AnsoLabs/OU=NovaDev/CN=project-ca-%s-%s",
        "subject of a project's authority; each %s is the next of project, time",
    )
    ca_days: int = flag(3650, "days that its certificate is valid")
    cert_days: int = flag(365, "days that users' certificates are valid")
    user_cert_subject: str = flag(
        "/C=US/ST=California/L=MountainView/O=AnsoLabs/OU=NovaDev/CN=%s-%s-%s",
        "subject of users' certificates; each %s is the next of project, user, time",
    )


@dataclasses.dataclass(frozen=True)
class AuthFlags:
    """Users, roles and credentials."""

    auth_driver: str = flag("nova.auth.dbdriver.DbDriver", "where users and projects are kept")
    allowed_roles: Names = flag(
        ("cloudadmin", "itsec", "sysadmin", "netadmin", "developer"), "roles that may be granted"
    )
    superuser_roles: Names = flag(("cloudadmin",), "roles that may do everything")
    global_roles: Names = flag(("cloudadmin", "itsec"), "roles that are valid in all projects")
    credentials_template: str = flag(
        lambda: installed.file("auth", "novarc.template"),
        "template of rc files, with %(name)s for values",
        show="auth/novarc.template",
    )
    credential_rc_file: str = flag("%src", "rc file's name in the zip; %s is the region")
    credential_key_file: str = flag("pk.pem", "private key's name in the zip")
    credential_cert_file: str = flag("cert.pem", "certificate's name in the zip")
    credential_vpn_file: str = flag("nova-vpn.conf", "OpenVPN configuration's name in the zip")
    vpn_client_template: str = flag(
        lambda: installed.file("auth", "vpn.template"),
        "template of that configuration",
        show="auth/vpn.template",
    )
    credential_ssl_ca: str = flag(
        "", "file of the CA that users' clients are to verify https with; put in the zip"
    )
    lockout_attempts: int = flag(5, "failed authentications that lock an access key; 0: none do")
    lockout_minutes: int = flag(15, "minutes for which it is locked")
    lockout_window: int = flag(15, "minutes since the first in which they are counted")
    osapi_host: str = flag("$my_ip", "OpenStack API address in novarc")
    osapi_port: int = flag(8774, "OpenStack API port in novarc")
    osapi_scheme: str = flag("http", "OpenStack API scheme in novarc")
    osapi_path: str = flag("/v1.0/", "OpenStack API path in novarc")


@dataclasses.dataclass(frozen=True)
class QuotaFlags:
    """What a project may have at once, where table quotas says nothing else."""

    quota_instances: int = flag(10, "instances")
    quota_cores: int = flag(20, "virtual CPUs")
    quota_volumes: int = flag(10, "volumes")
    quota_gigabytes: int = flag(1000, "gigabytes of its volumes")
    quota_floating_ips: int = flag(10, "floating addresses")


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


@dataclasses.dataclass(frozen=True)
class SecretsFlags:
    """How users' secrets are kept in the database."""

    secrets_key_file: str = flag(
        "$state_path/keys/secrets.key",
        "file of the keys that seal users' secrets, the same on all hosts; made when first needed",
    )


@dataclasses.dataclass(frozen=True)
class LdapFlags:
    """The directory of users, if C{auth_driver} is it."""

    ldap_url: str = flag("ldap://localhost", "server: ldap://, ldaps:// or ldapi://")
    ldap_start_tls: bool = flag(False, "TLS on a connection of ldap://, before the password")
    ldap_tls_ca: str = flag(
        "", "file of the CA that the server's certificate must come from; empty: the system's"
    )
    ldap_user_dn: str = flag("cn=Manager,dc=example,dc=com", "who we are there")
    ldap_password: str = flag("changeme", "our password there", secret=True)
    ldap_timeout: int = flag(5, "seconds for the server to take a connection, and to answer")
    ldap_schema_version: int = flag(2, "Nova's schema in the directory: 1 is that of 2010")
    ldap_user_subtree: str = flag("ou=Users,dc=example,dc=com", "users are below it")
    ldap_user_unit: str = flag("Users", "attribute ou of new users")
    ldap_user_id_attribute: str = flag("uid", "attribute that has a user's id")
    ldap_user_name_attribute: str = flag("cn", "attribute that has a user's name")
    ldap_user_modify_only: bool = flag(
        False, "entries of users are others' to make and delete; only Nova's attributes are ours"
    )
    ldap_project_subtree: str = flag("ou=Groups,dc=example,dc=com", "projects are below it")
    role_project_subtree: str = flag("ou=Groups,dc=example,dc=com", "groups of roles are below it")
    ldap_cloudadmin: str = flag(
        "cn=cloudadmins,ou=Groups,dc=example,dc=com", "group of who has the role in the cloud"
    )
    ldap_itsec: str = flag("cn=itsec,ou=Groups,dc=example,dc=com", "likewise")
    ldap_sysadmin: str = flag("cn=sysadmins,ou=Groups,dc=example,dc=com", "likewise")
    ldap_netadmin: str = flag("cn=netadmins,ou=Groups,dc=example,dc=com", "likewise")
    ldap_developer: str = flag("cn=developers,ou=Groups,dc=example,dc=com", "likewise")


def sections() -> tuple[type[Any], ...]:
    """Every section of this module, in order of definition."""
    return tuple(
        value
        for value in globals().values()
        if isinstance(value, type) and dataclasses.is_dataclass(value)
    )


def registered_sections() -> tuple[type[Any], ...]:
    """
    Sections of other distributions' drivers, in every program's flags.

    @raise StartupError: one can't be loaded, or is no frozen dataclass.
    """
    found = registered("nova_tx.flags")
    for name, value in found.items():
        if not (isinstance(value, type) and dataclasses.is_dataclass(value)):
            raise StartupError(f"{name}, an entry point of nova_tx.flags, is no dataclass of flags")
    return tuple(cast(type[Any], each) for each in found.values())


class Flags(Reader):
    """The flags of this house, as a command line and the flag files it names set them."""

    @classmethod
    def load(
        cls,
        argv: Sequence[str],
        wanted: Sequence[type[Any]],
        fallback: str | None = None,
        **defaults: object,
    ) -> Flags:
        """
        Read a command line.

        Flags of sections that are not wanted are known, and passed over in a
        flag file that daemons share; on the command line they are an error.

        @param argv: without the program's name.
        @param wanted: the sections to read, of this module or a driver's own.
        @param fallback: the flag file, if the command line names none.
        @param defaults: values that this program has where nothing is said.
        @raise StartupError: a flag is unknown (on the command line), or has a
            value of the wrong type, or C{$name} in a value names no flag.
        @raise HelpAsked: the command line asks for help.
        """
        known = (*sections(), *registered_sections())
        flags = cls(wanted, known, unbuilt.unread(), unbuilt.SPELLINGS)
        flags.read(argv, fallback, **defaults)
        return flags
