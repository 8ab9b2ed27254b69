"""What all daemons have: a name, a log, a bus, a database."""

from __future__ import annotations

import dataclasses
import socket

from nova_tx import installed
from nova_tx.flag_fields import Names, flag


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
