/** Decides which IP addresses belong to the public internet. Pure. */

import { BlockList, isIP } from 'node:net';

/** From IANA's registries of special-purpose addresses: not globally reachable, or embedding another address. */
const specialIpv4: readonly (readonly [network: string, prefix: number])[] = [
	['0.0.0.0', 8],
	['10.0.0.0', 8],
	['100.64.0.0', 10],
	['127.0.0.0', 8],
	['169.254.0.0', 16],
	['172.16.0.0', 12],
	['192.0.0.0', 24],
	['192.0.2.0', 24],
	['192.88.99.0', 24],
	['192.168.0.0', 16],
	['198.18.0.0', 15],
	['198.51.100.0', 24],
	['203.0.113.0', 24],
	['224.0.0.0', 4],
	['240.0.0.0', 4],
	// Azure's internal services, reachable from each of its machines.
	['168.63.129.16', 32],
];

/** Global unicast. Addresses outside of it are local, multicast, or embed IPv4 (mapped, NAT64). */
const globalIpv6 = ['2000::', 3] as const;

const specialIpv6: readonly (readonly [network: string, prefix: number])[] = [
	// Teredo, benchmarking, ORCHID.
	['2001::', 23],
	['2001:db8::', 32],
	// 6to4.
	['2002::', 16],
	['3fff::', 20],
];

const special = new BlockList();
for (const [network, prefix] of specialIpv4) special.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of specialIpv6) special.addSubnet(network, prefix, 'ipv6');
const global = new BlockList();
global.addSubnet(...globalIpv6, 'ipv6');

/** False also for text that is not an IP address. */
export function isPublicAddress(address: string): boolean {
	switch (isIP(address)) {
		case 4:
			return !special.check(address, 'ipv4');
		case 6:
			// An address with a zone is valid on one link only.
			return !address.includes('%') && global.check(address, 'ipv6') && !special.check(address, 'ipv6');
		default:
			return false;
	}
}
