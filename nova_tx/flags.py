"""
Every flag: its name, type, default and meaning, and the one reader of argv and flag files.

A section is a frozen dataclass; a field is a flag.  A component receives the
sections it uses, never L{Flags}.  Syntax: spec/11 section 1.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import socket
import textwrap
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

from nova_tx.errors import StartupError

S = TypeVar("S")

#: The type of a flag that holds several values, written C{a,b,c}.
Names = tuple[str, ...]


def flag(default: Any, meaning: str, *, show: str | None = None) -> Any:
    """
    A field of a section.

    @param default: its value, or a function that finds it on this machine.
    @param show: what the help prints for a default that was found by a function.
    """
    metadata = {"meaning": meaning, "show": show}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def _local_address() -> str:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("8.8.8.8", 80))
            return str(probe.getsockname()[0])
    except OSError:
        return "127.0.0.1"


def _checkout() -> str:
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclasses.dataclass(frozen=True)
class NodeFlags:
    """This host, and what all its daemons do alike."""

    host: str = flag(
        socket.gethostname, "name of this node: queue suffix and service row", show="its host name"
    )
    my_ip: str = flag(
        _local_address, "address of this host", show="address used towards the Internet"
    )
    state_path: str = flag(_checkout, "base of all other paths", show="the checkout")
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
    logging_context_format_string: str = flag(
        "%(asctime)s %(levelname)s %(name)s [%(request_id)s %(user)s %(project)s] %(message)s",
        "format of a line with a request's context",
    )
    logging_default_format_string: str = flag(
        "%(asctime)s %(levelname)s %(name)s [-] %(message)s", "format of a line without context"
    )
    logging_exception_prefix: str = flag("(%(name)s): TRACE: ", "in front of each traceback line")


@dataclasses.dataclass(frozen=True)
class BusFlags:
    """The message bus."""

    fake_rabbit: bool = flag(False, "messages stay in this process; only nova-all can work so")
    control_exchange: str = flag("nova", "name of the topic exchange")
    rabbit_host: str = flag("localhost", "broker host")
    rabbit_port: int = flag(5672, "broker port")
    rabbit_userid: str = flag("guest", "broker user")
    rabbit_password: str = flag("guest", "broker password")
    rabbit_virtual_host: str = flag("/", "broker vhost")
    rabbit_max_retries: int = flag(12, "attempts to reach the broker at start")
    rabbit_retry_interval: int = flag(10, "seconds between those attempts")
    rabbit_heartbeat: int = flag(60, "seconds between heartbeats to the broker; 0 for none")
    rabbit_use_ssl: bool = flag(False, "TLS to the broker")
    rabbit_ssl_ca: str = flag("", "file of the CA that the broker's certificate must come from")
    rabbit_ssl_cert: str = flag("", "file of our certificate, if the broker asks for one")
    rabbit_ssl_key: str = flag("", "file of its key")
    rpc_response_timeout: int = flag(60, "seconds to wait for the answer to a call")
    rpc_thread_pool_size: int = flag(64, "messages that a worker handles at once")
    compute_topic: str = flag("compute", "topic of compute workers")
    network_topic: str = flag("network", "topic of network workers")
    scheduler_topic: str = flag("scheduler", "topic of schedulers")


@dataclasses.dataclass(frozen=True)
class SqlFlags:
    """The database."""

    sql_connection: str = flag("sqlite:///$state_path/nova.sqlite", "SQLAlchemy URL")
    sql_idle_timeout: int = flag(3600, "seconds after which an idle connection is replaced")
    sql_max_retries: int = flag(12, "attempts to reach the database at start")
    sql_retry_interval: int = flag(10, "seconds between those attempts")


@dataclasses.dataclass(frozen=True)
class Ec2Flags:
    """The EC2 API and the metadata service."""

    ec2_listen: str = flag("0.0.0.0", "address the EC2 API listens on")
    ec2_listen_port: int = flag(8773, "port the EC2 API listens on")
    ec2_host: str = flag("$my_ip", "public API address")
    ec2_dmz_host: str = flag("$my_ip", "API address as guests and internal clients see it")
    ec2_port: int = flag(8773, "EC2 port in URLs")
    ec2_scheme: str = flag("http", "scheme of EC2 URLs")
    ec2_path: str = flag("/services/Cloud", "path of EC2 URLs")
    ec2_url: str = flag("", "whole EC2 URL, instead of scheme, host, port and path")
    ec2_timestamp_window: int = flag(900, "seconds a request's time may be off")
    region_list: Names = flag((), "name=fqdn pairs for DescribeRegions and credentials")
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
    buckets_path: str = flag("$state_path/buckets", "directory of buckets and objects")


@dataclasses.dataclass(frozen=True)
class ImageFlags:
    """Images."""

    image_service: str = flag("nova.image.s3.S3ImageService", "where images are looked up")
    images_path: str = flag("$state_path/images", "directory of decrypted images")
    image_max_bytes: int = flag(64 * 2**30, "largest image file that a bundle may unpack to")
    null_kernel: str = flag("nokernel", 'kernel id meaning "raw disk image, no kernel"')


@dataclasses.dataclass(frozen=True)
class CryptoFlags:
    """The certificate authority."""

    ca_path: str = flag("$state_path/CA", "directory of the certificate authority")
    ca_file: str = flag("cacert.pem", "its certificate, in that directory")
    key_file: str = flag("private/cakey.pem", "its key, in that directory")


@dataclasses.dataclass(frozen=True)
class AuthFlags:
    """Users, roles and credentials."""

    auth_driver: str = flag("nova.auth.dbdriver.DbDriver", "where users and projects are kept")
    allowed_roles: Names = flag(
        ("cloudadmin", "itsec", "sysadmin", "netadmin", "developer"), "roles that may be granted"
    )
    superuser_roles: Names = flag(("cloudadmin",), "roles that may do everything")
    global_roles: Names = flag(("cloudadmin", "itsec"), "roles that are valid in all projects")
    credential_rc_file: str = flag("%src", "rc file's name in the zip; %s is the region")
    credential_key_file: str = flag("pk.pem", "private key's name in the zip")
    credential_cert_file: str = flag("cert.pem", "certificate's name in the zip")
    osapi_host: str = flag("$my_ip", "OpenStack API address in novarc")
    osapi_port: int = flag(8774, "OpenStack API port in novarc")
    osapi_scheme: str = flag("http", "OpenStack API scheme in novarc")
    osapi_path: str = flag("/v1.0/", "OpenStack API path in novarc")


@dataclasses.dataclass(frozen=True)
class QuotaFlags:
    """What a project may have at once, where table quotas says nothing else."""

    quota_instances: int = flag(10, "instances")
    quota_cores: int = flag(20, "virtual CPUs")


@dataclasses.dataclass(frozen=True)
class ComputeFlags:
    """The compute worker."""

    connection_type: str = flag("libvirt", "hypervisor: libvirt or fake")
    instances_path: str = flag("$state_path/instances", "directory of guests' files")
    default_instance_type: str = flag("m1.small", "type when a request names none")
    minimum_root_size: int = flag(10 * 2**30, "bytes that root disks are grown to (not m1.tiny's)")


@dataclasses.dataclass(frozen=True)
class LibvirtFlags:
    """The libvirt driver."""

    libvirt_type: str = flag("kvm", "kvm or qemu")
    libvirt_uri: str = flag("", "connection, instead of the one for libvirt_type")
    use_cow_images: bool = flag(True, "root disks are qcow2 over the shared image, not copies")


@dataclasses.dataclass(frozen=True)
class NetworkFlags:
    """The network worker, and C{nova-manage network}."""

    network_manager: str = flag("nova.network.manager.FlatDHCPManager", "kind of network")
    fake_network: bool = flag(False, "no real bridges, rules or DHCP servers")
    fixed_range: str = flag("10.0.0.0/8", "block of all guest addresses")
    num_networks: int = flag(1, "networks to create")
    network_size: int = flag(256, "addresses per network")
    flat_network_bridge: str = flag("br100", "bridge of flat networks")
    flat_interface: str = flag("", "interface put into the bridge")
    flat_network_dhcp_start: str = flag(
        "", "first address the DHCP server may give; by default the network's third"
    )
    flat_network_dns: str = flag("8.8.4.4", "DNS stored in a flat network's row")
    dns_server: str = flag("", "upstream DNS of the DHCP server")
    networks_path: str = flag("$state_path/networks", "directory of DHCP servers' files")
    dhcpbridge: str = flag(
        lambda: os.path.join(_checkout(), "scripts", "nova-dhcpbridge"),
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

    scheduler_driver: str = flag("nova.scheduler.chance.ChanceScheduler", "scheduling policy")
    max_cores: int = flag(16, "simple policy: virtual CPUs per host")


def sections() -> tuple[type[Any], ...]:
    """Every section of this module, in order of definition."""
    return tuple(
        value
        for value in globals().values()
        if dataclasses.is_dataclass(value) and isinstance(value, type) and value is not _Entry
    )


@dataclasses.dataclass(frozen=True)
class _Entry:
    name: str
    kind: type[Any]
    default: Any
    field: dataclasses.Field[Any]


def _kind(section: type[Any], name: str) -> type[Any]:
    hint = typing.get_type_hints(section)[name]
    return tuple if typing.get_origin(hint) is tuple else hint


class Flags:
    """
    The values of a set of sections, and what was left of the command line.

    @ivar positional: the words from the first one on that is no flag.
    @ivar warnings: one sentence for each thing in a flag file that was ignored.
    """

    def __init__(self, wanted: Sequence[type[Any]]) -> None:
        self._sections = tuple(wanted)
        self._table = {
            field.name: _Entry(
                field.name,
                _kind(section, field.name),
                field.default_factory()
                if field.default_factory is not dataclasses.MISSING
                else field.default,
                field,
            )
            for section in wanted
            for field in dataclasses.fields(section)
        }
        self._given: dict[str, Any] = {}
        self.positional: list[str] = []
        self.warnings: list[str] = []

    @classmethod
    def load(cls, argv: Sequence[str], wanted: Sequence[type[Any]]) -> Flags:
        """
        Read a command line and the flag files it names.

        Flags of sections that are not wanted are known, and passed over in a
        flag file that daemons share; on the command line they are an error.

        @param argv: without the program's name.
        @raise StartupError: a flag is unknown (on the command line), or has a
            value of the wrong type, or C{$name} in a value names no flag.
        """
        flags = cls(wanted)
        flags._read(list(argv), None, ())
        flags._values = {name: flags._resolve(name, ()) for name in flags._table}
        return flags

    _values: dict[str, Any]

    def section(self, wanted: type[S]) -> S:
        """The values of one section."""
        names = [field.name for field in dataclasses.fields(wanted)]  # type: ignore[arg-type]
        return wanted(**{name: self._values[name] for name in names})

    # Reading.

    def _read(self, words: list[str], source: str | None, seen: tuple[str, ...]) -> None:
        later: list[tuple[str, Any]] = []
        while words:
            word = words.pop(0)
            if word == "--":
                self.positional = words
                break
            if not word.startswith("-") or word == "-":
                if source is not None:
                    raise StartupError(f"{source}: {word!r} is not a flag")
                self.positional = [word, *words]
                break
            name, equals, value = word.lstrip("-").partition("=")
            if name == "flagfile":
                path = value if equals else self._next(words, name)
                self._file(os.path.expanduser(path), seen)
                continue
            found = self._find(name, source)
            if found is None:
                continue
            entry, negated = found
            if entry.kind is bool and not equals:
                later.append((entry.name, not negated))
                continue
            text = value if equals else self._next(words, name)
            later.append((entry.name, self._parse(entry, text, source)))
        # what a flag file says is weaker than what is said beside it
        self._given.update(later)

    def _next(self, words: list[str], name: str) -> str:
        if not words:
            raise StartupError(f"flag --{name} needs a value")
        return words.pop(0)

    def _file(self, path: str, seen: tuple[str, ...]) -> None:
        if path in seen:
            self.warnings.append(f"{path} includes itself; the second time was skipped")
            return
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except OSError as error:
            raise StartupError(f"can't read flag file {path}: {error.strerror}") from error
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if not text or text.startswith(("#", "//")):
                continue
            words = [text]
            if "=" not in text.split(None, 1)[0]:
                words = text.split(None, 1)
            self._read(words, f"{path}:{number}", (*seen, path))

    def _find(self, name: str, source: str | None) -> tuple[_Entry, bool] | None:
        if name in self._table:
            return self._table[name], False
        if name.startswith("no") and name[2:] in self._table:
            entry = self._table[name[2:]]
            if entry.kind is bool:
                return entry, True
        starting = [known for known in self._table if known.startswith(name)]
        if len(starting) == 1:
            return self._table[starting[0]], False
        if source is None and len(starting) > 1:
            raise StartupError(f"--{name} may be any of {', '.join(sorted(starting))}")
        everywhere = {f.name for section in sections() for f in dataclasses.fields(section)}
        if source is not None and (name in everywhere or name.removeprefix("no") in everywhere):
            return None
        near = difflib.get_close_matches(name, everywhere, 1)
        hint = f"; did you mean --{near[0]}?" if near else ""
        if source is None:
            raise StartupError(f"unknown flag --{name}{hint}")
        self.warnings.append(f"{source}: unknown flag --{name} is ignored{hint}")
        return None

    def _parse(self, entry: _Entry, text: str, source: str | None) -> Any:
        where = f"{source}: " if source else ""
        try:
            if entry.kind is bool:
                return {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}[
                    text.lower()
                ]
            if entry.kind is tuple:
                return tuple(part.strip() for part in text.split(",") if part.strip())
            return entry.kind(text)
        except (ValueError, KeyError):
            words = {bool: "true or false", int: "an integer", float: "a number"}
            raise StartupError(
                f"{where}--{entry.name} must be {words[entry.kind]}, not {text!r}"
            ) from None

    # Interpolation.

    def _resolve(self, name: str, path: tuple[str, ...]) -> Any:
        entry = self._table[name]
        value = self._given.get(name, entry.default)
        if not isinstance(value, str) or "$" not in value:
            return value
        if name in path:
            raise StartupError(f"--{name} refers to itself")

        def replace(found: re.Match[str]) -> str:
            if found[0] == "$$":
                return "$"
            other = found[1] or found[2]
            if other not in self._table:
                raise StartupError(f"--{name}={value}: there is no flag {other}")
            return str(self._resolve(other, (*path, name)))

        resolved = re.sub(r"\$\$|\$\{(\w+)\}|\$(\w+)", replace, value)
        return resolved

    # Help.

    def usage(self, program: str) -> str:
        """What C{--help} prints: every flag that the program reads."""
        lines = [f"USAGE: {program} [flags]", "flags:", ""]
        for section in self._sections:
            lines.append((section.__doc__ or "").strip().splitlines()[0])
            for field in sorted(dataclasses.fields(section), key=lambda each: each.name):
                lines.extend(self._help(self._table[field.name]))
            lines.append("")
        return "\n".join(lines)

    def _help(self, entry: _Entry) -> list[str]:
        dashes = "--[no]" if entry.kind is bool else "--"
        text = f"{dashes}{entry.name}: {entry.field.metadata['meaning']}"
        lines = textwrap.wrap(text, 78, initial_indent="  ", subsequent_indent="    ")
        default = entry.default
        if entry.kind is bool:
            default = str(default).lower()
        elif entry.kind is tuple:
            default = ",".join(default)
        default = entry.field.metadata["show"] or repr(str(default))
        lines.append(f"    (default: {default})")
        kinds = {int: "an integer", float: "a number", tuple: "a comma separated list"}
        if entry.kind in kinds:
            lines.append(f"    ({kinds[entry.kind]})")
        return lines
