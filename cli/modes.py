"""The modes of the shell. Prompts are those of IOS (reference: Stateful NAT and certification authority)."""

from cli.session import Mode

USER = Mode(name="user", prompt=">", heading="Exec commands:")
PRIVILEGED = Mode(name="exec", prompt="#", heading="Exec commands:")
CONFIG = Mode(name="config", prompt="(config)#", heading="Configure commands:")
INTERFACE = Mode(
    name="config-if", prompt="(config-if)#", heading="Interface configuration commands:", indent=1
)
SUBINTERFACE = Mode(
    name="config-subif",
    prompt="(config-subif)#",
    heading="Subinterface configuration commands:",
    indent=1,
)
"""Of an interface with a dot in its name."""
STANDARD_LIST = Mode(
    name="config-std-nacl",
    prompt="(config-std-nacl)#",
    heading="Standard access list configuration commands:",
    indent=1,
)
EXTENDED_LIST = Mode(
    name="config-ext-nacl",
    prompt="(config-ext-nacl)#",
    heading="Extended access list configuration commands:",
    indent=1,
)
ROUTE_MAP = Mode(
    name="config-route-map",
    prompt="(config-route-map)#",
    heading="Route-map configuration commands:",
    indent=1,
)
POOL = Mode(
    name="ipnat-pool", prompt="(config-ipnat-pool)#", heading="IP NAT pool configuration commands:", indent=1
)
TRUSTPOINT = Mode(
    name="ca-trustpoint", prompt="(ca-trustpoint)#", heading="Trustpoint configuration commands:", indent=1
)
STATEFUL = Mode(
    name="ipnat-snat",
    prompt="(config-ipnat-snat)#",
    heading="IP Stateful NAT configuration commands:",
    indent=2,
)
PRIMARY = Mode(
    name="ipnat-snat-primary",
    prompt="(config-ipnat-snat-pri)#",
    heading="IP Stateful NAT Primary mode configuration commands:",
    indent=4,
)
REDUNDANCY = Mode(
    name="ipnat-snat-redundancy",
    prompt="(config-ipnat-snat-red)#",
    heading="IP Stateful NAT Redundancy mode configuration commands:",
    indent=3,
)
PEERS = Mode(
    name="ipnat-snat-peers",
    prompt="(config-ipnat-snat-peers)#",
    heading="IP Stateful NAT Peers mode configuration commands:",
    indent=3,
)
BACKUP = Mode(
    name="ipnat-snat-backup",
    prompt="(config-ipnat-snat-bkp)#",
    heading="IP Stateful NAT Backup mode configuration commands:",
    indent=4,
)
LINE = Mode(name="config-line", prompt="(config-line)#", heading="Line configuration commands:", indent=1)
