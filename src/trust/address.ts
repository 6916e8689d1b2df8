import { BlockList, isIP } from 'node:net'

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
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

const privateV4 = new BlockList()
for (const [network, bits] of PRIVATE_V4) privateV4.addSubnet(network, bits, 'ipv4')

// RFC 4291 §2.4: what else there is in IPv6 is local, multicast, a translation of something, or not yet given out.
const globalUnicast = new BlockList()
globalUnicast.addSubnet('2000::', 3, 'ipv6')
const privateV6 = new BlockList()
for (const [network, bits] of PRIVATE_V6) privateV6.addSubnet(network, bits, 'ipv6')

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/**
 * The kind of network of an IP address. What is not an address at all is `private`: nothing to be reached; so is an IPv4
 * address in IPv6 form, unless it is a loopback one.
 */
export function addressSpace(address: string): AddressSpace {
  const plain = address.split('%')[0] ?? ''
  const version = isIP(plain)
  if (version === 0) return 'private'
  // BlockList sees an IPv4 address in its IPv6 form (::ffff:a.b.c.d) as that IPv4 address.
  if (loopback.check(plain, version === 6 ? 'ipv6' : 'ipv4')) return 'loopback'
  if (version === 4) return privateV4.check(plain, 'ipv4') ? 'private' : 'public'
  return globalUnicast.check(plain, 'ipv6') && !privateV6.check(plain, 'ipv6') ? 'public' : 'private'
}
