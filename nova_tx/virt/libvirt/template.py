"""Descriptions of guests in the operator's words: C{libvirt_xml_template}.   [spec/11 section 2]"""

from __future__ import annotations

from string import Template
from xml.etree.ElementTree import Element, ParseError, fromstring, tostring
from xml.sax.saxutils import escape

from nova_tx.errors import StartupError

_EXAMPLE = (
    '<domain type="kvm"><name>x</name><memory>1</memory><vcpu>1</vcpu><os/><devices/></domain>'
)


class DomainTemplate:
    """
    A domain's XML, in which C{$type}, C{$name}, C{$memory} (KiB) and C{$vcpus} are the guest's, and
    C{$os} and C{$devices} what we would have put into these elements; C{$$} is a dollar.
    """

    def __init__(self, path: str) -> None:
        """
        @raise StartupError: the file can't be read, is no XML, or has another C{$name} in it.
        """
        try:
            with open(path, encoding="utf-8") as file:
                self._template = Template(file.read())
            fromstring(self.fill(_EXAMPLE))
        except OSError as error:
            why = str(error.strerror)
        except UnicodeDecodeError:
            why = "it is not UTF-8"
        except KeyError as error:
            why = f"${error.args[0]} stands for nothing"
        except (ValueError, ParseError) as error:
            why = str(error)
        else:
            return
        raise StartupError(f"--libvirt_xml_template: {path} can't be used: {why}")

    def fill(self, ours: str) -> str:
        """
        A guest's description.

        @param ours: as it would be without a template.
        """
        root = fromstring(ours)
        return self._template.substitute(
            type=root.get("type", ""),
            name=escape(root.findtext("name", "")),
            memory=root.findtext("memory", ""),
            vcpus=root.findtext("vcpu", ""),
            os=_inside(root, "os"),
            devices=_inside(root, "devices"),
        )


def _inside(root: Element, name: str) -> str:
    return "".join(tostring(each, encoding="unicode") for each in root.iterfind(f"{name}/*"))
