import { describe, expect, it } from 'vitest'
import { normalised } from '../../src/proofs/htu.ts'

describe('normalised', () => {
  it.each([
    ['https://gw.example/token', 'https://gw.example/token'],
    ['HTTPS://GW.Example/token', 'https://gw.example/token'],
    ['https://gw.example:443/token', 'https://gw.example/token'],
    ['http://gw.example:80/token', 'http://gw.example/token'],
    ['https://gw.example:8443/token', 'https://gw.example:8443/token'],
    ['https://gw.example', 'https://gw.example/'],
    ['https://gw.example/./a/../token', 'https://gw.example/token'],
    ['https://gw.example/%74oken', 'https://gw.example/token'],
    ['https://gw.example/a%2fb', 'https://gw.example/a%2Fb'],
    ['https://gw.example/%7etoken', 'https://gw.example/~token'],
    ['https://gw.example/token?x=1#y', 'https://gw.example/token'],
    ['https://[2001:DB8:0::1]/token', 'https://[2001:db8::1]/token'],
  ])('DP-09: %s is %s', (text, expected) => {
    expect(normalised(text)).toBe(expected)
  })

  it.each([
    '',
    'token',
    '/token',
    '//gw.example/token',
    'https:gw.example/token',
    'https:///token',
    'https:\\\\gw.example\\token',
    'https://gw.example/to ken',
    'https://gw.example/token\t',
    ' https://gw.example/token',
    'https://user@gw.example/token',
    'https://user:secret@gw.example/token',
    'https://gw.example/%zz',
    'https://gw.example/töken',
    'https://gw.example:99999/token',
    'ftp://gw.example/token',
    'urn:gw:token',
  ])('DP-09: %j is no URL that a request could have', (text) => {
    expect(normalised(text)).toBeUndefined()
  })

  it('keeps apart what is different', () => {
    const base = normalised('https://gw.example/token')
    for (const other of ['http://gw.example/token', 'https://gw.example/Token', 'https://gw.example/token/']) {
      expect(normalised(other)).not.toBe(base)
    }
  })
})
