"""
What a cloud on this machine consists of: pure decisions, and their flag file.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

BUSES = ("memory", "rabbitmq")
VIRTS = ("fake", "qemu", "kvm")
_SUITE = ("nova-objectstore", "nova-network", "nova-compute", "nova-scheduler", "nova-api")
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Plan:
    """
    One cloud.

    @ivar directory: absolute; everything of it is in there.
    @ivar database: SQLAlchemy URL; empty for SQLite in the directory.
    @ivar port_base: is added to every port.
    @ivar cidr: its guests' addresses.
    """

    directory: str
    bus: str
    virt: str
    database: str
    port_base: int
    cidr: str

    @property
    def ec2_port(self) -> int:
        """Of the EC2 API."""
        return 8773 + self.port_base

    @property
    def s3_port(self) -> int:
        """Of the objectstore."""
        return 3333 + self.port_base

    @property
    def rabbit_port(self) -> int:
        """Of the broker; not the one that the machine's own would have."""
        return 5682 + self.port_base

    @property
    def ports(self) -> dict[str, int]:
        """Every port that is listened on at loopback, and what by."""
        found = {
            "the EC2 API": self.ec2_port,
            "the objectstore": self.s3_port,
            "metadata": 8775 + self.port_base,
        }
        if self.bus == "rabbitmq":
            found["RabbitMQ"] = self.rabbit_port
        return found

    @property
    def bridge(self) -> str:
        """Of its guests; two clouds on this machine differ in their ports."""
        return f"brnova{self.port_base}"

    @property
    def real(self) -> bool:
        """Whether there are real guests and real devices, for which root is needed."""
        return self.virt != "fake"

    @property
    def daemons(self) -> Sequence[str]:
        """In the order to start them."""
        return ("nova-all",) if self.bus == "memory" else _SUITE

    @property
    def sql_connection(self) -> str:
        """URL of the database."""
        return self.database or f"sqlite:///{self.directory}/nova.sqlite"

    def to_json(self) -> str:
        """For C{cloud.json}, which makes C{down} know what C{up} did."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The opposite."""
        return cls(**json.loads(text))


def problems(plan: Plan) -> list[str]:
    """What is wrong with a plan, as sentences."""
    found = []
    highest = max(plan.ports.values(), default=0)
    if plan.port_base < 0 or highest > 65535:
        found.append("--port-base is from 0 to 56000.")
    if plan.bus not in BUSES:
        found.append(f"--bus is one of {', '.join(BUSES)}.")
    if plan.virt not in VIRTS:
        found.append(f"--virt is one of {', '.join(VIRTS)}.")
    if any(character.isspace() or character in "$?#=%" for character in plan.directory):
        found.append("The path of a cloud's directory can't have blanks or any of $?#=% in it.")
    return found


def choose_network(port_base: int, routes: Iterable[str]) -> str:
    """
    A block of 256 addresses for guests, in CIDR.

    Clouds with different ports get different ones; networks of /16 or smaller
    that this host has a route to are avoided (into larger ones a hole is made).

    @param routes: destinations of this host's routes; words that are none are passed over.
    """
    taken = []
    for text in routes:
        try:
            network = IPv4Network(text, strict=False)
        except ValueError:
            continue
        if network.prefixlen >= 16:
            taken.append(network)
    for number in range(port_base, port_base + 25_600):
        third, fourth = divmod(number % 25_600, 256)
        block = IPv4Network(f"10.{100 + third}.{fourth}.0/24")
        if not any(block.overlaps(other) for other in taken):
            return str(block)
    raise ValueError("this host has a route into every network from 10.100.0.0 to 10.199.255.0")


def flag_file(plan: Plan, rabbit: tuple[str, str], libvirt_uri: str, dhcpbridge: str) -> str:
    """
    The C{nova.conf} of all daemons and of nova-manage.

    @param rabbit: user and password at the broker.
    """
    flags: dict[str, object] = {
        "state_path": plan.directory,
        "my_ip": _LOOPBACK,
        "sql_connection": plan.sql_connection,
        "ec2_listen": _LOOPBACK,
        "ec2_listen_port": plan.ec2_port,
        "ec2_port": plan.ec2_port,
        "metadata_port": 8775 + plan.port_base,
        "osapi_port": 8774 + plan.port_base,
        "s3_listen_host": _LOOPBACK,
        "s3_port": plan.s3_port,
        "network_manager": "nova.network.manager.FlatDHCPManager",
        "fixed_range": plan.cidr,
        "network_size": 256,
        "flat_network_bridge": plan.bridge,
        "dhcpbridge": dhcpbridge,
    }
    if plan.bus == "memory":
        flags["fake_rabbit"] = True
    else:
        flags["rabbit_host"] = _LOOPBACK
        flags["rabbit_port"] = plan.rabbit_port
        flags["rabbit_userid"], flags["rabbit_password"] = rabbit
    if plan.real:
        flags["connection_type"] = "libvirt"
        flags["libvirt_type"] = plan.virt
        flags["libvirt_uri"] = libvirt_uri
    else:
        flags["connection_type"] = "fake"
        flags["fake_network"] = True
    return "# Flags of this cloud's daemons and of nova-manage.\n" + "".join(
        f"--{name}" + ("" if value is True else f"={value}") + "\n" for name, value in flags.items()
    )
