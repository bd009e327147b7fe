"""Packet captures: pcap and pcapng, read in blocks and written; links; compression; live ones."""

from beebox.userspace.captures.packets import Capture as Capture
from beebox.userspace.captures.packets import Interface as Interface
from beebox.userspace.captures.reading import Captures as Captures
from beebox.userspace.captures.reading import parse_capture as parse_capture
from beebox.userspace.captures.reading import read_capture as read_capture
from beebox.userspace.captures.writing import encode_capture as encode_capture
