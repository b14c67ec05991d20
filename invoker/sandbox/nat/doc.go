// Package nat gives sandboxes the internet and nothing else: a pair of virtual interfaces per instance, address
// translation, and a firewall that closes the host, the neighbours and the addresses where clouds hand out credentials.
//
//	                    network namespace of the host              of an instance
//	internet -- uplink -- [ table inet fcd-ID ] -- fcdXXXXXXX-1 ==== eth0    lo
//	                                            -- fcdXXXXXXX-2 ==== eth0    lo
//
// A Router holds what all instances of one daemon share: a table of nftables, named for the daemon, and a subnet out of
// which each instance gets two addresses, its own and that of its gateway. Connect makes the pair for a network
// namespace; Link.Close takes it away. Rules are about the prefix of the interfaces' names, so starting an instance
// changes no rule. What an earlier life of the same daemon left is removed by Open.
//
// What the table refuses, for IPv4 and IPv6, all ports and protocols:
//
//	packets that carry another source address than their instance's own
//	every address of the host, whatever it is at that moment, also where another table would redirect it
//	other instances, those of other daemons on the host too; connections from outside to an instance
//	loopback, link-local and multicast addresses, the metadata services of clouds
//	Options.Deny
//
// Options.Allow opens single endpoints again; the resolvers' port 53 is open. IPv4 must be forwarded by the host
// (net.ipv4.ip_forward); instances get IPv6 where the host forwards that too. The package needs CAP_NET_ADMIN in the
// host's network namespace, and does nothing about other tables of nftables: a firewall of the operator that drops
// forwarded packets has to let the interfaces fcd* pass.
package nat
