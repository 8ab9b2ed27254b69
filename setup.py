"""nova_tx: OpenStack Compute as a suite of Twisted daemons."""

from glob import glob

from setuptools import find_packages, setup

DAEMONS = ("all", "api", "objectstore", "scheduler", "compute", "network")

setup(
    name="nova_tx",
    version="2011.1.0",
    description="A private cloud that EC2 and S3 clients use as they are",
    license="Apache-2.0",
    python_requires=">=3.11",
    # a plain path, so that an editable install shows twistd its plugins
    package_dir={"": "."},
    packages=[*find_packages(include=["nova_tx", "nova_tx.*"]), "twisted.plugins"],
    include_package_data=True,
    package_data={
        "nova_tx.auth": ["*.template"],
        "nova_tx.rpc": ["*.xml"],
        "nova_tx.db.migrations": ["*.mako", "versions/*.py"],
        "nova_tx.local": ["guest/**/*"],
    },
    # what docs/install.md puts into /etc
    data_files=[
        ("share/nova_tx", ["etc/nova.conf", "etc/nova.conf.sample"]),
        ("share/nova_tx/systemd", glob("etc/systemd/*")),
        ("share/nova_tx/logrotate.d", glob("etc/logrotate.d/*")),
        ("share/nova_tx/ldap", glob("etc/ldap/*")),
        ("share/nova_tx/grafana", glob("etc/grafana/*")),
    ],
    # run by dnsmasq for every lease: it must not start Twisted
    scripts=["scripts/nova-dhcpbridge"],
    entry_points={
        "console_scripts": [
            *(f"nova-{daemon} = nova_tx.taps.launch:main" for daemon in DAEMONS),
            "nova-manage = nova_tx.manage.main:main",
            "nova-cloud = nova_tx.local.cloud_command:main",
            "nova-demo = nova_tx.local.demo:main",
            "uec-publish-tarball = nova_tx.local.publish_command:main",
            "uec-publish-image = nova_tx.local.publish_command:main",
        ]
    },
    install_requires=[
        "Twisted[tls]>=24.7",
        "txAMQP==0.8.2",
        "SQLAlchemy>=2.0.30,<2.2",
        "alembic>=1.13",
        "zope.interface>=6",
        "pyOpenSSL>=24.3",
        "cryptography>=42",
        "treq>=24",
        "awscrt>=0.31.3",
        "prometheus-client>=0.20",
    ],
    extras_require={
        "libvirt": ["libvirt-python>=9.0"],
        "postgres": ["psycopg[binary]>=3.1"],
        "mysql": ["PyMySQL>=1.1"],
        "ldap": ["python-ldap>=3.4.4"],
        "clients": ["boto==2.49.0", "six>=1.16"],
        "benchmarks": ["pika>=1.3", "moto[ec2,server]>=5"],
        "test": [
            "pytest>=8",
            "pytest-twisted>=1.14",
            "pytest-xdist>=3.6",
            "hypothesis>=6",
            "boto3>=1.35",
            "awscli>=1.36",
            "apache-libcloud>=3.8",
            "moto[server]>=5",
            "ruff>=0.9",
            "mypy>=1.13",
            "mypy-zope>=1.0.9",
            "uv>=0.5",
        ],
    },
    zip_safe=False,
)
