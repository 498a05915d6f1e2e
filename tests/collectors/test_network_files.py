"""Collectors of protocols, sockets and network devices, on the captured host."""

import errno
import socket
from collections import Counter

import pytest

from collectors import arp, bonding, conntrack, netclass, netstat, sockstat, softnet, tcpstat, udp_queues
from collectors.spec import CollectError, NotAvailableError


@pytest.fixture
def proc(host):
    return host / "proc"


def test_protocol_counters_that_the_pattern_finds(proc, values):
    assert values(netstat.collect(netstat.NetstatOptions(procfs=proc))) == {
        "node_netstat_TcpExt_SyncookiesSent": 3,
        "node_netstat_TcpExt_ListenOverflows": 4,
        "node_netstat_TcpExt_ListenDrops": 5,
        "node_netstat_TcpExt_TCPTimeouts": 6,
        "node_netstat_TcpExt_TCPSynRetrans": 7,
        "node_netstat_IpExt_InOctets": 1000,
        "node_netstat_IpExt_OutOctets": 2000,
        "node_netstat_Ip_Forwarding": 2,
        "node_netstat_Icmp_InMsgs": 8,
        "node_netstat_Icmp_InErrors": 9,
        "node_netstat_Icmp_OutMsgs": 10,
        "node_netstat_Tcp_MaxConn": -1,
        "node_netstat_Tcp_ActiveOpens": 11,
        "node_netstat_Tcp_CurrEstab": 12,
        "node_netstat_Tcp_InSegs": 13,
        "node_netstat_Tcp_RetransSegs": 14,
        "node_netstat_Tcp_InErrs": 15,
        "node_netstat_Udp_InDatagrams": 16,
        "node_netstat_Udp_NoPorts": 17,
        "node_netstat_Udp_InErrors": 18,
        "node_netstat_Ip6_InOctets": 19,
        "node_netstat_Udp6_InErrors": 20,
    }


def test_protocol_counters_can_be_chosen(proc, values):
    options = netstat.NetstatOptions(procfs=proc, fields="^(TcpExt_PruneCalled|Ip6_InReceives)$")
    assert values(netstat.collect(options)) == {
        "node_netstat_TcpExt_PruneCalled": 99,
        "node_netstat_Ip6_InReceives": 96,
    }


def test_a_host_without_ipv6_has_counters_and_sockets(proc, tmp_path):
    (tmp_path / "net").mkdir()
    for name in ("netstat", "snmp", "sockstat", "udp"):
        (tmp_path / "net" / name).write_text((proc / "net" / name).read_text())
    assert len(list(netstat.collect(netstat.NetstatOptions(procfs=tmp_path)))) == 20
    assert len(list(sockstat.collect(sockstat.SockstatOptions(procfs=tmp_path)))) == 12
    assert len(list(udp_queues.collect(udp_queues.UdpQueuesOptions(procfs=tmp_path)))) == 2


def test_values_without_names_are_a_fault(proc, tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net/netstat").write_text("TcpExt: SyncookiesSent ListenDrops\nTcpExt: 3\n")
    with pytest.raises(CollectError, match="cannot make sense of"):
        list(netstat.collect(netstat.NetstatOptions(procfs=tmp_path)))


def test_sockets_and_what_memory_they_hold(proc, values):
    found = values(sockstat.collect(sockstat.SockstatOptions(procfs=proc)))
    assert found["node_sockstat_sockets_used"] == 120
    assert found["node_sockstat_TCP_tw"] == 2
    assert found["node_sockstat_TCP6_inuse"] == 6
    assert (found["node_sockstat_TCP_mem"], found["node_sockstat_TCP_mem_bytes"]) == (3, 3 * sockstat.PAGE_BYTES)
    assert found["node_sockstat_FRAG_memory"] == 0
    assert "node_sockstat_UDP_newer" not in found


def test_packets_are_told_by_the_cpu_that_the_line_names(proc, values):
    samples = list(softnet.collect(softnet.SoftnetOptions(procfs=proc)))
    assert values(samples, cpu="0") == {
        "node_softnet_processed_total": 16,
        "node_softnet_dropped_total": 1,
        "node_softnet_times_squeezed_total": 2,
        "node_softnet_cpu_collision_total": 3,
        "node_softnet_received_rps_total": 4,
        "node_softnet_flow_limit_count_total": 5,
        "node_softnet_backlog_len": 6,
    }
    assert values(samples, cpu="3")["node_softnet_processed_total"] == 32
    assert values(samples, cpu="1") == {}


def test_neighbours_are_counted_by_device(proc):
    counts = {sample.labels: sample.value for sample in arp.collect(arp.ArpOptions(procfs=proc))}
    assert counts == {(("device", "eth0"),): 2, (("device", "veth1"),): 1}
    chosen = arp.collect(arp.ArpOptions(procfs=proc, device_exclude="^veth"))
    assert [sample.labels for sample in chosen] == [(("device", "eth0"),)]


def test_a_device_that_is_down_has_no_carrier_and_no_speed(host, values):
    samples = list(netclass.collect(netclass.NetclassOptions(sysfs=host / "sys")))
    assert values(samples, device="eth0") == {
        "node_network_up": 1,
        "node_network_carrier": 1,
        "node_network_mtu_bytes": 1500,
        "node_network_speed_bytes": 125_000_000,
    }
    assert values(samples, device="eth1") == {"node_network_up": 0, "node_network_mtu_bytes": 9000}
    assert "node_network_speed_bytes" not in values(samples, device="bond0")
    assert values(samples, device="bonding_masters") == {}


def test_devices_can_be_chosen(host):
    options = netclass.NetclassOptions(sysfs=host / "sys", device_include="^eth", device_exclude="1$")
    assert {sample.labels for sample in netclass.collect(options)} == {(("device", "eth0"),)}


def test_the_running_hosts_devices_are_there(values):
    names = {name for _, name in socket.if_nameindex()}
    samples = list(netclass.collect(netclass.NetclassOptions()))
    assert {dict(sample.labels)["device"] for sample in samples} == names
    assert values(samples, device="lo")["node_network_mtu_bytes"] > 0


def test_a_bond_counts_the_devices_whose_link_works(host, values):
    found = values(bonding.collect(bonding.BondingOptions(sysfs=host / "sys")), master="bond0")
    assert found == {"node_bonding_slaves": 2, "node_bonding_active": 1}


def test_a_host_without_bonds_or_tracked_connections_says_so(tmp_path):
    with pytest.raises(NotAvailableError, match="bonding_masters"):
        list(bonding.collect(bonding.BondingOptions(sysfs=tmp_path)))
    with pytest.raises(NotAvailableError, match="nf_conntrack_count"):
        list(conntrack.collect(conntrack.ConntrackOptions(procfs=tmp_path)))


def test_tracked_connections_and_their_limit(proc, values):
    assert values(conntrack.collect(conntrack.ConntrackOptions(procfs=proc))) == {
        "node_nf_conntrack_entries": 210,
        "node_nf_conntrack_entries_limit": 65536,
    }


def by_state():
    return {dict(sample.labels)["state"]: sample.value for sample in tcpstat.collect(tcpstat.TcpstatOptions())}


def test_a_connection_of_the_running_host_is_counted_in_its_state():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_server(("::1", 0), family=socket.AF_INET6),
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0],
    ):
        client.sendall(b"0123456789")
        during = by_state()
    assert during["listen"] >= 2
    assert during["established"] >= 2
    assert during["rx_queued_bytes"] >= 10
    assert during.keys() <= {*tcpstat.STATES.values(), "rx_queued_bytes", "tx_queued_bytes"}


def message(kind, body):
    return tcpstat.HEADER.pack(tcpstat.HEADER.size + len(body), kind, 0, 1, 0) + body


def test_bytes_in_queues_are_those_of_connections_and_not_what_waits_to_be_accepted():
    found = Counter()
    for state, received, sent in ((tcpstat.LISTEN, 5, 128), (1, 32, 256), (6, 0, 0)):
        answer = message(20, bytes([2, state]) + bytes(54) + tcpstat.QUEUES.pack(received, sent))
        tcpstat._count(memoryview(answer), found)
    assert found == {"listen": 1, "established": 1, "time_wait": 1, "rx_queued_bytes": 32, "tx_queued_bytes": 256}


def test_a_kernel_that_cannot_be_asked_is_told_apart_from_one_that_does_not_answer():
    assert isinstance(tcpstat._refused(errno.ENOENT), NotAvailableError)
    assert not isinstance(tcpstat._refused(errno.ETIMEDOUT), NotAvailableError)


def test_messages_of_one_datagram_are_told_apart():
    data = message(20, b"123") + b"\0" + message(tcpstat.DONE, b"")
    assert [(kind, bytes(each[16:])) for kind, each in tcpstat._messages(data)] == [(20, b"123"), (tcpstat.DONE, b"")]


def test_bytes_in_udp_queues(proc):
    samples = udp_queues.collect(udp_queues.UdpQueuesOptions(procfs=proc))
    assert {sample.labels: sample.value for sample in samples} == {
        (("ip", "v4"), ("queue", "tx")): 17,
        (("ip", "v4"), ("queue", "rx")): 32,
    }
