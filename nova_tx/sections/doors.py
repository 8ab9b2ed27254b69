"""The EC2 API, the objectstore, and what they keep."""

from __future__ import annotations

import dataclasses

from nova_tx.flag_fields import Names, flag

_SCHEMES = ("http", "https")


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
class QuotaFlags:
    """What a project may have at once, where table quotas says nothing else."""

    quota_instances: int = flag(10, "instances")
    quota_cores: int = flag(20, "virtual CPUs")
    quota_volumes: int = flag(10, "volumes")
    quota_gigabytes: int = flag(1000, "gigabytes of its volumes")
    quota_floating_ips: int = flag(10, "floating addresses")


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
