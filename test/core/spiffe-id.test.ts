import { describe, expect, test } from 'vitest'
import { parseSpiffeId } from '../../src/core/spiffe.ts'

describe('a SPIFFE ID', () => {
  test.each([
    ['spiffe://larkspur.example/ns/pay/sa/payments', 'larkspur.example', '/ns/pay/sa/payments'],
    ['spiffe://larkspur.example', 'larkspur.example', ''],
    ['spiffe://10.0.0.1/x', '10.0.0.1', '/x'],
    ['spiffe://a_b.example/-', 'a_b.example', '/-'],
    ['spiffe://larkspur.example/A/b.c/...', 'larkspur.example', '/A/b.c/...'],
    [`spiffe://${'a'.repeat(255)}/x`, 'a'.repeat(255), '/x'],
    [`spiffe://a/${'x'.repeat(2037)}`, 'a', `/${'x'.repeat(2037)}`],
  ])('SP-01 to SP-04: %.60s is one', (text, trustDomain, path) => {
    expect(parseSpiffeId(text)).toEqual({ trustDomain, path })
  })

  test.each([
    ['SP-05 upper case in the trust domain', 'spiffe://Larkspur.example/x'],
    ['SP-05 upper case in the scheme', 'SPIFFE://larkspur.example/x'],
    ['SP-03 a slash at the end', 'spiffe://larkspur.example/'],
    ['SP-03 a slash after the path', 'spiffe://larkspur.example/x/'],
    ['SP-03 an empty segment', 'spiffe://larkspur.example//x'],
    ['SP-03 a segment of two dots', 'spiffe://larkspur.example/a/../b'],
    ['SP-03 two dots at the end', 'spiffe://larkspur.example/a/..'],
    ['SP-03 a segment of one dot', 'spiffe://larkspur.example/./b'],
    ['SP-03 percent-encoding', 'spiffe://larkspur.example/%61'],
    ['SP-03 a character that is not ASCII', 'spiffe://larkspur.example/caf\u00e9'],
    ['SP-01 a query', 'spiffe://larkspur.example/x?y'],
    ['SP-01 a fragment', 'spiffe://larkspur.example/x#y'],
    ['SP-01 another scheme', 'https://larkspur.example/x'],
    ['SP-02 a port', 'spiffe://larkspur.example:8443/x'],
    ['SP-02 user information', 'spiffe://u@larkspur.example/x'],
    ['SP-02 an empty trust domain', 'spiffe:///x'],
    ['SP-02 a trust domain of 256 bytes', `spiffe://${'a'.repeat(256)}/x`],
    ['SP-04 more than 2048 bytes', `spiffe://a/${'x'.repeat(2038)}`],
    ['a line break at the end', 'spiffe://larkspur.example/x\n'],
    ['nothing', ''],
  ])('%s makes it none', (_, text) => {
    expect(parseSpiffeId(text)).toBeUndefined()
  })
})
