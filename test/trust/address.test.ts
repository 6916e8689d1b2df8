import { describe, expect, it } from 'vitest'
import { addressSpace } from '../../src/trust/address.ts'

describe('JB-12 the kind of network of an address', () => {
  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '169.253.0.1',
    '192.169.0.0',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00:1450:4001:80b::200e',
    '2003::1',
  ])('%s is public', (address) => {
    expect(addressSpace(address)).toBe('public')
  })

  it.each(['127.0.0.1', '127.255.255.254', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '::ffff:7f00:1'])(
    '%s is loopback',
    (address) => {
      expect(addressSpace(address)).toBe('loopback')
    },
  )

  it.each([
    ['this network', '0.0.0.0'],
    ['RFC 1918', '10.0.0.1'],
    ['RFC 1918', '172.16.0.1'],
    ['RFC 1918', '172.31.255.255'],
    ['RFC 1918', '192.168.1.1'],
    ['shared address space', '100.64.0.1'],
    ['link-local, where clouds keep their metadata', '169.254.169.254'],
    ['documentation', '192.0.2.1'],
    ['benchmarking', '198.18.0.1'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['IPv4 in IPv6', '::ffff:10.0.0.1'],
    ['IPv4 in IPv6, in hexadecimal', '::ffff:a9fe:a9fe'],
    ['public IPv4 in IPv6', '::ffff:8.8.8.8'],
    ['IPv4 in IPv6, in full', '0:0:0:0:0:ffff:c0a8:0101'],
    ['IPv4-compatible IPv6', '::10.0.0.1'],
    ['IPv4-compatible loopback', '::127.0.0.1'],
    ['IPv4-translated IPv6', '::ffff:0:127.0.0.1'],
    ['unspecified', '::'],
    ['NAT64', '64:ff9b::a9fe:a9fe'],
    ['local NAT64', '64:ff9b:1::1'],
    ['discard', '100::1'],
    ['Teredo', '2001::1'],
    ['6to4', '2002:a9fe:a9fe::1'],
    ['documentation', '2001:db8::1'],
    ['documentation', '3fff::1'],
    ['segment routing', '5f00::1'],
    ['unique local', 'fc00::1'],
    ['unique local', 'fd00:ec2::254'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['outside global unicast', '4000::1'],
    ['outside global unicast', '8000::1'],
    ['no address', ''],
    ['no address', 'localhost'],
    ['no address', '127.1'],
    ['no address', '0x7f.0.0.1'],
    ['no address', '1.2.3.4.5'],
  ])('%s (%s) is private', (_, address) => {
    expect(addressSpace(address)).toBe('private')
  })
})
