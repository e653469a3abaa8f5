"""Make ``twistd snat`` known to Twisted."""

from twisted.application.service import ServiceMaker

snat = ServiceMaker("snat", "snat.tap", "Stateful NAT with a replicated table.", "snat")
