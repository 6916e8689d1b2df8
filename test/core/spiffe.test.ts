import { describe, expect, it } from 'vitest'
import { isTrustDomain, isWorkloadId } from '../../src/core/spiffe.ts'

describe('spiffe', () => {
  it.each([
    'spiffe://larkspur.example/ns/pay/sa/payments',
    'spiffe://10.0.0.1/x',
    'spiffe://a_b.example/-',
    'spiffe://a/...',
    `spiffe://a/${'x'.repeat(2037)}`,
  ])('SP-01 to SP-04: takes %s', (id) => {
    expect(isWorkloadId(id)).toBe(true)
  })

  it.each([
    'spiffe://larkspur.example',
    'spiffe://larkspur.example/',
    'spiffe://Larkspur.example/x',
    'SPIFFE://larkspur.example/x',
    'spiffe://larkspur.example//x',
    'spiffe://larkspur.example/x/',
    'spiffe://larkspur.example/a/../b',
    'spiffe://larkspur.example/.',
    'spiffe://larkspur.example/%61',
    'spiffe://larkspur.example/x?y',
    'spiffe://larkspur.example/x#y',
    'spiffe://larkspur.example:8443/x',
    'spiffe://u@larkspur.example/x',
    'spiffe:///x',
    'https://larkspur.example/x',
    'spiffe://larkspur.example/caf\u00e9',
    `spiffe://${'a'.repeat(256)}/x`,
    `spiffe://a/${'x'.repeat(2038)}`,
  ])('SP-01 to SP-06: refuses %s as the ID of a workload', (id) => {
    expect(isWorkloadId(id)).toBe(false)
  })

  it('SP-02: a trust domain name is lower case and at most 255 bytes', () => {
    expect(['a.b-c_1', 'a'.repeat(255)].every(isTrustDomain)).toBe(true)
    expect(['', 'A', 'a:1', 'a/b', 'é', 'a'.repeat(256)].some(isTrustDomain)).toBe(false)
  })
})
