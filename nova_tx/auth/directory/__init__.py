"""
Users, projects and roles in an LDAP directory, as Nova's schema has them.  [spec/09 section 5]

Imported by who needs it, for it needs python-ldap.
"""
