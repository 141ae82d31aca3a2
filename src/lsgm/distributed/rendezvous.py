"""Where the nodes of one run find each other."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from lsgm.config import ConfigError


@dataclass(frozen=True)
class Rendezvous:
    """Where the nodes of one run find each other.

    Attributes:
        nodes: how many they are.
        host: one of them, by a name or address under which all others reach it.
        port: free on that node.
    """

    nodes: int
    host: str
    port: int

    def __str__(self) -> str:
        """`HOST:PORT`, as it is typed."""
        return f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, nodes: int, text: str) -> Rendezvous:
        """Read `HOST:PORT`.

        Raises:
            ConfigError: it is something else.
        """
        host, _, port = text.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ConfigError(f"--rendezvous {text}: must be HOST:PORT, one of the nodes and a port that is free there")
        return cls(nodes, host, int(port))

    def own_address(self) -> str:
        """How the other nodes reach this one: as they are told, or by the address that leads from here to there.

        Raises:
            ConfigError: the host is not known here.
        """
        try:
            family, _, _, _, there = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(there)  # sends nothing
                own = probe.getsockname()[0]
        except OSError as error:
            raise ConfigError(f"--rendezvous {self}: cannot be reached from here ({error})") from None
        is_here = own == there[0] or there[0].startswith("127.")
        return self.host if is_here else own
