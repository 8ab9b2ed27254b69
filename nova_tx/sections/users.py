"""Users, their secrets, their certificates, and where all that is kept."""

from __future__ import annotations

import dataclasses

from nova_tx import installed
from nova_tx.flag_fields import Names, flag


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
