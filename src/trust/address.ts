import { BlockList, isIP, isIPv6 } from 'node:net'

/** What kind of network an address belongs to. `private` stands for everything that is not the public internet. */
export type AddressSpace = 'public' | 'loopback' | 'private'

// IANA special-purpose registries (RFC 6890 and its updates): what a public key endpoint never has.
const PRIVATE_V4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
]
const PRIVATE_V6: readonly (readonly [string, number])[] = [
  ['::', 128],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
]

const privateNetworks = new BlockList()
for (const [network, bits] of PRIVATE_V4) privateNetworks.addSubnet(network, bits, 'ipv4')
for (const [network, bits] of PRIVATE_V6) privateNetworks.addSubnet(network, bits, 'ipv6')

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** The kind of network of an IP address. What is not an address at all is `private`: nothing to be reached. */
export function addressSpace(address: string): AddressSpace {
  const plain = address.split('%')[0] ?? ''
  if (isIP(plain) === 0) return 'private'
  const family = isIPv6(plain) ? 'ipv6' : 'ipv4'
  // BlockList sees an IPv4 address in its IPv6 form (::ffff:a.b.c.d) as that IPv4 address.
  if (loopback.check(plain, family)) return 'loopback'
  return privateNetworks.check(plain, family) ? 'private' : 'public'
}
